"""`surefoot init`: a commented configuration and a strategy to edit."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias, TypeVar, assert_never, get_args

from cyclopts import Parameter

from surefoot.cli.outcome import FINE, Failed
from surefoot.cli.output import say
from surefoot.cli.simulated import account_at
from surefoot.config import (
    FIRST,
    FIRST_LIVE,
    IDEAS,
    paper,
    strategy_file,
    template,
)
from surefoot.core.errors import InvalidValue

Idea: TypeAlias = Literal["round-trip", "dip", "breakout", "moving-average"]
Where: TypeAlias = Literal["paper", "sim", "live"]

T = TypeVar("T")
Name = TypeVar("Name", bound=str)

NAME: Final = "surefoot"
CONFIGURATION: Final = "surefoot.toml"
STRATEGY: Final = "my_bots.py"
SYMBOL: Final = "BTC/USDT"
_SYMBOL: Final = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where to trade, with the address of a simulator, what, and how; None: not said."""

    exchange: str
    where: Where | None
    url: str | None
    symbol: str | None
    idea: str | None

    @property
    def strategy(self) -> str:
        """Return how to trade: what trades at once is not for real money."""
        return self.idea or (FIRST_LIVE if self.where == "live" else FIRST)


def init(
    directory: Path = Path(),
    *,
    exchange: Literal["binance"] = "binance",
    on_paper: Annotated[bool, Parameter(name="--paper", negative="")] = False,
    live: Annotated[bool, Parameter(negative="")] = False,
    sim: str | None = None,
    prices_from: str | None = None,
    symbol: str | None = None,
    strategy: Idea | None = None,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
) -> int:
    """Write surefoot.toml and my_bots.py; files that exist are left alone.

    On a terminal it asks what is not said. Otherwise it is on paper: live prices, simulated fills,
    no keys; and the strategy trades at once.

    Parameters
    ----------
    directory
        Where to; it is created if needed.
    exchange
        Where prices and, with --live, the money are.
    on_paper
        Live prices, simulated fills, no keys: what is meant if nothing else is said.
    live
        With real money, by the keys in BINANCE_API_KEY and BINANCE_SECRET.
    sim
        The address that `surefoot sim` prints: trade there, without keys.
    prices_from
        The address that `surefoot sim` prints: on paper, with its prices instead of the exchange's.
    symbol
        What the first bot trades, such as ETH/USDT. [default: BTC/USDT]
    strategy
        What it does: round-trip buys and sells three times, to see that everything works. With
        --live it is dip unless said.
    yes
        Do not ask: for scripts.
    """
    choice = Choice(
        exchange=exchange,
        where=_where(paper=on_paper or prices_from is not None, live=live, sim=sim is not None),
        url=_address(sim or prices_from),
        symbol=_symbol(symbol),
        idea=strategy,
    )
    _refuse_what_exists(directory)
    if sys.stdin.isatty() and sys.stdout.isatty() and not yes:
        choice = _asked(choice)
    text = template(_account(choice), choice.symbol or SYMBOL, choice.strategy)
    _write(directory, {CONFIGURATION: text, STRATEGY: strategy_file(choice.strategy)})
    _say_next(directory, choice)
    return FINE


def _where(*, paper: bool, live: bool, sim: bool) -> Where | None:
    """Return where the options say.

    Raises:
        InvalidValue: in more than one place.
    """
    said: dict[Where, bool] = {"paper": paper, "sim": sim, "live": live}
    chosen = [where for where, meant in said.items() if meant]
    if len(chosen) > 1:
        raise InvalidValue(
            "on paper (--paper, --prices-from), --sim and --live are different accounts; choose one"
        )
    return chosen[0] if chosen else None


def _address(url: str | None) -> str | None:
    """Return a simulator's address, or raise `InvalidValue`."""
    if url is None:
        return None
    account_at(url.rstrip("/"))
    return url.rstrip("/")


def _symbol(text: str | None) -> str | None:
    """Return a symbol, or raise `InvalidValue`."""
    if text is None or _SYMBOL.fullmatch(text.upper()):
        return text and text.upper()
    raise InvalidValue(f"{text!r} is no symbol; write both of its assets, such as {SYMBOL}")


