"""Descriptions of several workers that a scheduler takes: a Kubernetes manifest, a Slurm script, a dry run."""

import shlex

import yaml

from zoo import launch
from zoo.models import checks
from zoo.training import cluster

NAME = "zoo-train"
IMAGE = "registry.example.com/zoo:latest"
RUNS = "/runs"  # where the volume of the runs is mounted
ASKED = 143  # of one that has saved its state because it was asked to end (SIGTERM)
SECONDS = 60  # from SIGTERM to SIGKILL


def render(scheduler, command, workers, *, max_restarts=3, image=IMAGE, gpus=0):
    """Describes the workers of a command for a scheduler.

    Args:
        scheduler: `"kubernetes"`, `"slurm"`, or `"commands"` for a dry run.
        command: The command as a list, with `--out`.
        workers: How many machines.
        max_restarts: How often a worker may fail.
        image: Kubernetes: the container image, in which this project is installed.
        gpus: GPUs of each machine.

    Returns:
        The manifest, the script, or one line for each worker.

    Raises:
        InputError: A number is out of range, or the command has no `--out`.
    """
    checks.one_of("scheduler", scheduler, RENDER)
    checks.not_negative("gpus", gpus)
    command = launch.checked(command, workers, max(max_restarts, 1))
    return RENDER[scheduler](command, workers, max_restarts=max_restarts, image=image, gpus=gpus)


_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": NAME},
    "spec": {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {"app": NAME},
        "ports": [{"port": launch.PORT}],
    },
}


def _kubernetes(command, workers, *, max_restarts, image, gpus):
    """A headless service, by which the workers find each other, and an Indexed Job."""
    hosts = ",".join(f"{NAME}-{index}.{NAME}:{launch.PORT}" for index in range(workers))
    place = ["--hosts", hosts, "--index", "$(WORKER)"]
    container = {
        "name": "worker",
        "image": image,
        "command": ["zoo", "launch", *place, "--", *command],
        "env": [
            {
                "name": "WORKER",
                "valueFrom": {
                    "fieldRef": {
                        "fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"
                    }
                },
            },
        ],
        "ports": [{"containerPort": launch.PORT}],
        # Only worker 0 writes there, but every pod of a Job mounts the same volumes.
        "volumeMounts": [{"name": "runs", "mountPath": RUNS}],
    }
    if gpus:
        container["resources"] = {"limits": {"nvidia.com/gpu": gpus}}
    pod = {
        "subdomain": NAME,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": SECONDS,
        "containers": [container],
        "volumes": [{"name": "runs", "persistentVolumeClaim": {"claimName": f"{NAME}-runs"}}],
    }
    on = {"operator": "In", "containerName": "worker"}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": NAME},
        "spec": {
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            "backoffLimit": max_restarts,
            # A failure counts once: not that of the fellows which noticed it. Bad input is not tried again.
            "podFailurePolicy": {
                "rules": [
                    {"action": "FailJob", "onExitCodes": on | {"values": [launch.BAD_INPUT]}},
                    {"action": "Ignore", "onExitCodes": on | {"values": [cluster.LOST, ASKED]}},
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": pod},
        },
    }  # fmt: skip
    return yaml.safe_dump_all([_SERVICE, job], sort_keys=False, width=1000)


def _slurm(command, workers, *, max_restarts, image, gpus):
    """A batch script that starts one worker on each node, and all of them again when one fails."""
    gpu_line = f"#SBATCH --gpus-per-node={gpus}\n" if gpus else ""
    return f"""\
#!/bin/bash
#SBATCH --job-name={NAME}
#SBATCH --nodes={workers}
#SBATCH --ntasks-per-node=1
{gpu_line}#SBATCH --signal=TERM@{SECONDS}
#SBATCH --requeue
#SBATCH --open-mode=append
# The command's --out must lie on a disk that the first node sees again after a requeue.
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | paste -sd,)
for try in $(seq 0 {max_restarts}); do
  srun --kill-on-bad-exit=1 bash -c \\
    'exec zoo launch --hosts "$0" --index "$SLURM_PROCID" -- "$@"' "$hosts" {shlex.join(command)}
  code=$?
  # 0: finished; {launch.BAD_INPUT}: bad input; {ASKED}: asked to end, with its state saved.
  case $code in 0|{launch.BAD_INPUT}|{ASKED}) break ;; esac
done
exit $code
"""


def _commands(command, workers, **_):
    hosts = [f"HOST{index}" for index in range(workers)]
    return "".join(
        f"{cluster.VARIABLE}={shlex.quote(cluster.tf_config(launch.with_ports(hosts), index))} {shlex.join(command)}\n"
        for index in range(workers)
    )


RENDER = {"kubernetes": _kubernetes, "slurm": _slurm, "commands": _commands}
