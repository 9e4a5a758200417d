"""What the engine may ask of an exchange, and in which words it is answered.

Every answer is a value of the core. Every failure is one of `surefoot.exchange.errors`. Times are
exchange time. Reads that cannot prove themselves raise `ReadFailed`: an empty answer from this
port means that the exchange really said "none".
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final, Protocol, TypeAlias

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.instrument import Instrument
from surefoot.core.order import Order
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import Asset, ClientOrderId, ExchangeOrderId, Symbol, TradeId
from surefoot.exchange.address import Address
from surefoot.exchange.budget import Urgency, Window
from surefoot.exchange.errors import NotSent, Refused, Unknown

# How often it is asked whether a socket on which nothing comes is still alive.
PULSE_S: Final = 5.0


class Venue(Struct, frozen=True, kw_only=True):
    """What one venue promises: the facts that the protocol leans on.

    `request_lifetime` is how long a signed request may travel before the venue refuses it;
    `visibility` (V) is how late an accepted order may still be missing from every read;
    `hosts` are its own, and of `urls_together` none may lead elsewhere without the others.
    `weight` is what an address may ask, `orders` what an account may send, until it tells better.
    """

    name: str
    client_id_prefix: str
    client_id_pattern: str
    request_lifetime: timedelta
    request_lifetime_max: timedelta
    visibility: timedelta
    native_stop: bool
    weight: Window
    orders: tuple[Window, ...]
    timeframes: frozenset[str]
    hosts: tuple[str, ...]
    urls_together: tuple[tuple[str, ...], ...]

    def encode(self, identity: bytes) -> ClientOrderId:
        """Write a 128-bit identity in this venue's alphabet and length.

        Raises:
            InvalidValue: the venue's own rule refuses the result (a mistake in its facts).
        """
        text = f"{self.client_id_prefix}{identity.hex()}"
        if not re.fullmatch(self.client_id_pattern, text):
            raise InvalidValue(f"{self.name} does not allow the client order id {text}")
        return ClientOrderId(text)

    def decode(self, client_order_id: str) -> bytes | None:
        """Read an identity back, or None if it cannot be one of ours."""
        text = client_order_id.removeprefix(self.client_id_prefix)
        if f"{self.client_id_prefix}{text}" != client_order_id or not text.isalnum():
            return None
        try:
            return bytes.fromhex(text)
        except ValueError:
            return None


class Identity(Struct, frozen=True, kw_only=True):
    """Which account answers to these keys; `environment` is "live", "paper" or "simulated"."""

    exchange: str
    uid: str
    environment: str


class FillsRead(Struct, frozen=True, kw_only=True):
    """Fills of one symbol, oldest first; `complete` only if the window is proven without a gap.

    `reset` tells that the newest trade is older than the watermark: another account, or an
    exchange that started over.
    """

    fills: tuple[Fill, ...]
    complete: bool
    reset: bool = False


class OrdersRead(Struct, frozen=True, kw_only=True):
    """Orders of one symbol; `complete` only if none is missing that was placed since a time."""

    orders: tuple[OrderReport, ...]
    complete: bool


class Tick(Struct, frozen=True, kw_only=True):
    """The market at one moment; `price` is the last trade, `at` exchange time."""

    symbol: Symbol
    price: Decimal
    bid: Decimal
    ask: Decimal
    at: datetime

    @property
    def level(self) -> Decimal:
        """Return the price that levels are held against: bid and ask are prices as well.

        It is the last trade's, or that of the side of the book which has passed it since.
        """
        if self.bid > self.ask:
            return self.price
        return min(max(self.price, self.bid), self.ask)


class Candle(Struct, frozen=True, kw_only=True):
    """One candle; `at` is its opening time, `volume` in base units.

    One that is not `closed` is told by streams only, as far as it has come.
    """

    symbol: Symbol
    timeframe: str
    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool = True


class Gap(Struct, frozen=True, kw_only=True):
    """A stream was broken or silent: whatever it would have said must be read instead."""

    reason: str


class Connected(Struct, frozen=True, kw_only=True):
    """A stream is up; from now on it buffers, and reads may start."""


AccountEvent: TypeAlias = OrderReport | Fill | Gap | Connected
MarketEvent: TypeAlias = Tick | Candle | Gap | Connected


class Time(Protocol):
    """The clock that an adapter is lent."""

    def now(self) -> datetime:
        """Return the local wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """One account's keys, its settings, and where they lead (its environment).

    `keys` returns the key and the secret as they are written now, whenever it connects. A socket
    that does not answer a ping in so many seconds twice is dead.
    """

    keys: Callable[[], tuple[str, str]] = field(repr=False)
    settings: dict[str, Any] = field(repr=False)
    environment: str
    time: Time
    address: Address
    pulse_s: float = PULSE_S


