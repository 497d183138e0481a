"""Runs the numeric tests as other processors would, beside what this one does by itself.

    python tests/processors.py          # make test-processors

Which kernel computes, and with which instructions, decides in which order it adds up; which one, also what it makes of NaN.
Three libraries compute for TensorFlow on CPUs:

- oneDNN chooses by the processor, up to AVX-512 and AMX; `ONEDNN_MAX_CPU_ISA` holds it back, `TF_ENABLE_ONEDNN_OPTS=0`
  takes it out of TensorFlow's operations.
- XLA chooses by the processor, too; `XLA_FLAGS=--xla_cpu_max_isa` holds it back.
- Eigen, in TensorFlow's wheel, is compiled for AVX and does not look at the processor: it computes alike on all of them,
  and no setting changes that. Its matrix products, however, are oneDNN's `gemm`, even where `TF_ENABLE_ONEDNN_OPTS=0`; so
  that one, too, is held back below.

Before the tests of a kind are run, its settings are seen to have an effect in a process of their own. Half precision is
left out where oneDNN is held back: TensorFlow asks the processor, not oneDNN, what it can do, and oneDNN then ends the
process at a pooling in bfloat16 that it was told not to have instructions for.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FLAG = "--xla_cpu_max_isa="
NEWER = "AVX-512"
NUMERIC = (
    "test_families.py",
    "test_families_tf.py",
    "test_tokens.py",
    "test_noise.py",
    "test_resume.py",
    "faults/test_kills.py",
    "test_stop.py",
    "test_fused.py",
    "test_signatures.py",
    "test_frozen.py",
    "test_saving.py::test_shipped_models_verify",
)
HALF = "not float16 and not what_the_operation_cannot_do"
PROBE = """
import sys
import tensorflow as tf
images, kernel = tf.ones((2, 8, 8, 4)), tf.ones((3, 3, 4, 8))
tf.nn.conv2d(images, kernel, 1, "SAME")
tf.matmul(tf.ones((64, 128)), tf.ones((128, 64)))
tf.function(lambda x: tf.reduce_sum(tf.exp(x), -1), jit_compile=True)(tf.ones((64, 128)))
"""


def kinds(has_avx512):
    """Name → environment of each kind of processor that is played here."""
    older = ("AVX2", "AVX2") if has_avx512 else ("SSE41", "SSE4_2")
    return {
        f"oneDNN and XLA held to {older[0]}": {
            "ONEDNN_MAX_CPU_ISA": older[0],
            "XLA_FLAGS": FLAG + older[1],
        },
        "oneDNN off, its gemm held to SSE4.1": {
            "TF_ENABLE_ONEDNN_OPTS": "0",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "XLA_FLAGS": f"{FLAG}SSE4_2",
        },
    }


def traces(environment):
    """What oneDNN says that it ran, and the machine code that XLA made, in a process with an environment."""
    with tempfile.TemporaryDirectory() as folder:
        flags = f"{environment.get('XLA_FLAGS', '')} --xla_dump_to={folder}"
        variables = {**os.environ, **environment, "ONEDNN_VERBOSE": "1", "XLA_FLAGS": flags}
        child = subprocess.run(
            [sys.executable, "-c", PROBE], env=variables, capture_output=True, text=True, check=True
        )
        codes = [path.read_bytes() for path in sorted(Path(folder).glob("*.o"))]
    return [line for line in child.stdout.splitlines() if line.startswith("onednn_verbose")], codes


def check_effect(environment, plain):
    """Fails where the settings of a kind change nothing; returns the instructions that oneDNN then says it uses."""
    lines, codes = traces(environment)
    (isa,) = [line.rpartition(":")[2] for line in lines if ",cpu,isa:" in line]
    (own,) = [line.rpartition(":")[2] for line in plain[0] if ",cpu,isa:" in line]
    assert isa != own, f"ONEDNN_MAX_CPU_ISA has no effect: {isa}"
    assert plain[1], "XLA wrote no machine code"
    assert codes != plain[1], "--xla_cpu_max_isa has no effect"
    convolves = any(",exec,cpu,convolution," in line for line in lines)
    assert convolves == (environment.get("TF_ENABLE_ONEDNN_OPTS") != "0"), "TF_ENABLE_ONEDNN_OPTS"
    return isa


def main(*options):
    """Runs the numeric tests as each kind; returns the exit code of the first that fails."""
    folder = Path(__file__).parent
    has_avx512 = "avx512f" in Path("/proc/cpuinfo").read_text()
    plain = traces({})
    for name, environment in kinds(has_avx512).items():
        isa = check_effect(environment, plain)
        print(f"\n{name} (oneDNN says: {isa}); {NEWER} {'' if has_avx512 else 'not '}seen here", flush=True)  # fmt: skip
        command = [sys.executable, "-m", "pytest", "--slow", "-m", "not slow", *options]
        if "TF_ENABLE_ONEDNN_OPTS" not in environment:
            # Of the slow tests only the kills, after which a run goes on bit for bit on any processor.
            command[command.index("not slow")] = "not slow or kills"
            command += ["-k", HALF]
        tests = [str(folder / name) for name in NUMERIC]
        variables = {**os.environ, **environment}
        code = subprocess.run([*command, *tests], env=variables, check=False)
        if code.returncode:
            return code.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
