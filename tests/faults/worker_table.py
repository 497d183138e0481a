"""THE TABLE of faults of several workers; `fault_table.py` prints it with its own."""

import dataclasses
import random

from fault_table import (
    EQUAL,
    FULL,
    INTERRUPT,
    KILL,
    LOAD,
    NO_RUN,
    NOTHING,
    SAVING,
    STAGED,
    STEPS,
    STOPPED,
    TERM,
    VALIDATE,
    WHOLE,
    call,
    step,
)

CHIEF, OTHER = 0, 1
LOST = "another worker has ended or cannot be reached…Start all of them again with --resume: they go on from the last checkpoint."
REFUSED = "Worker 1 and worker 0 differ in {}: start all workers with the same command, data and versions."


@dataclasses.dataclass(frozen=True)
class Row:
    """One fault of two workers.

    Attributes:
        happens: The fault, in words.
        how: Worker → its faults for `driver.py`.
        codes: Exit codes of the chief and of the other; 137 is a kill.
        says: What one of them prints; `…` stands for anything.
        kept: The steps in the newest whole checkpoint afterwards; `None` where it cannot be told beforehand.
        then: What both do when they are started again with `--resume RUN`.
        own: Worker → its own options.
        late: Seconds after the chief that the other is started.
    """

    happens: str
    how: dict
    codes: tuple[int, int]
    says: str = LOST
    kept: int | None = None
    then: str = EQUAL
    own: dict = dataclasses.field(default_factory=dict)
    late: float = 0.0

    def in_words(self):
        """The row in Markdown."""
        if self.kept is None:
            kept = "–" if self.then in (NO_RUN, NOTHING) else "the newest"
        else:
            kept = f"{self.kept} of {STEPS} steps" if self.kept else "none yet"
        return f"| {self.happens} | {self.codes[0]} and {self.codes[1]} | {self.says} | {kept} | {self.then} |"


def both(faults):
    return {CHIEF: faults, OTHER: faults}


ASKED = f"{SAVING}…{STOPPED}"
ROWS = [
    Row("a worker is killed in mid-epoch", {OTHER: step(12, *KILL)}, (75, 137), kept=11),
    Row("a worker is killed at a random moment", {OTHER: step(9, "kill after", random.uniform(0, 0.1))}, (75, 137)),
    Row("a worker is killed while the first step is traced", {OTHER: call("keras.Model.train_step", *KILL)}, (75, 137), kept=0),
    Row("a worker is killed during validation", {OTHER: call(VALIDATE, *KILL, number=8)}, (75, 137), kept=14),
    Row("a worker is killed during evaluation", {OTHER: call("zoo.training.strategy.predict", *KILL)}, (75, 137), kept=32),
    Row("the chief is killed in mid-epoch", {CHIEF: step(12, *KILL)}, (137, 75), kept=11),
    Row("the chief is killed when half of a checkpoint is written", {CHIEF: call("os.fsync", "halve and kill", text="step-000000011")}, (137, 75), kept=8),
    Row("the chief is killed between a checkpoint's write and its rename", {CHIEF: call("os.replace", *KILL, text="step-000000011")}, (137, 75), kept=8),
    Row("both are killed in mid-epoch", both(step(12, "kill both")), (137, 137), "", kept=11),
    Row("both are killed during export, half of it staged", both(call(STAGED, "kill both")), (137, 137), "", kept=32),
    Row("SIGTERM to a worker in mid-epoch: both save and end", {OTHER: step(12, *TERM)}, (143, 143), ASKED),
    Row("SIGTERM to the chief in mid-epoch: both save and end", {CHIEF: step(12, *TERM)}, (143, 143), ASKED),
    Row("SIGTERM to both in mid-epoch", both(step(12, *TERM)), (143, 143), ASKED),
    Row("SIGTERM to a worker during validation", {OTHER: call(VALIDATE, *TERM, number=8)}, (143, 143), ASKED, kept=16),
    Row("Ctrl-C to both in mid-epoch", both(step(12, *INTERRUPT)), (130, 130), ASKED),
    Row("a worker hangs (SIGSTOP) in mid-epoch, and is killed later", {OTHER: step(12, "signal", 19)}, (75, 137), kept=11),
    Row("a worker is stopped for three seconds (SIGSTOP, SIGCONT): the others wait for it", {OTHER: step(12, "signal", 19)}, (0, 0), "exported RUN/export/1", 32),
    Row("the chief is stopped for three seconds (SIGSTOP, SIGCONT): the others wait for it", {CHIEF: step(12, "signal", 19)}, (0, 0), "exported RUN/export/1", 32),
    Row("the chief's disk is full while a checkpoint is written", {CHIEF: call("zoo.training.checkpoints.write", "fill", number=4)}, (2, 75), FULL + WHOLE, kept=8),
    Row("a worker's scratch disk is full", {OTHER: call("zoo.training.checkpoints.write", "no space", number=4)}, (75, 2), "Cannot write into …: No space left on device. Mend that, then start all workers again with --resume: what was saved before is whole."),
    Row("a worker comes ten seconds late: the others wait for it", {}, (0, 0), "exported RUN/export/1", 32, late=10.0),
    Row("a worker with another setting, `--learning-rate 0.1`", {}, (2, 2), REFUSED.format("settings"), then=NOTHING, own={OTHER: ["--learning-rate", "0.1"]}),
    Row("a worker with other data", {OTHER: call(LOAD, "other data")}, (2, 2), REFUSED.format("training or validation examples"), then=NOTHING),
]  # fmt: skip
