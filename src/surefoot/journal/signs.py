"""Gauges beside the record: prices and signs of life, which may be lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeAlias

from msgspec import Struct

from surefoot.core.values import AccountName, BotName, Symbol


class Mark(Struct, frozen=True, kw_only=True):
    """The price of a symbol as an account last saw it, and when that was."""

    price: Decimal
    at: datetime


Marks: TypeAlias = Mapping[tuple[AccountName, Symbol], Mark]


class Pulse(Struct, frozen=True, kw_only=True):
    """When an account's own stream was last heard, and how often it was tried to reach it."""

    account: AccountName
    heard_at: datetime | None = None
    attempt: int = 0
    next_try: datetime | None = None


class Remark(Struct, frozen=True, kw_only=True):
    """What a bot waits for, in its strategy's own words, and why its last signal was refused."""

    bot: BotName
    waits_for: str | None = None
    refused: str | None = None
    refused_at: datetime | None = None


class Signs(Struct, frozen=True, kw_only=True):
    """Signs of life: when the server's loop last turned, each account's pulse, bots' remarks."""

    turned: datetime | None = None
    pulses: dict[AccountName, Pulse] = {}
    remarks: dict[BotName, Remark] = {}


class Gauges(Protocol):
    """Where they are noted: no record, not durable, in nobody's way."""

    def price(self, account: AccountName, symbol: Symbol, price: Decimal, at: datetime) -> None:
        """Note a price; never waits and never raises."""
        ...

    def beat(self, pulse: Pulse) -> None:
        """Note an account's pulse; never waits and never raises."""
        ...

    def remark(self, remark: Remark) -> None:
        """Note what is to be said of a bot; never waits and never raises."""
        ...

    def turn(self, at: datetime) -> None:
        """Note that the server's loop turns; never waits and never raises."""
        ...
