"""What a strategy may answer: `Enter`, `Add`, `Exit`, or None for "nothing now".

Numbers are made exact on construction, so a bad one is refused on the line that wrote it. A
signal is a wish: limits, sizes and the state of the position decide whether it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from surefoot.core.errors import InvalidValue
from surefoot.core.exits import ExitPlan, TakeProfit
from surefoot.core.sizing import Size
from surefoot.core.values import Direction
from surefoot.strategy import parse

REASON_MAX: Final = 500
_FOREVER_S: Final = 10**9  # more than a duration may be, and less than timedelta overflows at


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


# Not None: None switches a stop off, UNSET leaves it to the bot's configuration.
UNSET: Final = Unset.UNSET
Number: TypeAlias = int | float | str | Decimal
Distance: TypeAlias = Number | Literal[Unset.UNSET] | None


@dataclass(frozen=True, slots=True, init=False)
class Enter:
    """Open a position; without a limit by a market order.

    `notional` is how large: an amount, "20%" of what is free, "20% of total", or "risk 1%" of it to
    the stop; None is the bot's own. The caps hold whatever it says.

    `time_to_live` is how long a limit order may rest: a timedelta, seconds, "30s" or "5m".
    `stop_loss` and `take_profit` ("2%" or 0.02) replace the bot's for this position; None
    switches one off. A list takes gains in parts: [{"at": "3%", "fraction": 0.5}, {"at": "6%"}].
    """

    long: bool
    notional: Size | None
    limit: Decimal | None
    time_to_live: timedelta | None
    stop_loss: Decimal | Literal[Unset.UNSET] | None
    take_profit: TakeProfit | Literal[Unset.UNSET]
    reason: str

    def __init__(  # noqa: PLR0913 (what an author may say, all by name)
        self,
        *,
        long: bool = True,
        notional: Number | None = None,
        limit: Number | None = None,
        time_to_live: timedelta | float | str | None = None,
        stop_loss: Distance = UNSET,
        take_profit: Distance | Sequence[Mapping[str, Number]] = UNSET,
        reason: str = "",
    ) -> None:
        if not isinstance(long, bool):
            raise InvalidValue(f"Enter.long: expected True or False, got {parse.shown(long)}")
        stop = _distance(stop_loss, "Enter.stop_loss")
        if isinstance(stop, Decimal) and stop >= 1:
            raise InvalidValue("Enter.stop_loss: a stop is less than 100% away from the entry")
        store = object.__setattr__
        store(self, "long", long)
        store(self, "notional", _size(notional, "Enter.notional"))
        store(self, "limit", _limit(limit, "Enter.limit"))
        store(self, "time_to_live", _time_to_live(time_to_live, "Enter.time_to_live"))
        store(self, "stop_loss", stop)
        store(self, "take_profit", _take_profit(take_profit, "Enter.take_profit"))
        store(self, "reason", _reason(reason, "Enter.reason"))

    @property
    def direction(self) -> Direction:
        """Return which way the position would gain."""
        return Direction.LONG if self.long else Direction.SHORT

    def plan(self, configured: ExitPlan) -> ExitPlan:
        """Return the bot's exit plan with what this signal overrides."""
        plan = configured
        if self.stop_loss is not UNSET:
            plan = replace(plan, stop_loss=self.stop_loss)
        if self.take_profit is not UNSET:
            target = self.take_profit
            plan = replace(plan, take_profit=target.rest, parts=target.parts)
        return plan


@dataclass(frozen=True, slots=True, init=False)
class Add:
    """Buy more of the position that is open; without a limit by a market order.

    `notional` and `time_to_live` are as in `Enter`; "risk 1%" is to the stop as it stands. One
    addition works at a time. The levels follow the average price, a stop never away from it.
    """

    notional: Size | None
    limit: Decimal | None
    time_to_live: timedelta | None
    reason: str

    def __init__(
        self,
        *,
        notional: Number | None = None,
        limit: Number | None = None,
        time_to_live: timedelta | float | str | None = None,
        reason: str = "",
    ) -> None:
        store = object.__setattr__
        store(self, "notional", _size(notional, "Add.notional"))
        store(self, "limit", _limit(limit, "Add.limit"))
        store(self, "time_to_live", _time_to_live(time_to_live, "Add.time_to_live"))
        store(self, "reason", _reason(reason, "Add.reason"))


@dataclass(frozen=True, slots=True, init=False)
class Exit:
    """Leave the whole position, or a part of it; without a limit by a market order.

    `fraction` ("50%" or 0.5) is how much of what is held goes; the rest keeps its levels.
    """

    fraction: Decimal | None
    limit: Decimal | None
    time_to_live: timedelta | None
    reason: str

    def __init__(
        self,
        *,
        fraction: Number | None = None,
        limit: Number | None = None,
        time_to_live: timedelta | float | str | None = None,
        reason: str = "",
    ) -> None:
        store = object.__setattr__
        store(self, "fraction", _fraction(fraction, "Exit.fraction"))
        store(self, "limit", _limit(limit, "Exit.limit"))
        store(self, "time_to_live", _time_to_live(time_to_live, "Exit.time_to_live"))
        store(self, "reason", _reason(reason, "Exit.reason"))


Signal: TypeAlias = Enter | Add | Exit


def _size(value: Number | None, name: str) -> Size | None:
    try:
        return None if value is None else parse.size(value)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None


def _fraction(value: Number | None, name: str) -> Decimal | None:
    try:
        part = None if value is None else parse.fraction(value)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None
    if part is not None and part > 1:
        raise InvalidValue(f"{name}: nobody has more than 100%, got {parse.shown(value)}")
    return None if part == 1 else part


def _limit(value: Number | None, name: str) -> Decimal | None:
    try:
        return None if value is None else parse.amount(value)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None


def _distance(value: Distance, name: str) -> Decimal | Literal[Unset.UNSET] | None:
    try:
        return value if value is None or value is UNSET else parse.fraction(value)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None


def _take_profit(
    value: Distance | Sequence[Mapping[str, Number]], name: str
) -> TakeProfit | Literal[Unset.UNSET]:
    try:
        if value is UNSET:
            return value
        return TakeProfit() if value is None else parse.take_profit(value)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None


def _time_to_live(value: timedelta | float | str | None, name: str) -> timedelta | None:
    if value is None:
        return None
    try:
        plain = parse.plain_number(value)
        if isinstance(plain, int | float):
            seconds = min(parse.number(plain), Decimal(_FOREVER_S))
            return parse.duration(timedelta(seconds=float(seconds)))
        return parse.duration(plain)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None


def _reason(value: str, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"{name}: expected text, got {parse.shown(value)}")
    # One line, because logs and messages are made of lines.
    # What is no valid Unicode could not be written down.
    return " ".join(value.split())[:REASON_MAX].encode("utf-8", "replace").decode()
