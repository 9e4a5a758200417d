"""The program's starts without their reading in: a process forks each one, having read all of it.

Two thirds of a start are spent on reading modules in. What is forked has read them and done nothing
else: no thread, no file, no loop (`ready` refuses more). From there on it is a process like any
other, with its own directory, environment and output, and it dies like one (test_forked.py). From
nothing start: the demo's servers, what `init` writes, whatever is searched for a secret, each
dashboard, messenger and paper exchange beside a server, and every test that says `stage.cold`.

Run as a script, this is the process that forks; it ends when nobody is left who could ask.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import threading
from array import array
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final, NoReturn

REQUEST_MAX: Final = 1 << 20
# Of a request: where it writes, where it complains, and where its asker hears of its end.
FILES: Final = 3
# Its package has a function of this name until somebody reads it in.
UNREAD: Final = "surefoot.cli.run"


def read_in() -> None:
    """Import all of the program."""
    import surefoot  # noqa: PLC0415 (only the process that forks reads it in)

    for module in walk_packages(surefoot.__path__, "surefoot."):
        if module.name != UNREAD:
            import_module(module.name)


def ready(control: int) -> None:
    """Refuse to fork anything but what has read modules in.

    Raises:
        RuntimeError: a module did more than that when it was imported.

    """
    threads = [each.name for each in threading.enumerate()]
    files = [each for each in Path("/proc/self/fd").iterdir() if each.exists()]
    held = {int(each.name) for each in files} - {0, 1, 2, control}
    if len(threads) != 1 or held:
        raise RuntimeError(f"reading the program in left threads {threads} and files {held}")


def become(request: dict[str, Any], files: list[int]) -> None:
    """Be the process that was asked for: nothing of the one that forked it is left open."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    program = str(import_module("surefoot.__main__").__file__)
    sys.argv = [program, *request["arguments"]]
    sys.path[0] = request["directory"]


def serve(control: socket.socket) -> None:
    """Fork whatever is asked for and tell how it ended; return in each process that was forked."""
    waiting: dict[int, tuple[int, int]] = {}  # what becomes readable → the process, and who asks
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for ready_file, _ in poll.poll():
            if ready_file != control.fileno():
                poll.unregister(ready_file)
                tell(*waiting.pop(ready_file))
                os.close(ready_file)
                continue
            request, files = heard(control)
            if request is None:
                sys.exit()
            pid = os.fork()
            if pid == 0:
                control.detach()
                become(request, files)
                return
            os.write(files[2], pid.to_bytes(4, "little"))
            for each in files[:2]:
                os.close(each)
            process = os.pidfd_open(pid)
            poll.register(process, select.POLLIN)
            waiting[process] = (pid, files[2])


def tell(pid: int, asker: int) -> None:
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    with suppress(BrokenPipeError):
        os.write(asker, code.to_bytes(4, "little", signed=True))
    os.close(asker)


def heard(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    files = array("i")
    room = socket.CMSG_LEN(FILES * files.itemsize)
    words, beside, _, _ = control.recvmsg(REQUEST_MAX, room)
    for _, _, each in beside:
        files.frombytes(each)
    return (json.loads(words) if words else None), list(files)


def main() -> NoReturn:
    """Fork until nobody asks any more; what was forked runs the program from here."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when whoever asks does
    read_in()
    ready(control.fileno())
    gc.collect()
    gc.freeze()
    serve(control)
    from surefoot.__main__ import main as program  # noqa: PLC0415

    program()
    sys.exit()


if __name__ == "__main__":
    main()
