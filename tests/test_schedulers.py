"""What schedulers take: the manifest fits Kubernetes's own schema, and the Slurm script runs, on stand-ins for its commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

import zoo
from zoo import schedulers
from zoo.training import cluster

ROOT = Path(zoo.__file__).parents[1]
COMMAND = ["python", "recipes/classify_images.py", "--dataset", "mnist", "--out", "/runs/mnist"]


@pytest.mark.parametrize(
    ("name", "scheduler"), [("kubernetes.yaml", "kubernetes"), ("slurm.sh", "slurm")]
)
def test_the_files_in_deploy_are_printed(name, scheduler):
    printed = schedulers.render(scheduler, COMMAND, 4, max_restarts=3)
    how = f"zoo launch --workers 4 --max-restarts 3 --print {scheduler} -- {' '.join(COMMAND)}"
    assert (ROOT / "deploy" / name).read_text() == printed, how


@pytest.mark.parametrize("gpus", [0, 8])
def test_the_manifest_fits_the_schema(gpus):
    printed = schedulers.render("kubernetes", COMMAND, 3, image="zoo:1", gpus=gpus)
    service, job = yaml.safe_load_all(printed)
    for part in (service, job):
        kubernetes_validate.validate(part, "1.31", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job | {"spec": {"completions": "two"}}, "1.31", strict=True)
    pod = job["spec"]["template"]["spec"]
    command = pod["containers"][0]["command"]
    hosts = command[command.index("--hosts") + 1].split(",")
    assert hosts == [f"zoo-train-{i}.{pod['subdomain']}:2222" for i in range(3)]
    assert job["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"]
    assert command[-2:] == ["--resume", "auto"]


def test_a_dry_run_shows_each_worker():
    lines = schedulers.render("commands", COMMAND, 2).splitlines()
    for index, line in enumerate(lines):
        shown = subprocess.run(
            ["sh", "-c", line.replace("python recipes", "printenv TF_CONFIG #")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert cluster.here({cluster.VARIABLE: shown.stdout}).index == index


@pytest.fixture
def stand_ins(tmp_path):
    """`scontrol` and `srun` that run two tasks on this machine; a folder for the command."""
    programs = {
        "scontrol": "echo localhost:23331; echo localhost:23332",
        "srun": 'shift; codes=""; for i in 0 1; do SLURM_PROCID=$i "$@" & pids="$pids $!"; done; top=0\n'
        "for pid in $pids; do wait $pid || { code=$?; [ $code -gt $top ] && top=$code; }; done; exit $top",
        "zoo": f'exec {sys.executable} -m zoo.cli "$@"',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "x"}


@pytest.mark.parametrize(("fails", "code", "tries"), [(0, 0, 1), (2, 0, 3), (9, 75, 4)])
def test_the_slurm_script_starts_workers_until_they_finish(stand_ins, tmp_path, fails, code, tries):
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import os, pathlib, sys\n"
        f"log = pathlib.Path({str(tmp_path)!r}) / ('log' + eval(os.environ['TF_CONFIG'])['task']['index'].__str__())\n"
        "with log.open('a') as file: print(os.environ['TF_CONFIG'], sys.argv[1:], file=file)\n"
        f"sys.exit(75 if len(log.read_text().splitlines()) <= {fails} else 0)\n"
    )
    command = [sys.executable, str(worker), "--out", "RUN"]
    script = schedulers.render("slurm", command, 2, max_restarts=3)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    ended = subprocess.run(["bash"], input=script, text=True, env=stand_ins, cwd=tmp_path)
    assert ended.returncode == code
    for index in (0, 1):
        lines = (tmp_path / f"log{index}").read_text().splitlines()
        assert len(lines) == tries
        assert lines[0].endswith("['--out', 'RUN', '--resume', 'auto']")
        place = json.loads(lines[0].partition(" ['--out'")[0])
        assert place["cluster"]["worker"] == ["localhost:23331", "localhost:23332"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("pbs", COMMAND, 2), "scheduler"), (("slurm", ["true"], 2), "add --out"), (("slurm", COMMAND, 0), "workers")],
)  # fmt: skip
def test_a_wrong_description_is_refused(arguments, message):
    with pytest.raises(zoo.InputError, match=message):
        schedulers.render(*arguments)
