"""What is written down of bots and accounts: one frozen type per kind of journal record of theirs.

They are under the rules of records.py.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from surefoot.core.health import Health
from surefoot.core.records import PositionRecord, Written
from surefoot.core.stuck import Stuck
from surefoot.core.values import (
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
)


class Cause(StrEnum):
    """Why a bot is in review; what lifts it is the operator's word, or proof that this is gone."""

    STRATEGY = "strategy"
    SYMBOL = "symbol"
    UNREACHABLE = "unreachable"
    CONFIGURATION = "configuration"
    UNFIT = "unfit"  # it cannot run as the server was started: only the next start looks again
    CONTRADICTION = "contradiction"
    SETBACK = "setback"


class BotStatusChanged(Written, frozen=True, kw_only=True):
    """A bot was started, paused, stopped or put into review, by whom and why.

    `cause` is why it is in review; None is a cause that nobody can prove gone. While an operator
    holds it, that status stays with who said it and why, and `review` is why to look at it as well.
    """

    bot: BotName
    status: str
    by: str
    reason: str | None = None
    cause: Cause | None = None
    review: str | None = None


class AccountBound(Written, frozen=True, kw_only=True):
    """The journal belongs to one account of one environment, for ever; it held so much then."""

    account: AccountName
    exchange: str
    uid: str
    environment: str
    balances: dict[Asset, Decimal]


class LifeBegan(Written, frozen=True, kw_only=True):
    """A life of a server began on this account: every id that it makes is of this generation."""

    account: AccountName
    epoch: str
    generation: str


class WatermarkMoved(Written, frozen=True, kw_only=True):
    """Every fill of this symbol up to and including this trade is read and dealt with."""

    account: AccountName
    symbol: Symbol
    trade_id: str


class Coins(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of one asset was not the bots', in an answer that was asked for at this time."""

    amount: Decimal
    at: datetime


class OthersSeen(Written, frozen=True, kw_only=True):
    """What the account holds of its bots' assets beyond what they hold: the coins of others.

    `found` is what came or went since, and by which trades of others on the bots' symbols.
    """

    account: AccountName
    coins: dict[Asset, Coins]
    found: tuple[str, ...] = ()


class OrphanCancelIntended(Written, frozen=True, kw_only=True):
    """An order that no live intent explains is to be cancelled."""

    account: AccountName
    symbol: Symbol
    exchange_order_id: ExchangeOrderId
    client_order_id: ClientOrderId | None
    reason: str


class BanNoted(Written, frozen=True, kw_only=True):
    """The exchange will not talk to us before this time; a restart must not forget it."""

    account: AccountName
    until: datetime


class Recovered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One position in a recovery: believed, what speaks for or against it, and what followed.

    Without a position it is something that no bot's explains.
    """

    position_id: PositionId | None
    outcome: str
    believed: str
    evidence: tuple[str, ...]
    followed: tuple[str, ...]
    now: str


class RecoveryFinished(Written, frozen=True, kw_only=True):
    """What recovery found and did, also when that was nothing, and when it failed.

    `told` is the account position by position, bounded: `positions` counts them all.
    `unwatched_since` is the last sign of life of the server before; None if this one watched.
    """

    account: AccountName
    outcome: str
    positions: dict[str, int]
    orders_cancelled: int
    fills_booked: int
    bots_restarted: int
    bots_in_review: dict[str, str]
    requests: int
    weight: int
    seconds: Decimal
    told: tuple[Recovered, ...] = ()
    unwatched_since: datetime | None = None


class HealthChanged(Written, frozen=True, kw_only=True):
    """An account stands differently with its exchange; ages are gauges and no records.

    `server` is since when the one that says so runs: what another one said holds no more.
    """

    account: AccountName
    environment: str
    health: Health
    server: datetime | None = None


class StuckChanged(Written, frozen=True, kw_only=True):
    """What is past its deadline changed: `standing` is all of it now, `ended` what no longer is."""

    account: AccountName
    raised: tuple[str, ...]
    ended: tuple[str, ...]
    standing: tuple[Stuck, ...]


class LossCapReached(Written, frozen=True, kw_only=True):
    """The account lost as much today (UTC) as it may: no entry before tomorrow."""

    account: AccountName
    quote: Asset
    lost: Decimal
    cap: Decimal


class LossCapLifted(Written, frozen=True, kw_only=True):
    """An operator let entries in again today; what was `lost` until then is let pass."""

    account: AccountName
    quote: Asset
    lost: Decimal
    by: str


AccountRecord: TypeAlias = (
    AccountBound
    | LifeBegan
    | WatermarkMoved
    | OthersSeen
    | OrphanCancelIntended
    | BanNoted
    | RecoveryFinished
    | HealthChanged
    | StuckChanged
    | LossCapReached
    | LossCapLifted
)

Record: TypeAlias = PositionRecord | BotStatusChanged | AccountRecord


def kind_of(record: Record) -> str:
    """Return the name under which a record is stored."""
    return str(record.__struct_config__.tag)