def _asked(choice: Choice) -> Choice:
    """Ask for what is not said; Enter takes what is in brackets."""
    say("What is in brackets is taken with Enter; everything can be changed later.")
    where, url = choice.where, choice.url
    if where is None:
        where = _answer(
            "Trade on paper (live prices, simulated fills), at a simulator (sim) or live?",
            "paper",
            _one_of(get_args(Where)),
        )
    if where == "sim" and url is None:
        url = _answer("The address that `surefoot sim` prints?", None, _address)
    symbol = choice.symbol or _answer("Which symbol?", SYMBOL, _symbol)
    choice = replace(choice, where=where, url=url, symbol=symbol)
    if choice.idea is None:
        for name, kind in IDEAS.items():
            say(f"{name}: {(kind.__doc__ or '').partition(chr(10))[0]}", indent="  ")
        ideas = ", ".join(IDEAS)
        idea = _answer(f"Which strategy ({ideas})?", choice.strategy, _one_of(tuple(IDEAS)))
        choice = replace(choice, idea=idea)
    return choice


def _answer(question: str, usual: str | None, understood: Callable[[str], T]) -> T:
    """Ask until the answer is understood."""
    hint = "" if usual is None else f" [{usual}]"
    while True:
        try:
            return understood(input(f"{question}{hint} ").strip() or usual or "")
        except InvalidValue as error:
            say(str(error))
        except EOFError as error:
            sys.stdout.write("\n")  # Ctrl-D leaves the cursor behind the question
            raise Failed("nothing was chosen, and nothing was written") from error


def _one_of(names: Sequence[Name]) -> Callable[[str], Name]:
    def understood(text: str) -> Name:
        for name in names:
            if name == text.lower():
                return name
        raise InvalidValue(f"{text!r} is none of {', '.join(names)}")

    return understood


def _account(choice: Choice) -> str:
    """Return the tables of the account."""
    symbol = choice.symbol or SYMBOL
    match choice.where:
        case "sim":
            return f"{account_at(choice.url or '')}\n"
        case "live":
            return paper(symbol, exchange=choice.exchange, live=True)
        case "paper" | None:
            return paper(symbol, exchange=choice.exchange, prices_from=choice.url)
        case _:
            assert_never(choice.where)


def _refuse_what_exists(directory: Path) -> None:
    there = [name for name in (CONFIGURATION, STRATEGY) if os.path.lexists(directory / name)]
    if there:
        verb = "exists" if len(there) == 1 else "exist"
        where = directory.resolve()
        raise Failed(f"{' and '.join(there)} in {where} {verb}; nothing was written")


def _write(directory: Path, files: Mapping[str, str]) -> None:
    """Write all of the files or none; one that appears meanwhile is left alone too."""
    written: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            with (directory / name).open("x", encoding="utf-8") as file:
                written.append(directory / name)
                file.write(content)
    except OSError as error:
        for each in written:
            each.unlink(missing_ok=True)
        raise Failed(f"{directory.absolute()} cannot be written: {error.strerror}") from error


def _say_next(directory: Path, choice: Choice) -> None:
    """Say what to type, as this program was called."""
    program = shlex.quote(_program(directory))
    say(f"Wrote {CONFIGURATION} and {STRATEGY} to {directory.resolve()}. Next:")
    if directory.resolve() != Path.cwd():
        say(f"  cd {shlex.quote(str(directory))}")
    if choice.where == "live":
        say("  export BINANCE_API_KEY=… BINANCE_SECRET=…")
    say(f"  {program} check")
    say(f"  {program} run")
    if choice.strategy == FIRST:
        say(f"It buys at the first price; `{program} status` in another terminal shows it.")


def _program(directory: Path) -> str:
    """Return how to call this program from a directory: by its name, if the shell finds it."""
    called = Path(sys.argv[0])
    if called.name != NAME or called.parent == Path() or shutil.which(NAME) is not None:
        return NAME
    return str(called) if called.is_absolute() else os.path.relpath(called, directory)
