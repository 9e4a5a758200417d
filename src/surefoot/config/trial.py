"""Strategies tried in a process of their own: whatever importing them does ends with it.

A strategy may open sockets, start threads or never come back while it is imported. `check` wants
to know whether it can be made and what it asks for, and to leave nothing behind.
"""

from __future__ import annotations

import errno
import multiprocessing
import sys
from collections.abc import Collection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from msgspec import Struct

from surefoot.config.errors import ConfigError
from surefoot.config.load import make_each
from surefoot.config.settings import Bot, Settings
from surefoot.core.values import BotName

# Importing all of them takes no longer than this.
LIMIT_S: Final = 60.0


class Asked(Struct, frozen=True, kw_only=True):
    """Which candles a strategy asks for."""

    timeframe: str | None = None
    history: int = 0
    timeframes: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


class Trial(Struct, frozen=True, kw_only=True):
    """What came of it: what each asks for, and which found an address in use."""

    asked: dict[BotName, Asked]
    in_use: tuple[BotName, ...] = ()
    problems: tuple[str, ...] = ()


def tried(settings: Settings, *, serving: bool) -> Trial:
    """Make every bot's strategy elsewhere, and return what each asks for.

    While a server is `serving`, an address that is in use is taken for that server's.

    Raises:
        ConfigError: some are missing, broken or have wrong parameters; all are listed.
    """
    process = multiprocessing.get_context("spawn")
    ours, theirs = process.Pipe(duplex=False)
    bots = tuple(settings.bots.values())
    child = process.Process(target=_try, args=(bots, settings.directory, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        trial = ours.recv() if ours.poll(LIMIT_S) else f"took more than {LIMIT_S:.0f} s"
    except EOFError:
        trial = "ended the process"
    child.kill()
    child.join()
    if not isinstance(trial, Trial):
        raise ConfigError("the configuration", [f"importing the strategies {trial}"])
    problems = list(trial.problems)
    if trial.in_use and not serving:
        problems += [f"bots.{bot}.strategy: an address it wants is in use" for bot in trial.in_use]
    if problems:
        raise ConfigError("the configuration", problems)
    return Trial(asked=trial.asked, in_use=trial.in_use)


def _try(bots: Collection[Bot], directory: Path, result: Connection) -> None:
    """Make them all, in the process of their own; what they print is no answer of ours."""
    sys.stdout = sys.stderr
    made, refused = make_each(bots, directory)
    in_use = tuple(bot for bot, each in refused.items() if _is_in_use(each.error))
    result.send(
        Trial(
            asked={
                bot: Asked(
                    timeframe=each.timeframe,
                    history=each.history,
                    timeframes=tuple(each.timeframes),
                    symbols=tuple(each.symbols),
                )
                for bot, each in made.items()
            },
            in_use=in_use,
            problems=tuple(
                problem
                for bot, each in refused.items()
                if bot not in in_use
                for problem in each.sentences
            ),
        )
    )


def _is_in_use(error: BaseException | None) -> bool:
    cause = None if error is None else error.__cause__
    return isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
