"""THE TABLE of faults: what can happen to a run, and what it then does. Tests and docs/reliability.md are made from it.

    python tests/faults/fault_table.py > docs/reliability.md

Every row is injected by a slow test, which checks each column. In what is said `…` stands for anything.
"""

import csv
import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

KILLED_RUNS = Path(__file__).with_name("kills.csv")
EQUAL = "the same bits"
NO_RUN = "is refused: there is no run yet; remove the folder and begin again"
NOTHING = "nothing was begun"
LAST_KEPT = "the last epoch's weights are exported, and it says so"
NEXT_VERSION = "the same bits, as version 2 of the export"
GONE = "nothing is left"
MOVED = "the same bits, with the new name"

# Three steps, or what is left of an epoch of eight, between checkpoints: 3, 6, 8, 11, 14, 16, 19, ...
STEPS = 32
OPTIONS = [  # validation is better in the second epoch, best in the third, and worse in the fourth
    "--model", "dense:tiny", "--model-args", "dropout=0.3", "--epochs", "4", "--seed", "6",
    "--schedule", "constant", "--learning-rate", "0.2", "--batch-size", "10", "--validation-fraction", "0.4",
]  # fmt: skip
SAVED = ["--checkpoint-steps", "3"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        happens: The fault, in words.
        how: What makes it happen: a list of faults for `driver.py`, a function of the run's folder, or `None` where
            a test of its own does it.
        code: The exit code; 137 is a kill. Where files are damaged, that of `--resume`.
        says: What is printed.
        kept: The steps in the newest whole checkpoint afterwards; `None` where it cannot be told beforehand.
        then: What `--resume` does when the cause is mended.
        again: Faults of the first `--resume`; the second is then the one that goes on.
        options: The options about checkpoints.
        finished: Whether a finished run is damaged, and not one that was killed after 23 steps.
    """

    happens: str
    how: list | Callable | None
    code: int
    says: str = ""
    kept: int | None = None
    then: str = EQUAL
    again: list = dataclasses.field(default_factory=list)
    options: list = dataclasses.field(default_factory=lambda: SAVED)
    finished: bool = False

    def in_words(self):
        """The row in Markdown."""
        if self.kept is None:
            kept = "–" if self.then in (NO_RUN, NOTHING, GONE) else "the newest"
        else:
            kept = f"{self.kept} of {STEPS} steps" if self.kept else "none yet"
        said = self.says.replace("\n", "<br>").replace("|", "\\|")
        return f"| {self.happens} | {self.code} | {said} | {kept} | {self.then} |"


def step(number, action, *arguments):
    """A fault before a step, after `number` steps of this process."""
    event = ["keras.callbacks.CallbackList.on_train_batch_begin", "", number + 1]
    return [[event, action, *arguments]]


def call(name, action, *arguments, text="", number=1):
    """A fault when a function is called."""
    return [[[name, text, number], action, *arguments]]


KILL, TERM, INTERRUPT = (("signal", number) for number in (9, 15, 2))
LOAD = "zoo.data.load.load_dataset"
TRACE = "keras.Model.train_step"
# Six an epoch: the eighth is in the second epoch.
VALIDATE = "keras.callbacks.CallbackList.on_test_batch_begin"
DRAW = "zoo.tasks.pictures.confusion"
STAGED = "zoo.saving.export._write_golden"  # the variables are written, the rest is not

HALF = call("os.fsync", "halve and kill", text="step-000000011")
KILLED = [
    Row("while the first step is traced", call(TRACE, *KILL), 137, kept=0),
    Row("before the first checkpoint", step(2, *KILL), 137, kept=0),
    Row("at a random moment of an epoch", step(9, "kill after", random.uniform(0, 0.1)), 137),
    Row("twice in a row", step(12, *KILL), 137, kept=14, again=step(7, *KILL)),
    Row("twice in a row, the second time while the run is taken up", step(12, *KILL), 137, kept=11, again=call("zoo.training.resume.Checkpoints.set_state", *KILL)),
    Row("when half of a checkpoint is written", HALF, 137, kept=8),
    Row("when half of a checkpoint is written, and again while the run is taken up", HALF, 137, kept=8, again=call("zoo.training.resume.Checkpoints.set_state", *KILL)),
    Row("when half of a checkpoint is written, and again when half of the same one is", HALF, 137, kept=8, again=HALF),
    Row("between a checkpoint's write and its rename", call("os.replace", *KILL, text="step-000000011"), 137, kept=8),
    Row("between its rename and the removal of older ones", call("after zoo.training.checkpoints.write", *KILL, number=4), 137, kept=11),
    Row("when half of metrics.csv is written", call("os.fsync", "halve and kill", text="metrics.csv", number=2), 137, kept=16),
    Row("during validation", call(VALIDATE, *KILL, number=8), 137, kept=14),
    Row("during evaluation, a picture half drawn", call("os.fsync", "halve and kill", text="confusion.png"), 137, kept=32),
    Row("during export, half of it staged", call(STAGED, *KILL), 137, kept=32),
    Row("after the export's rename", call("after zoo.files._rename_to_next", *KILL), 137, kept=32),
    Row("while config.yaml is first written", call("os.fsync", "halve and kill", text="config.yaml"), 137, "", then=NO_RUN),
]  # fmt: skip

LOOPED = [
    Row("in mid-epoch, below `until python recipes/classify_table.py --resume RUN; do :; done`", None, 137, kept=11),
    Row("a finished run is resumed: it stays as it is", None, 0, "exported RUN/export/1", 32),
]  # fmt: skip

STOPPED, SAVING = "stopped; go on with --resume RUN", "saving at the end of this step"
AT_ONCE = f"{SAVING}; once more ends at once"
ASKED = [
    Row("SIGTERM while data are loaded", call(LOAD, *TERM), 143, STOPPED, 0),
    Row("SIGTERM while the first step is traced", call(TRACE, *TERM), 143, f"SIGTERM: {SAVING}…{STOPPED}", 1),
    Row("SIGTERM in mid-epoch", step(12, *TERM), 143, f"SIGTERM: {SAVING}…{STOPPED}", 12),
    Row("SIGTERM twice", step(12, *TERM, 15), 143, f"SIGTERM: {AT_ONCE}", 11),
    Row("SIGTERM during validation", call(VALIDATE, *TERM, number=8), 143, f"SIGTERM: {SAVING}…{STOPPED}", 16),
    Row("SIGTERM between the last epoch and the evaluation", call("zoo.training.resume.Checkpoints.restore_best", *TERM), 143, STOPPED, 32),
    Row("SIGTERM during evaluation", call(DRAW, *TERM), 143, STOPPED, 32),
    Row("SIGTERM during export: no half version is left", call(STAGED, *TERM), 143, STOPPED, 32),
    Row("Ctrl-C while data are loaded", call(LOAD, *INTERRUPT), 130, f"{STOPPED}…interrupted", 0),
    Row("Ctrl-C in mid-epoch", step(12, *INTERRUPT), 130, f"Ctrl-C: {SAVING}…{STOPPED}…interrupted", 12),
    Row("Ctrl-C twice", step(12, *INTERRUPT, 2), 130, f"Ctrl-C: {AT_ONCE}", 11),
    Row("Ctrl-C during export: no half version is left", call(STAGED, *INTERRUPT), 130, f"{STOPPED}…interrupted", 32),
]  # fmt: skip

WHOLE = ", then go on with --resume RUN: what was saved before is whole."
FULL = "Cannot write into RUN: No space left on device. Mend that"
FULL_DISK = [
    Row("while a checkpoint is written", call("zoo.training.checkpoints.write", "fill", number=4), 2, FULL + WHOLE, 8),
    Row("no inode is left while a checkpoint is written", call("zoo.training.checkpoints.write", "use up inodes", number=4), 2, "Cannot write into RUN: No space left on device (no inode is free, so there are too many files: df -i). Mend that" + WHOLE, 8),
    Row("while log.txt is written", step(12, "fill and log"), 2, FULL + WHOLE, 11),
    Row("while metrics.csv is written", call("zoo.files.write_atomic", "fill", text="metrics.csv", number=2), 2, FULL + WHOLE, 16),
    Row("while a picture is drawn", call(DRAW, "fill"), 2, FULL + WHOLE, 32),
    Row("while score.json is written", call("zoo.files.write_atomic", "fill", text="score.json"), 2, FULL + WHOLE, 32),
    Row("during export: no half version is left", call("zoo.saving.export._write_saved_model", "fill"), 2, FULL + WHOLE, 32),
    Row("before the run writes anything", call("zoo.files.locked", "fill"), 2, FULL + ", then begin the run again: it had not saved anything yet.", then=NOTHING),
    Row("too small from the start", [], 2, "The disk of RUN has … MiB left, but this run writes about … MiB: free some, or choose another folder with --out FOLDER.", then=NOTHING),
]  # fmt: skip

NOT_FINITE = (
    "(epoch 2), at a learning rate of 0.2; first layer with a weight of NaN or infinity: …\nThe weights of epoch 1 are "
    "restored, from RUN/checkpoints.\nTry a lower learning rate, --clip-norm 1.0, or look for odd values in the inputs."
)
NUMBERS = [
    Row("a batch holds NaN, which every layer passes on", call(LOAD, "poison batch", 12, "pass on"), 2, f"The loss is nan at step 13 {NOT_FINITE}", 11),
    Row("a batch holds NaN, of which a layer makes zeros", call(LOAD, "poison batch", 12, "swallow"), 2, f"A weight holds NaN or infinity after epoch 2 (step 16){NOT_FINITE.removeprefix('(epoch 2)')}", 11),
    Row("a gradient is NaN", call(LOAD, "poison gradient", 12), 2, f"The loss is nan at step 14 {NOT_FINITE}", 11),
    Row("the clock jumps back by a day in mid-epoch, and again after the run is taken up (killed both times)", step(4, "set clock back") + step(12, *KILL), 137, kept=14, again=step(1, "set clock back") + step(7, *KILL)),
    Row("the clock is set back by a day; checkpoints by minutes still come (killed later)", step(4, "set clock back") + step(13, *KILL), 137, kept=12, options=["--checkpoint-minutes", "1e-6"]),
]  # fmt: skip


def newest(run):
    """The newest checkpoint of the run that was killed after 23 steps; it has 19, too, and 16, the best epoch."""
    return run / "checkpoints" / "step-000000022.npz"


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path, share):
    """Changes one bit, so far into the file."""
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)


def every_checkpoint(run):
    for path in (run / "checkpoints").iterdir():
        empty(path)


def leave_parts(run):
    """What processes leave that were killed while they wrote."""
    for name in (".config.yaml.01234567", "checkpoints/.step-000000025.npz.89abcdef"):
        (run / name).write_bytes(b"part")
    (run / "export" / ".staged-1-01234567").mkdir(parents=True)
    (run / "export" / ".staged-1-01234567" / "saved_model.pb").write_bytes(b"part")


def edit_config(run):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("learning_rate: 0.2", "learning_rate: 0.1"))


def folder_for_metrics(run):
    (run / "metrics.csv").unlink()
    (run / "metrics.csv").mkdir()


def best_of_finished(run):
    empty(run / "checkpoints" / "step-000000024.npz")


def score_of_finished(run):
    (run / "score.json").write_text(json.dumps({"scores": {}}))


BEFORE = "RUN: going on after 2 epochs and 3 of 8 steps"
NEWEST = "RUN: going on after 2 epochs and 6 of 8 steps"
CUT = f"RUN/checkpoints/step-000000022.npz cannot be read: …{BEFORE}"
COPY = (
    "If it is damaged: a new run that is begun with the same command writes the same file to copy."
)
DAMAGED = [
    Row("the newest checkpoint is cut to half", lambda run: cut(newest(run)), 0, CUT, 19),
    Row("the newest checkpoint is emptied", lambda run: empty(newest(run)), 0, CUT, 19),
    Row("a bit of its first array is flipped", lambda run: flip(newest(run), 0.02), 0, CUT, 19),
    Row("a bit in its middle is flipped", lambda run: flip(newest(run), 0.5), 0, CUT, 19),
    Row("a bit of its list of contents is flipped", lambda run: flip(newest(run), 0.998), 0, CUT, 19),
    Row("the newest checkpoint is missing", lambda run: newest(run).unlink(), 0, BEFORE, 19),
    Row("all checkpoints are damaged (mended: their folder is removed)", every_checkpoint, 2, "No checkpoint in RUN/checkpoints can be read. Remove that folder, and --resume begins the run anew."),
    Row("the best epoch's checkpoint is damaged, and a later epoch is as good", lambda run: empty(run / "checkpoints" / "step-000000016.npz"), 0, f"epoch 2, the best so far, is lost: the best of later ones is kept…{NEWEST}", 22),
    Row("the best epoch's checkpoint is damaged, and no later epoch is as good", best_of_finished, 0, "epoch 3, the best so far, is lost: the best of later ones is kept…the best epoch's weights are lost: those of the last are kept", 32, LAST_KEPT, finished=True),
    Row("config.yaml is emptied", lambda run: empty(run / "config.yaml"), 2, f"The config RUN/config.yaml must hold a mapping, with the keys model, data and others.\n{COPY}"),
    Row("config.yaml is missing", lambda run: (run / "config.yaml").unlink(), 2, "RUN is not the folder of a run: it has no config.yaml."),
    Row("config.yaml is edited: another learning rate", edit_config, 2, "RUN: its checkpoints were made with --learning-rate 0.2, but its config.yaml says 0.1: it was edited. Write back what it was, or begin a new run with the file: --config."),
    Row("a folder stands in place of metrics.csv (mended: it is removed)", folder_for_metrics, 2, "RUN/metrics.csv is a folder, and should be a file: rename or remove it" + WHOLE),
    Row("metrics.csv is emptied", lambda run: empty(run / "metrics.csv"), 0, NEWEST, 22),
    Row("log.txt is missing", lambda run: (run / "log.txt").unlink(), 0, NEWEST, 22),
    Row("the lock of a dead process is left", lambda run: (run / ".lock").write_text("1 on elsewhere"), 0, NEWEST, 22),
    Row("half-written files are left", leave_parts, 0, NEWEST, 22),
    Row("the score of a finished run is lost", score_of_finished, 0, "exported RUN/export/1", 32, finished=True),
    Row("a finished run's export is missing", lambda run: shutil.rmtree(run / "export"), 0, "exported RUN/export/1", 32, finished=True),
    Row("a bit of a finished run's export is flipped (`zoo verify` names the file)", lambda run: flip(run / "export/1/variables/variables.data-00000-of-00001", 0.5), 0, "exported RUN/export/2", 32, NEXT_VERSION, finished=True),
]  # fmt: skip

LOST = (
    "A file of the data set digits is damaged, cut or gone ({}); log.txt says where they lie. Prepare or fetch them again"
    + WHOLE
)
FLIPPED, SHORT = LOST.format("corrupted record at …"), LOST.format("truncated record at …")
FEWER = LOST.format("contain … elements but contained only …")
DATA = [
    Row("a bit of the training file is flipped; held in memory", None, 2, FLIPPED),
    Row("the training file is cut within a record; held in memory", None, 2, SHORT),
    Row("the training file is cut between records; held in memory", None, 2, FEWER),
    Row("a bit of the training file is flipped; streamed", None, 2, FLIPPED),
    Row("the training file is cut within a record; streamed", None, 2, SHORT),
    Row("the training file is cut between records; streamed", None, 2, FEWER),
    Row("the training file is missing; streamed", None, 2, LOST.format("…No such file or directory")),
    Row("a bit of the test file is flipped, found after the training; streamed", None, 2, FLIPPED),
]  # fmt: skip

PLACE = [
    Row("the disk of a killed run is read-only", None, 2, "Cannot write into RUN: Read-only file system. Mend that" + WHOLE, 11),
    Row("the run's folder becomes read-only in mid-epoch", None, 2, "Cannot write into RUN: Read-only file system. Mend that" + WHOLE, 11),
    Row("a new run is begun on a read-only disk", None, 2, "Cannot create the folder OTHER: Read-only file system.", then=NOTHING),
    Row("the folder is removed while the run goes on", None, 2, "The run's folder RUN is gone: somebody has removed or renamed it.", then=GONE),
    Row("RUN/checkpoints is removed while the run goes on: it does", None, 0, "exported RUN/export/1", 32),
    Row("the folder is renamed while the run goes on", None, 2, "The run's folder RUN is gone: somebody has removed or renamed it. Where it has another name now, go on with --resume and that name.", 11, MOVED),
    Row("`--resume` while the run goes on", None, 2, "RUN is in use by process … on …: wait until that has ended, or stop it.", 11),
    Row("two processes begin RUN at the same moment: one trains, the other ends", None, 2, "RUN exists already. Every run writes a folder of its own: choose another name or remove it."),
]  # fmt: skip

REFUSED = [
    Row("other data: `--dataset breast_cancer`", ["--dataset", "breast_cancer"], 2, "RUN cannot go on: the training or validation examples are not those that it began with.", 22),
    Row("another model: `--model dense:small`", ["--model", "dense:small"], 2, "RUN was begun with --model dense:tiny and cannot go on with 'dense:small'. Leave it out, or begin a new run with other settings: --config RUN/config.yaml.", 22),
    Row("another setting: `--learning-rate 0.1`", ["--learning-rate", "0.1"], 2, "RUN was begun with --learning-rate 0.2 and cannot go on with 0.1. Leave it out, or begin a new run with other settings: --config RUN/config.yaml.", 22),
]  # fmt: skip

GROUPS = {
    "Killed (SIGKILL, as by the kernel when memory is short)": KILLED + LOOPED,
    "Asked to end": ASKED,
    "The disk is full": FULL_DISK,
    "Numbers and clocks": NUMBERS,
    "Files of a stopped run are damaged; what `--resume` does": DAMAGED,
    "Data are damaged while a run is stopped; what `--resume` does": DATA,
    "Where the run lies, and who else is there": PLACE,
    "`--resume` with something else": REFUSED,
}
ROWS = [row for rows in GROUPS.values() for row in rows]
HEADER = """# What can happen to a run

Printed by `python tests/faults/fault_table.py`: {count} faults. The slow tests in `tests/faults/` inject each of them into
real processes and check every column: exit code, message, newest whole checkpoint, and what comes after `--resume RUN`
once the cause is mended. "{equal}" means: every variable of model, optimizer and metrics after the last step,
the exported weights, `metrics.csv` and the scores equal those of a run that nothing happened to, bit for bit (on CPUs, and
on [one machine](#which-bits-which-machines)), no half-written file is left, and no row prints a traceback.
`tests/faults/test_kills.py` kills every family at random moments besides, and [kills are counted](#kills-that-were-counted) below.

The run: `python recipes/classify_table.py --out RUN`, a tiny model with dropout, {steps} steps in four epochs, a checkpoint
after every third step of an epoch and at its end."""


WORKERS = """
## Several workers

The same command as two processes, `zoo launch --workers 2 -- python recipes/classify_table.py --out RUN`. The exit codes are
those of the chief, which alone writes RUN, and of the other; 75 means: another worker is gone. "{equal}" holds for weights
and scores; the mean loss of an epoch that was broken may differ in its last digit. Besides, a random worker is killed at
random moments (`tests/faults/test_worker_faults.py`), and the link between two machines is cut in mid-step.

| what happens | exit codes | what they say | checkpoint | then, started again with `--resume RUN` |
| --- | --- | --- | --- | --- |"""


BITS = """
## Which bits, which machines

Kernels differ with the processor: another order of a sum, or a multiplication and addition rounded once, changes last
digits, and a training carries them on. So "the same bits" holds on one machine, or on machines with the same processor,
the same versions of the libraries, the same number of threads (`TF_NUM_INTRAOP_THREADS`) and the same `--strategy` and
`--replicas`. On GPUs `--deterministic` is for that (**untried**).

| what is promised | on one machine | on other machines |
| --- | --- | --- |
| a killed run goes on as if nothing had happened; the same config and seed train the same weights; several workers agree | the same bits | the run goes on, with other last digits of losses and weights |
| which examples are in which split, their order, which of them make up a batch | the same | the same, with the same versions of the libraries: they come from whole numbers (`tests/test_data.py`) |
| the seeds of augmentation | the same bits | the same: whole numbers; the pixels made with them, to rounding |
| initial weights, dropout noise | the same bits | to rounding: random whole numbers, the same on all CPUs, turned into floats |
| an exported model loads, and its outputs are the golden ones (`zoo verify`) | the same bits on CPUs | within 1e-5 of the largest magnitude of each |
| the test score of a shipped model | the same | but for one test example in 10,000, where two logits are equal to the last digits (`tests/test_shipped.py`) |
| the score of a model that is trained again | the same bits | another draw, as with another seed; the interval in `report.md` and several seeds say how far that goes |
| what is refused, messages, exit codes, what is left on disk | the same | the same |
| NaN and infinity stop a run, are in no checkpoint, and are neither judged nor exported | the same | the same; see below for the step |

With oneDNN a dense layer's ReLU makes 0 of NaN, so that the loss does not tell, and the weights do at the end of the epoch;
without, the loss is NaN at the next step. TensorFlow takes oneDNN by itself on some processors and not on others. The rows
and tests about NaN make layers do both, whatever the processor.

These settings change kernels, to try another processor's on a newer one. Found with two small models (AMD EPYC with AVX-512,
tensorflow 2.21.0, 2 cores); none of them changed splits, order, batches, initial weights or dropout noise by a bit:

| environment | changes the trained weights of |
| --- | --- |
| `ONEDNN_MAX_CPU_ISA=AVX2`, `ONEDNN_MAX_CPU_ISA=SSE41` | `dense:small`, `cnn:tiny`, `dense:small` with `--jit on` |
| `TF_ENABLE_ONEDNN_OPTS=0` | `cnn:tiny`, and what ReLU makes of NaN |
| `XLA_FLAGS=--xla_cpu_max_isa=SSE4_2` | `dense:small` with `--jit on` |
| `TF_NUM_INTRAOP_THREADS=1` | `cnn:tiny` |

Eigen, which runs the other operations of TensorFlow, is compiled into pip's wheel for AVX and does not look at the processor;
no setting changes it. Its matrix products are oneDNN's all the same, with `TF_ENABLE_ONEDNN_OPTS=0`, too. `make test-processors`
runs the numeric tests under older processors' limits, after it has seen that each setting has an effect.

Who needs the same bits on two machines trains on one and copies RUN or its export, whose manifest shows that every byte
is the same. To set the older processor's limits on both is worth a try, but **untried** here: NumPy and the mathematical
functions of the C library choose by the processor, too."""


NOTICED = """
## What would go wrong without a word, and is refused or told of

- A checkpoint holds the settings that it was made with. Where `config.yaml` says others by now, nothing is trained.
- Weights that `zoo shrink` has quantized are neither trained further, nor adapted, nor converted: only biases would be trained, and
  what is added to weights of few bits is rounded away. Go on from the model that they were made of.
- In a float16 model for ONNX Runtime what prepares inputs and what brings outputs to their units stays in float32: in 16 bits 300,000
  is infinite. A conversion whose golden outputs differ is not kept.
- A number such as -999 that may stand for none is told of, with its column, and `missing=-999` reads it as a gap.
- An optimizer that leaves other weights in the model than those it is to be used by (`keras.optimizers.ScheduleFreeAdamW`) is refused.
- What the caller's own data raise while they are read is told as theirs."""


KILLS = """
## Kills that were counted

Printed by `python tests/faults/kill_series.py`, on the processor as it is and as an older one (`ONEDNN_MAX_CPU_ISA=AVX2`): after its
kills each run goes on to its end, and is compared with one that nothing happened to; "equal" are those with {equal}.

| processor | what is killed, and when | kills | runs | of them equal |
| --- | --- | --- | --- | --- |"""


def kills_in_words():
    """The rows of `kills.csv` in Markdown."""
    with KILLED_RUNS.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        print("| {processor} | {series} | {kills} | {runs} | {equal} |".format(**row))
    names = dict.fromkeys(row["processor"] for row in rows)
    for name in names:
        of = [row for row in rows if row["processor"] == name]
        total = [sum(int(row[key]) for row in of) for key in ("kills", "runs", "equal")]
        print(f"| {name} | together | {total[0]} | {total[1]} | {total[2]} |")


def main():
    import worker_table

    count = len(ROWS) + len(worker_table.ROWS)
    print(HEADER.format(count=count, equal=EQUAL.capitalize(), steps=STEPS))
    for title, rows in GROUPS.items():
        print(f"\n## {title}\n")
        print(
            "| what happens | exit code | what it says | checkpoint | then |\n| --- | --- | --- | --- | --- |"
        )
        for row in rows:
            print(row.in_words())
    print(WORKERS.format(equal=EQUAL.capitalize()))
    for row in worker_table.ROWS:
        print(row.in_words())
    print(NOTICED)
    print(KILLS.format(equal=EQUAL))
    kills_in_words()
    print(BITS)


if __name__ == "__main__":
    main()
