"""The command line: one file per command, imported when it is used.

Exit codes: 0 fine, 1 failed, 2 usage or configuration, 3 something needs review. `--json` prints
one document on stdout; logs and errors go to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

import surefoot
from surefoot.cli.outcome import FAILED, FINE, USAGE, code_of, leaf
from surefoot.core.errors import SurefootError
from surefoot.core.values import one_line

__all__ = ["COMMANDS", "HELP", "application", "main", "run"]

COMMANDS: Final = {
    "demo": ("surefoot.cli.demo:demo", "See bots die and come back, on a simulated exchange."),
    "init": ("surefoot.cli.init:init", "Write a commented surefoot.toml and a strategy to edit."),
    "check": (
        "surefoot.cli.check:check",
        "Check configuration, keys, clocks and journal; change nothing.",
    ),
    "run": ("surefoot.cli.run:run", "Run the bots."),
    "status": ("surefoot.cli.status:status", "Show bots, positions and the last recovery."),
    "log": ("surefoot.cli.log:log", "Show the audit trail."),
    "explain": ("surefoot.cli.explain:explain", "Tell the life of one position."),
    "recover": ("surefoot.cli.recover:recover", "Reconcile with the exchange now, or only look."),
    "pause": ("surefoot.cli.pause:pause", "Stop a bot from entering."),
    "resume": ("surefoot.cli.resume:resume", "Let a bot enter again."),
    "stop-all": ("surefoot.cli.stop_all:stop_all", "Let no bot enter; every stop is kept."),
    "resume-all": ("surefoot.cli.stop_all:resume_all", "Undo stop-all."),
    "lift": ("surefoot.cli.lift:lift", "Let an account enter again that lost its most of a day."),
    "close": ("surefoot.cli.close:close", "Close a bot's position."),
    "resolve": ("surefoot.cli.resolve:resolve", "Say what is true of a frozen position."),
    "backup": ("surefoot.cli.backup:backup", "Copy the journal while it is in use."),
    "repair": (
        "surefoot.cli.repair:repair",
        "Make the journal's tables anew from its records.",
    ),
    "profit": (
        "surefoot.cli.profit:profit",
        "Show what the bots earned, and prove that it adds up.",
    ),
    "export": ("surefoot.cli.export:export", "Print positions, orders, fills and taxable trades."),
    "report": ("surefoot.cli.report:report", "Write a bundle for whoever helps, safe to paste."),
    "web": ("surefoot.cli.web:web", "Serve the dashboard and the API."),
    "notify": ("surefoot.cli.notify:notify", "Tell people what happens: Telegram, webhooks."),
    "replay": ("surefoot.cli.replay:replay", "Run the bots over recorded prices."),
    "paper": ("surefoot.cli.paper:paper", "Run the simulated exchange of an account on paper."),
    "token": ("surefoot.cli.token:token", "Print the token of the dashboard and the API."),
    "sim": ("surefoot.cli.sim:sim", "Run the simulated exchange alone."),
}

HELP: Final = (
    "A crash-safe runtime for trading bots: kill it at any instant, start it again, and it knows "
    "what it owns, what it owes, and what it must not do twice."
)


def application() -> App:
    """Return the command line, with every command by its name."""
    app = App(name="surefoot", help=HELP, version=surefoot.__version__)
    for number, (name, (place, summary)) in enumerate(COMMANDS.items()):
        app.command(place, name=name, help=summary, sort_key=number)
    app.register_install_completion_command(add_to_startup=False)
    return app


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; a mistake becomes a sentence on stderr."""
    strange = next((each for each in arguments if not _is_text(each)), None)
    if strange is not None:
        return _complain(f"{strange!r} is no text in this terminal's encoding", USAGE)
    try:
        result = application()(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        return _complain(str(error), USAGE)
    except SurefootError as error:
        return _complain(str(error), code_of(error))
    except BaseExceptionGroup as group:
        cause = leaf(group)
        if not isinstance(cause, SurefootError):
            raise
        return _complain(str(cause), code_of(cause))
    except BrokenPipeError:
        # Whoever read us has seen enough; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except KeyboardInterrupt:
        return FAILED
    return result if isinstance(result, int) else FINE


def _is_text(argument: str) -> bool:
    # Bytes that are no text arrive as halves of characters, which nothing can print or store.
    return not any("\ud800" <= each <= "\udfff" for each in argument)


def _complain(message: str, code: int) -> int:
    lines = [one_line(line) for line in message.strip().split("\n")]
    sys.stderr.write(f"surefoot: {chr(10).join(lines)}\n")
    return code
