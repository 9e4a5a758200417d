"""What the API says, as types: amounts are decimal strings, times RFC 3339 UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from surefoot.core.account_records import kind_of
from surefoot.core.records import FillBooked
from surefoot.core.values import plain
from surefoot.journal.browse import OrderRow, PositionRow
from surefoot.journal.port import Command, Entry
from surefoot.journal.sentences import sentence
from surefoot.journal.status import BotStatus, PositionStatus


class RecordAnswer(Struct, frozen=True, kw_only=True):
    """One row of the journal, in a sentence; `record` is the row itself."""

    sequence: int
    at: datetime
    stream: str
    bot: str | None
    position: str | None
    account: str | None
    kind: str
    text: str
    record: Any = None


class KindList(Struct, frozen=True, kw_only=True):
    """Every kind of record that a journal may hold, by the name that a filter takes."""

    kinds: list[str]


class RecordPage(Struct, frozen=True, kw_only=True):
    """Records, newest first; `next` is the cursor of the following page, None at the end."""

    records: list[RecordAnswer]
    next: int | None


class PositionPage(Struct, frozen=True, kw_only=True):
    """Positions by bot, each bot's newest first; `next` is the cursor, None at the end."""

    positions: list[PositionRow]
    next: str | None


class OrderPage(Struct, frozen=True, kw_only=True):
    """Orders by their ids; `next` is the cursor, None at the end."""

    orders: list[OrderRow]
    next: str | None


class FillAnswer(Struct, frozen=True, kw_only=True):
    """One exchange trade that is booked."""

    sequence: int
    position: str
    symbol: str
    trade_id: str
    client_order_id: str
    side: str
    price: str
    quantity: str
    fee: str
    fee_asset: str | None
    at: datetime


class FillPage(Struct, frozen=True, kw_only=True):
    """Fills, newest first; `next` is the cursor, None at the end."""

    fills: list[FillAnswer]
    next: int | None


class BotList(Struct, frozen=True, kw_only=True):
    """Every bot, as the status document has it."""

    bots: list[BotStatus]


class PositionAnswer(Struct, frozen=True, kw_only=True):
    """One position with its orders, its fills and its life in sentences, oldest first.

    Of a very long life the newest records are told; `records_not_shown` are older ones.
    """

    bot: str
    account: str
    symbol: str
    opened_at: datetime | None
    closed_at: datetime | None
    position: PositionStatus
    fills: list[FillAnswer]
    life: list[RecordAnswer]
    records_not_shown: int


class ProfitRow(Struct, frozen=True, kw_only=True):
    """What the closed positions of one bot brought on one day, in one currency."""

    bot: str
    account: str
    day: str
    quote: str
    pnl: str
    positions: int


class ProfitAnswer(Struct, frozen=True, kw_only=True):
    """Results of closed positions; `upto` is the record up to which they are counted."""

    rows: list[ProfitRow]
    upto: int


class CandleAnswer(Struct, frozen=True, kw_only=True):
    """One candle of prices that the server noted; `at` is its start in seconds since 1970."""

    at: int
    open: float
    high: float
    low: float
    close: float


class CandleList(Struct, frozen=True, kw_only=True):
    """Candles, oldest first. They are for the eye: nothing is decided by them."""

    symbol: str
    seconds: int
    candles: list[CandleAnswer]


class CommandAnswer(Struct, frozen=True, kw_only=True):
    """What became of a command: posted, done or refused, and why; `serving`: a server runs."""

    command_id: str
    kind: str
    target: str
    status: str
    result: str | None
    serving: bool
    expires_at: datetime


class SessionAnswer(Struct, frozen=True, kw_only=True):
    """What the caller may do.

    Of a browser's session `proof` goes into the header x-surefoot-proof of whatever changes
    something; a token has neither.
    """

    scope: str
    expires_at: datetime | None
    proof: str | None


class BotShown(Struct, frozen=True, kw_only=True):
    """What the configuration says of a bot."""

    bot: str
    account: str
    symbol: str
    strategy: str
    notional: str
    stop_loss: str | None
    take_profit: str | None
    break_even: str | None
    trailing_stop: str | None
    stop_at: str


class AccountShown(Struct, frozen=True, kw_only=True):
    """What the configuration says of an account; its keys are named, and not even loaded here."""

    account: str
    exchange: str
    environment: str
    ownership: str
    api_key: str
    secret: str


class Symptom(Struct, frozen=True, kw_only=True):
    """One thing that was looked at on this machine, and how it is."""

    what: str
    well: bool
    said: str


class SettingsAnswer(Struct, frozen=True, kw_only=True):
    """What runs, for reading only."""

    versions: dict[str, str]
    journal: str
    listen: str
    exposure: str | None
    accounts: list[AccountShown]
    bots: list[BotShown]
    doctor: list[Symptom]


class Problem(Struct, frozen=True, kw_only=True):
    """Why something was not done."""

    error: str


def record_answer(entry: Entry, *, whole: bool = True) -> RecordAnswer:
    """Put a row into words."""
    room, _, name = entry.stream.partition("/")
    return RecordAnswer(
        sequence=entry.sequence,
        at=entry.at,
        stream=entry.stream,
        bot=name.rpartition("-")[0] if room == "position" else name if room == "bot" else None,
        position=name if room == "position" else None,
        account=name if room == "account" else None,
        kind=kind_of(entry.record),
        text=sentence(entry.record),
        record=entry.record if whole else None,
    )


def fill_answer(entry: Entry, record: FillBooked) -> FillAnswer:
    """Put a booked fill into a row."""
    fill = record.fill
    return FillAnswer(
        sequence=entry.sequence,
        position=entry.stream.partition("/")[2],
        symbol=fill.symbol,
        trade_id=fill.trade_id,
        client_order_id=record.client_order_id,
        side=fill.side.value,
        price=plain(fill.price),
        quantity=plain(fill.quantity),
        fee=plain(fill.fee),
        fee_asset=fill.fee_asset,
        at=fill.at,
    )


def command_answer(command: Command, *, serving: bool) -> CommandAnswer:
    """Say what became of a command."""
    return CommandAnswer(
        command_id=command.command_id,
        kind=command.kind,
        target=command.target,
        status=command.status,
        result=command.result,
        serving=serving,
        expires_at=command.expires_at,
    )
