"""`TF_CONFIG` and the launcher: what needs no second machine."""

import json
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

import zoo
from zoo import launch
from zoo.config.config import TrainConfig
from zoo.training import cluster, strategy

TWO = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


def here(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return cluster.here({cluster.VARIABLE: text})


def test_the_place_of_a_process():
    assert cluster.here({}) == cluster.Place()
    assert here("") == here({"cluster": {}}) == cluster.Place()
    assert here(TWO) == cluster.Place(1, 2, ("a:1", "b:2"))
    assert here(cluster.tf_config(["a:1", "b:2"], 1)) == here(TWO)
    with_chief = {"cluster": {"chief": ["c:1"], "worker": ["a:1", "b:2"]}}
    assert here(with_chief | {"task": {"type": "chief", "index": 0}}).is_chief
    found = here(with_chief | {"task": {"type": "worker", "index": 1}})
    assert found == cluster.Place(2, 3, ("c:1", "a:1", "b:2"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[1]", "cannot be read"),
        ({"cluster": {"worker": ["a:1"]}}, "KeyError: 'type'"),
        (TWO | {"task": {"type": "worker", "index": 2}}, "worker 2, but it lists 2"),
        (TWO | {"task": {"type": "worker", "index": "x"}}, "cannot be read"),
        (TWO | {"task": {"type": "evaluator", "index": 0}}, "role 'evaluator'"),
        ({**TWO, "cluster": {**TWO["cluster"], "ps": ["c:1"]}}, "role 'ps'"),
    ],
)
def test_a_wrong_variable_is_refused(content, message):
    with pytest.raises(zoo.InputError, match=message):
        here(content)


def test_strategies_of_several_workers_are_refused_where_they_cannot_be(monkeypatch):
    monkeypatch.delenv(cluster.VARIABLE, raising=False)
    with pytest.raises(zoo.InputError, match="zoo launch --workers 2"):
        zoo.make_strategy("multi_worker")
    monkeypatch.setenv(cluster.VARIABLE, json.dumps(TWO))
    with pytest.raises(zoo.InputError, match="leave it out"):
        zoo.make_strategy("multi_worker", replicas=2)
    with pytest.raises(zoo.InputError, match="first thing in the process"):
        zoo.make_strategy("auto")  # TensorFlow has started here


def test_resume_auto_needs_a_folder():
    with pytest.raises(zoo.InputError, match="pass out="):
        TrainConfig().replace(resume="auto").check()


def test_resume_auto_begins_and_goes_on(in_tmp):
    options = {"epochs": 1, "limit": 60, "quiet": True, "out": "RUN", "resume": "auto"}
    (in_tmp / "RUN").mkdir()
    (in_tmp / "RUN" / ".lock").touch()  # of a process that was killed at once
    first = zoo.train("dense:tiny", "wine", **options)
    again = zoo.train("dense:tiny", "wine", **options)
    assert first.report.scores == again.report.scores
    assert first.export == again.export  # nothing was trained again
    (in_tmp / "OTHER").mkdir()
    (in_tmp / "OTHER" / "mine.txt").touch()
    with pytest.raises(zoo.InputError, match="OTHER exists already"):
        zoo.train("dense:tiny", "wine", **{**options, "out": "OTHER"})


def script(tmp_path, text):
    path = tmp_path / "worker.py"
    path.write_text("import json, os, pathlib, signal, sys, time\n"
                    "place = json.loads(os.environ['TF_CONFIG'])\n"
                    "index = place['task']['index']\n" + text)  # fmt: skip
    return [sys.executable, str(path)]


def test_a_launch_runs_all_workers(tmp_path, capfd):
    text = "print(index, len(place['cluster']['worker']), os.environ['TMPDIR'] != '/tmp')"
    assert launch.launch(script(tmp_path, text), 3) == 0
    assert sorted(capfd.readouterr().out.splitlines()) == [f"[{i}] {i} 3 True" for i in range(3)]


def test_when_one_fails_all_are_ended(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(launch, "AFTER_FAILURE", 0.2)
    begun = time.monotonic()
    assert launch.launch(script(tmp_path, "time.sleep(60 * index)\nsys.exit(7)"), 2) == 7
    assert time.monotonic() - begun < 30
    assert "worker 0 ended with 7; ending the others" in capfd.readouterr().err


def test_bad_input_is_not_tried_again(tmp_path, capfd):
    command = [*script(tmp_path, "print('once')\nsys.exit(2 * index)"), "--out", "RUN"]
    assert launch.launch(command, 2, max_restarts=3) == 2
    assert capfd.readouterr().out.count("once") == 2


def test_workers_are_started_again_with_the_command_that_goes_on(tmp_path, capfd):
    text = (
        f"mark = pathlib.Path({str(tmp_path)!r}) / 'mark'\n"
        "print(sys.argv[1:])\n"
        "if index == 1 and not mark.exists():\n"
        "    mark.touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [*script(tmp_path, text), "--out=RUN"]
    assert launch.launch(command, 2, max_restarts=1) == 0
    printed = capfd.readouterr()
    assert printed.out.count("['--out=RUN', '--resume', 'auto']") == 4
    assert "worker 1 was ended by SIGKILL" in printed.err
    (tmp_path / "mark").unlink()
    assert launch.launch(command, 2) == 137


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0", "--", "true"], "`workers` must be"),
        (["--", "true"], "Say how many"),
        (["--workers", "2"], "no command to run"),
        (["--workers", "2", "--", "no-such-program"], "Cannot run no-such-program"),
        (["--workers", "2", "--max-restarts", "1", "--", "true"], "add --out FOLDER"),
        (["--hosts", "a,b", "--", "true"], "--hosts needs --index"),
        (["--hosts", "a,b", "--index", "2", "--", "true"], "worker 2, but it lists 2"),
    ],
)
def test_a_wrong_launch_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        zoo.import_quietly("zoo.cli").main(["launch", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_sigterm_is_passed_on_once(tmp_path):
    text = (
        "got = []\n"
        "signal.signal(signal.SIGTERM, lambda *_: got.append(1))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "print('signals', len(got), flush=True)\n"
        "sys.exit(143)"
    )
    command = [sys.executable, "-m", "zoo.cli", "launch", "--workers", "2", "--", *script(tmp_path, text)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    ready = [process.stdout.readline() for _ in range(2)]
    assert all("ready" in line for line in ready)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate()
    assert process.returncode == 143
    assert rest.count("signals 1") == 2


def test_a_worker_that_still_saves_is_waited_for(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(launch, "AFTER_FAILURE", 0.1)
    text = "time.sleep(1.0 * index)\nprint('saved', flush=True)\nsys.exit(143)"
    assert launch.launch(script(tmp_path, text), 2) == 143
    assert capfd.readouterr().out.count("saved") == 2


def test_workers_end_with_a_launcher_that_is_killed(tmp_path):
    text = (
        f"pathlib.Path({str(tmp_path)!r}, str(index)).write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    command = [sys.executable, "-m", "zoo.cli", "launch", "--workers", "2", "--", *script(tmp_path, text)]  # fmt: skip
    process = subprocess.Popen(command)
    files = [tmp_path / "0", tmp_path / "1"]
    while not all(f.exists() and f.read_text() for f in files):
        time.sleep(0.01)
    process.kill()
    process.wait()
    for file in files:
        deadline = time.monotonic() + 10
        while _runs(int(file.read_text())):
            assert time.monotonic() < deadline, "a worker goes on without its launcher"
            time.sleep(0.01)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_of_a_cluster(tmp_path):
    command = [sys.executable, "-m", "zoo.cli", "launch", "--hosts", "a,b:9", "--index", "1", "--"]
    child = subprocess.run(
        [*command, *script(tmp_path, "print(json.dumps(place))")], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert json.loads(child.stdout) == json.loads(cluster.tf_config(["a:2222", "b:9"], 1))


def test_a_tpu_that_is_not_there_is_refused_at_once(monkeypatch):
    monkeypatch.delenv("TPU_NAME", raising=False)
    begun = time.monotonic()
    with pytest.raises(zoo.InputError, match="this machine has no TPU"):
        zoo.make_strategy("tpu")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [
        ([], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 0)], "mixed_float16"),
        ([(7, 5), (7, 5)], "float32"),  # Keras looks for overflow on the first of several only
        ([(8, 0)], "mixed_bfloat16"),
        ([(9, 0), (8, 9)], "mixed_bfloat16"),
        ([(9, 0), (7, 5)], "float32"),
    ],
)
def test_precision_by_the_devices(capabilities, policy, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu}
    )
    assert strategy.find_precision("auto") == policy
    assert strategy.find_precision("float32") == "float32"


def test_memory_of_gpus_grows(monkeypatch):
    grown = []
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on))
    )
    strategy._let_memory_grow(["GPU:0", "GPU:1"])
    assert grown == [("GPU:0", True), ("GPU:1", True)]
