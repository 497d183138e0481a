"""What `sandbox.py` starts: gives up rights, then loads a model and predicts. Run as a script, with a request on stdin.

The limits come first, before NumPy or TensorFlow start threads: a thread keeps the rights that it was started with.
Prints one JSON object a line: `{"missing": [...]}` (limits that this machine does not offer), then `{"row": ...}` for each
example, or `{"error": ...}`.
"""

import contextlib
import ctypes
import json
import os
import resource
import struct
import sys
import tempfile

NEW_USER, NEW_NETWORK, NEW_IPC = 0x10000000, 0x40000000, 0x08000000
SET_DUMPABLE, NO_NEW_PRIVILEGES = 4, 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = (
    444,
    445,
    446,
)  # Landlock's system calls, on every processor
READ, LIST = 1 << 2, 1 << 3

LIBC = ctypes.CDLL(None, use_errno=True)


def limit(request):
    """Limits this process; returns what the machine does not offer, in words."""
    memory, seconds = request["memory"], request["seconds"]
    for kind, value in {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,  # what is written to a file fails; pipes go on
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_CPU: seconds * (os.cpu_count() or 1),
    }.items():
        resource.setrlimit(kind, (value, value))
    missing = []
    if LIBC.unshare(NEW_USER | NEW_NETWORK | NEW_IPC) != 0 and LIBC.unshare(NEW_NETWORK) != 0:
        missing.append(f"no network (unshare: {os.strerror(ctypes.get_errno())})")
    LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0)
    if LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0 or not restrict_files(request):
        missing.append(f"no other files, no programs (Landlock: {os.strerror(ctypes.get_errno())})")
    return missing


def restrict_files(request):
    """Leaves nothing but reading and listing some folders and files, by Landlock; returns whether the kernel did."""
    version = LIBC.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << (13 + (version >= 2) + (version >= 3))) - 1 | (1 << 15 if version >= 5 else 0)
    network = 3 if version >= 4 else 0  # TCP: bind and connect
    scoped = 3 if version >= 6 else 0  # abstract sockets and signals of other processes
    attributes = struct.pack("QQQ", rights, network, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]  # fmt: skip
    rules = LIBC.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    allowed = dict.fromkeys(request["listable"], LIST)
    allowed |= {path: READ | LIST if os.path.isdir(path) else READ for path in request["readable"]}
    for path, right in allowed.items():
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_PATH)
            rule = struct.pack("=Qi", right, descriptor)
            if LIBC.syscall(ADD_RULE, rules, 1, rule, 0) != 0:
                return False
            os.close(descriptor)
    restricted = LIBC.syscall(RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return restricted


def main():
    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # what TensorFlow or the model prints is no answer

    def say(**message):
        print(json.dumps(message), file=answers, flush=True)

    sys.excepthook = lambda kind, error, _: say(error=f"{kind.__name__}: {error}")
    missing = limit(request)
    say(missing=missing)
    if missing and not request["partial"]:
        return
    sys.path[:] = [*request["path"], *sys.path]
    sys.modules["matplotlib"] = None  # Keras looks for it, and it for a folder that it may write to
    tempfile.tempdir = (
        os.getcwd()
    )  # which nobody can write to, but who looks for one asks for nothing else
    from zoo.models import checks
    from zoo.saving import inputs, load

    try:
        model = load.open_checked(request["shown"], request["folder"])
        for row in inputs.predict_files(model, request["inputs"], with_rows=request["with_rows"]):
            say(row=row)
    except checks.InputError as error:
        say(error=str(error))


if __name__ == "__main__":
    main()
