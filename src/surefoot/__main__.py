"""The program: `surefoot`, and `python -m surefoot`."""

import gc
import signal
from typing import Final

# How many new objects are looked through for garbage at once. Reading in the program makes 300,000
# that all stay: at Python's 700 a quarter of a start went into looking for garbage among them.
GARBAGE_EVERY: Final = 50_000


def main() -> None:
    """Run the command line of this process."""
    gc.set_threshold(GARBAGE_EVERY)
    # While the program is still being read in, Ctrl-C just ends it: there is nothing to put right.
    interrupted = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from surefoot.cli import main as command_line  # noqa: PLC0415 (that is the reading in)

    signal.signal(signal.SIGINT, interrupted)
    try:
        command_line()
    finally:
        gc.freeze()  # the end of the process frees it all: nobody need look for garbage once more


if __name__ == "__main__":
    main()
