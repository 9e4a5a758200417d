"""Names and amounts: the words of the domain as types, and the arithmetic they share.

Amounts are finite `Decimal`s, times are aware UTC. Nothing here knows about orders.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NewType, assert_never

AccountName = NewType("AccountName", str)
BotName = NewType("BotName", str)
Symbol = NewType("Symbol", str)
Asset = NewType("Asset", str)
PositionId = NewType("PositionId", str)
ClientOrderId = NewType("ClientOrderId", str)
ExchangeOrderId = NewType("ExchangeOrderId", str)
TradeId = NewType("TradeId", str)

ZERO = Decimal(0)
_NUMBERS = re.compile(r"([0-9]+)")


@lru_cache(maxsize=4096)
def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return what names are sorted by where somebody reads them: dip-3 comes before dip-13.

    Different names never sort alike: dip-03 comes before dip-3.
    """
    parts = _NUMBERS.split(name)  # text and numbers, in turn
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in parts), (-2, name))


class Side(StrEnum):
    """Which way an order moves the base asset."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """Return the side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Direction(StrEnum):
    """Which way a position gains.

    SHORT is there for venues that lend: sides, signs and levels know it. Spot refuses its entry.
    """

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """Return +1 for long, -1 for short: multiply a price difference by it to get a gain."""
        return 1 if self is Direction.LONG else -1

    @property
    def entry_side(self) -> Side:
        """Return the side of the order that opens such a position."""
        match self:
            case Direction.LONG:
                return Side.BUY
            case Direction.SHORT:
                return Side.SELL
            case _:
                assert_never(self)


def floor_to(amount: Decimal, step: Decimal) -> Decimal:
    """Round an amount down to a multiple of a step; a zero step leaves it alone."""
    return _to_step(amount, step, ROUND_FLOOR)


def ceil_to(amount: Decimal, step: Decimal) -> Decimal:
    """Round an amount up to a multiple of a step; a zero step leaves it alone."""
    return _to_step(amount, step, ROUND_CEILING)


def _to_step(amount: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step == 0:
        return amount
    return (amount / step).to_integral_value(rounding=rounding) * step


def plain(amount: Decimal) -> str:
    """Write an amount without an exponent, a negative zero or zeros at its end."""
    text = format(amount or abs(amount), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(number: int, noun: str) -> str:
    """Write a number of things: 1 bot, 2 bots."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def moment(at: datetime) -> str:
    """Write a time as a person reads it: in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def one_line(text: str) -> str:
    """Return text from outside so that it can forge no line and drive no terminal."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