class Question(Enum):
    """What a round may consist of, as far as it is paid for differently."""

    ORDER = auto()  # one order, by either id
    ORDERS = auto()  # the newest of one symbol
    OPEN_ORDERS = auto()  # of one symbol
    ALL_OPEN_ORDERS = auto()  # of every symbol
    FILLS = auto()  # one page of the fills of a symbol
    BALANCES = auto()
    CANDLES = auto()


class Spending(Struct, frozen=True, kw_only=True):
    """Requests made and request weight spent since the adapter was created."""

    requests: int
    weight: int


class Holding(Struct, frozen=True, kw_only=True):
    """What an account has of one asset: free, and locked by orders that rest."""

    free: Decimal
    locked: Decimal


class Halves(Struct, frozen=True, kw_only=True):
    """What became of an order that was to be cancelled, and of the one to be sent in its place.

    `cancelled` is the order as its cancel left it, None if it was not cancelled. `placed` is the
    new one, or what the answer says of it as the errors of `Orders.send` do.
    """

    cancelled: OrderReport | None
    placed: OrderReport | NotSent | Refused | Unknown


class Orders(Protocol):
    """The verbs that change something; the only ones that `engine.dispatch` is given."""

    def now(self) -> datetime:
        """Return exchange time: the local clock corrected by the measured offset."""
        ...

    def later(self, urgency: Urgency, orders: int) -> datetime | None:
        """Return when so many orders may be sent without being too many; None: now."""
        ...

    def reserve(self, order: Order) -> None:
        """Keep the place of an order that is about to be written down, until `not_after`."""
        ...

    async def send(self, symbol: Symbol, order: Order) -> OrderReport:
        """Send an order once, so that the exchange refuses it after `order.not_after`.

        It does not wait: it goes in the place that was kept for it.

        Raises:
            NotSent: it never left (also when `not_after` has passed already).
            Refused: a definitive code says that it was not accepted.
            Unknown: anything else.
        """
        ...

    async def cancel(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        *,
        name: ClientOrderId | None = None,
    ) -> None:
        """Ask for an order to be cancelled; returning proves nothing, so query afterwards.

        `name` is what the request is called; the exchange may know the order by it afterwards.

        Raises:
            NotSent | Refused | Unknown: as for `send`.
        """
        ...

    async def cancel_named(
        self, symbol: Symbol, client_order_id: ClientOrderId, *, cancel_name: ClientOrderId | None
    ) -> OrderReport | None:
        """Cancel an order by its own name; None: the venue's engine has none of it at work.

        Either is the truth of that instant, which no read is. The order is told as its cancel left
        it, perhaps under the name of the cancel.

        Raises:
            NotSent | Refused | Unknown: as for `send`; nothing is known then.
        """
        ...

    async def replace(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        order: Order,
        *,
        cancel_name: ClientOrderId,
    ) -> Halves:
        """Cancel an order of which nothing is filled, and only then send another: one request.

        For symbols whose instrument `replaces`. It expires as `send` does.

        Raises:
            NotSent | Refused | Unknown: as for `send`, of the request: neither half was done.
        """
        ...

    async def amend(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        order: Order,
        *,
        quantity: Decimal,
        not_after: datetime,
    ) -> OrderReport:
        """Make an order smaller where it stands: it keeps its names, its place and its level.

        For symbols whose instrument `amends`. What fails leaves it as it was.

        Raises:
            NotSent | Refused | Unknown: as for `send`.
        """
        ...


