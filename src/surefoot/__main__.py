"""The program: `surefoot`, and `python -m surefoot`."""

import signal


def main() -> None:
    """Run the command line of this process."""
    # While the program is still being read in, Ctrl-C just ends it: there is nothing to put right.
    interrupted = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from surefoot.cli import main as command_line  # noqa: PLC0415 (that is the reading in)

    signal.signal(signal.SIGINT, interrupted)
    command_line()


if __name__ == "__main__":
    main()