class Reads(Protocol):
    """The questions. All raise `ReadFailed` (or `Banned`) when there is no believable answer."""

    async def order(self, symbol: Symbol, client_order_id: ClientOrderId) -> OrderReport | None:
        """Look one order up by client order id; None if the exchange says that it knows none."""
        ...

    async def order_by_exchange_id(
        self, symbol: Symbol, exchange_order_id: ExchangeOrderId
    ) -> OrderReport | None:
        """Look one order up by the exchange's id, to learn whose client order id it carries."""
        ...

    async def open_orders(self, symbols: Sequence[Symbol]) -> tuple[OrderReport, ...]:
        """List the open orders on these symbols, in whichever way costs less weight."""
        ...

    async def fills(self, symbol: Symbol, after: TradeId | None) -> FillsRead:
        """Read every fill after a trade, page by page until a short page; None: from the first.

        The first page is read from the watermark itself, so that it must show it again.
        """
        ...

    async def fills_since(self, symbol: Symbol, at: datetime) -> FillsRead:
        """Read every fill of a time and later; `complete` as for those after a trade."""
        ...

    async def fills_of(
        self, symbol: Symbol, exchange_order_id: ExchangeOrderId
    ) -> tuple[Fill, ...]:
        """Read the fills of one order."""
        ...

    async def newest_fills(self, symbol: Symbol) -> tuple[Fill, ...]:
        """Read the account's newest fills of a symbol, as many as one answer has, oldest first."""
        ...

    async def newest_orders(self, symbol: Symbol, since: datetime) -> OrdersRead:
        """Read those of the account's newest orders of a symbol that are over, or partly filled.

        As many as one answer has, and perhaps some seconds behind what is told of one order.
        """
        ...

    async def balances(self, *, since: datetime | None = None) -> dict[Asset, Decimal]:
        """Return total holdings (free and locked) of every asset that is not zero.

        What the exchange said of them in answer to another question serves as well, if it was
        asked at or after `since`.
        """
        ...

    async def holding(self, asset: Asset, *, since: datetime | None = None) -> Holding:
        """Return what the account has of one asset, and how much of it is not bound by orders.

        What was said at or after `since` serves, as for `balances`.
        """
        ...

    async def ticks(self, symbols: Sequence[Symbol]) -> tuple[Tick, ...]:
        """Read the last price and the book of these symbols; one without either is left out."""
        ...

    async def candles(
        self, symbol: Symbol, timeframe: str, since: datetime | None, limit: int
    ) -> tuple[Candle, ...]:
        """Read closed candles that opened at or after `since` (None: the newest), oldest first."""
        ...


class Streams(Protocol):
    """What the exchange tells unasked. Iterators never end by themselves; cancel them."""

    def account(self) -> AsyncIterator[AccountEvent]:
        """Yield order reports and fills of the account, with a `Gap` for every break."""
        ...

    def market(
        self, symbols: Sequence[Symbol], timeframes: Sequence[tuple[Symbol, str]]
    ) -> AsyncIterator[MarketEvent]:
        """Yield ticks of these symbols and candles of these pairs, with gaps marked."""
        ...


class Exchange(Orders, Reads, Streams, Protocol):
    """One account at one exchange."""

    venue: Venue

    async def connect(self) -> None:
        """Load the markets and measure the clock offset.

        Raises:
            ReadFailed: not now; try again later.
            Misconfigured: not ever, with these settings.
        """
        ...

    async def identify(self) -> Identity:
        """Ask which account the keys belong to."""
        ...

    async def may_withdraw(self) -> bool | None:
        """Ask whether these keys may take money off the account; None where nobody tells."""
        ...

    async def measure_clock(self) -> Decimal:
        """Measure the exchange's clock again; return local minus exchange, in seconds."""
        ...

    async def clock_denied(self) -> None:
        """Wait until an answer to whatever request denies our clock; once for each measurement."""
        ...

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the filters of one symbol (loaded by `connect`).

        Raises:
            Misconfigured: the venue does not list it; the message names near ones.
        """
        ...

    def is_trading(self, symbol: Symbol) -> bool:
        """Tell whether a listed symbol is trading now; a halted one is still watched."""
        ...

    def price(self, question: Question) -> int:
        """Return what asking this once costs, in weight."""
        ...

    def oldest(self, trade_ids: Iterable[TradeId]) -> TradeId | None:
        """Return the oldest of these trades; None if none of them is a trade of this venue."""
        ...

    def spending(self) -> Spending:
        """Return what has been asked so far."""
        ...

    def note_ban(self, until: datetime) -> None:
        """Keep away until then: a ban that was noted before a restart still holds."""
        ...

    def banned_until(self) -> datetime | None:
        """Return until when the exchange asked us to stay away; None if it does not."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
