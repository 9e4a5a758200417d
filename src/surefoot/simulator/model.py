"""What the simulated exchange is made of. Amounts are Decimal, times milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

Side = Literal["BUY", "SELL"]
FeeMode = Literal["received", "quote", "bnb", "mixed"]
MarketMode = Literal["tape", "random", "manual", "mirror", "recorded"]
# How orders meet the market: see `matching`.
Fills = Literal["touch", "through"]
# Orders that wait for a price before they reach the book; they take a slot of their own.
ALGO: Final = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
OPEN: Final = frozenset({"NEW", "PARTIALLY_FILLED"})
ZERO: Final = Decimal(0)


class ApiError(Exception):
    """An answer in Binance's words: an HTTP status, a code and a message."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Rules:
    """One symbol and its filters."""

    symbol: str
    base: str
    quote: str
    price: Decimal
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("0.00001")
    quantity_min: Decimal = Decimal("0.00001")
    quantity_max: Decimal = Decimal(9000)
    notional_min: Decimal = Decimal(5)
    price_min: Decimal = ZERO  # zero: the tick
    price_max: Decimal = Decimal(1_000_000)
    market_quantity_min: Decimal = ZERO
    market_quantity_max: Decimal = ZERO  # zero: as for every order
    market_lot: Decimal = ZERO
    notional_max: Decimal = Decimal(9_000_000)
    apply_min_to_market: bool = True
    apply_max_to_market: bool = False
    percent_bid_up: Decimal = ZERO  # PERCENT_PRICE_BY_SIDE, not shown unless one is set
    percent_bid_down: Decimal = ZERO
    percent_ask_up: Decimal = ZERO
    percent_ask_down: Decimal = ZERO
    max_orders: int = 200
    max_algo_orders: int = 5
    max_amends: int = 10
    reference_price: Decimal = ZERO  # zero: there is none
    range_bid_up: Decimal = ZERO  # the price range rule, around the reference price
    range_bid_down: Decimal = ZERO
    range_ask_up: Decimal = ZERO
    range_ask_down: Decimal = ZERO
    depth: Decimal = ZERO  # how much one taker finds; zero: as much as it wants
    trading: bool = True
    replaces: bool = True  # orders are replaced and amended in one request

    def may_take(self, side: str, price: Decimal) -> bool:
        """Tell whether a taker may trade at a price; without a reference price it may at any."""
        up, down = (
            (self.range_bid_up, self.range_bid_down)
            if side == "BUY"
            else (self.range_ask_up, self.range_ask_down)
        )
        if self.reference_price == ZERO:
            return True
        highest = self.reference_price * up if up else price
        return self.reference_price * down <= price <= highest


def default_rules() -> tuple[Rules, ...]:
    """Return the two symbols of the tape and two quiet ones."""
    return (
        Rules(symbol="BTCUSDT", base="BTC", quote="USDT", price=Decimal("61685.99")),
        Rules(
            symbol="ETHUSDT",
            base="ETH",
            quote="USDT",
            price=Decimal("2682.51"),
            lot=Decimal("0.0001"),
            quantity_min=Decimal("0.0001"),
        ),
        Rules(
            symbol="BNBUSDT",
            base="BNB",
            quote="USDT",
            price=Decimal(500),
            tick=Decimal("0.1"),
            lot=Decimal("0.001"),
            quantity_min=Decimal("0.001"),
        ),
        Rules(
            symbol="SOLUSDT",
            base="SOL",
            quote="USDT",
            price=Decimal(150),
            lot=Decimal("0.001"),
            quantity_min=Decimal("0.001"),
        ),
    )


def default_balances() -> dict[str, Decimal]:
    """Return enough to trade with."""
    return {"USDT": Decimal(100_000), "BNB": Decimal(10)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a mirrored venue's public side is, and which of its symbols are mirrored."""

    rest: str
    streams: str
    symbols: tuple[str, ...]

    @classmethod
    def at(cls, url: str | None, symbols: Iterable[str]) -> Origin:
        """Return another simulator by its address, or without one the real Binance.

        Of Binance, the hosts that serve public data to everybody and take no orders.
        """
        return cls(
            rest="https://data-api.binance.vision/api/v3" if url is None else f"{url}/api/v3",
            streams="wss://data-stream.binance.vision/stream"
            if url is None
            else f"{url.replace('http', 'ws', 1)}/stream",
            symbols=tuple(symbols),
        )


@dataclass(frozen=True, slots=True, order=True)
class Tick:
    """One recorded price at one time, and how much was traded around it."""

    at_ms: int
    symbol: str
    price: Decimal
    quantity: Decimal = Decimal("0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCandle:
    """One candle of a recording; `at_ms` is when it opened."""

    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """A time of which a recording of candles says nothing; how many are missing."""

    symbol: str
    begin_ms: int
    end_ms: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was recorded, in the order of time; `spread` is a part of the price.

    `lengths` are those of the candles of each symbol that was recorded in candles, in
    milliseconds; `before` are candles from before the beginning, which are shown and not played.
    """

    ticks: tuple[Tick, ...]
    spread: Decimal
    holes: tuple[Hole, ...] = ()
    lengths: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, Sequence[RecordedCandle]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Settings:
    """How to set the exchange up; `port` 0 takes a free one. It listens on loopback only."""

    port: int = 0
    key: str = "simulated-key"
    secret: str = "simulated-secret"  # noqa: S105 (the point of a simulated exchange)
    uid: int = 354_937_868
    rules: tuple[Rules, ...] = field(default_factory=default_rules)
    balances: dict[str, Decimal] = field(default_factory=default_balances)
    market: MarketMode = "manual"
    tape: Path | None = None
    origin: Origin | None = None  # of a mirror
    recording: Recording | None = None  # of a market that has been
    state: Path | None = None  # what outlives the process; none: nothing does
    seed: int = 1
    speed: float = 1.0
    beat_s: float = 0.25  # how often the market moves, or rolls its candles
    silence_s: float = 10.0  # a mirrored stream that says nothing for so long is asked after
    fee_mode: FeeMode = "received"
    fee_rate: Decimal = Decimal("0.001")
    slices: int = 1
    fills: Fills = "touch"
    latency_s: float = 0.0  # how long a request about orders is on its way
    cancels_rename: bool = True
    weight_limit: int = 6000
    orders_per_10s: int = 100
    orders_per_day: int = 200_000
    maker_gives_back: int = 5  # of the order count, for the first fill

    @classmethod
    def mirroring(cls, origin: Origin, **given: Any) -> Settings:
        """Return settings of an exchange with a venue's prices and filters, which doubts fills."""
        return cls(market="mirror", origin=origin, rules=(), fills="through", **given)


def ccxt_settings(url: str) -> dict[str, Any]:
    """Return what to hand to ccxt's Binance constructor so that it talks to `url`."""
    sockets = url.replace("http://", "ws://", 1)
    return {
        "urls": {
            "api": {
                "public": f"{url}/api/v3",
                "private": f"{url}/api/v3",
                "sapi": f"{url}/sapi/v1",
                "ws": {
                    "spot": f"{sockets}/stream/ws",
                    "ws-api": {"spot": f"{sockets}/ws-api/v3"},
                },
            },
        },
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
        },
    }


@dataclass(slots=True, kw_only=True)
class Twist:
    """What a fault does to an order that is being accepted."""

    fraction: Decimal | None = None
    then_cancel: bool = False
    hidden_ms: int = 0
    fills_hidden_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """One reduction of an order, and the names before and after."""

    execution_id: int
    was: str
    name: str
    old_quantity: Decimal
    new_quantity: Decimal
    at_ms: int


@dataclass(slots=True, kw_only=True)
class Order:
    """One order, as it truly is."""

    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    type: Literal["MARKET", "LIMIT", "STOP_LOSS"]
    quantity: Decimal
    price: Decimal
    stop_price: Decimal
    created_ms: int
    updated_ms: int
    origin: Literal["api", "outside"] = "api"
    at_once: bool = False
    status: str = "NEW"
    executed: Decimal = ZERO
    spent: Decimal = ZERO
    held: Decimal = ZERO
    triggered: bool = False
    hidden_until_ms: int = 0
    cancel_client_id: str = ""
    expiry_reason: str = ""
    gives_up_its_name: bool = False  # a cancel gives it the name of the request to cancel
    amendments: list[Amendment] = field(default_factory=list)
    twist: Twist = field(default_factory=Twist)
    stuck: bool = False  # the market does not fill the rest; somebody else may

    @property
    def open(self) -> bool:
        """Tell whether it may still fill."""
        return self.status in OPEN

    @property
    def name(self) -> str:
        """Return the client order id that the exchange knows it by now."""
        if self.gives_up_its_name and self.status == "CANCELED":
            return self.cancel_client_id
        return self.amendments[-1].name if self.amendments else self.client_order_id

    @property
    def waits_for_its_stop(self) -> bool:
        """Tell whether it is open and takes a slot for orders with a stop price."""
        return self.open and self.type in ALGO and not self.triggered

    @property
    def key(self) -> tuple[str, int]:
        """Return what identifies it: the exchange counts orders per symbol."""
        return (self.symbol, self.order_id)

    @property
    def left(self) -> Decimal:
        """Return what has not been filled."""
        return self.quantity - self.executed


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One fill. Ids count up per symbol, with other people's trades in between."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    at_ms: int
    hidden_until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A request for an order that has passed every filter."""

    symbol: str
    side: Side
    type: Literal["MARKET", "LIMIT", "STOP_LOSS"]
    quantity: Decimal
    price: Decimal
    stop_price: Decimal
    client_order_id: str
    at_once: bool = False  # IOC: what does not fill when it arrives, expires


@dataclass(frozen=True, slots=True)
class Level:
    """One price of a book, and how much there is at it."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The market of one symbol at one moment; the levels of its book, as far as they are known."""

    last: Decimal
    bid: Decimal
    ask: Decimal
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()

    def facing(self, side: Side) -> tuple[Level, ...]:
        """Return the levels that an order of this side would take, the best first."""
        return self.asks if side == "BUY" else self.bids

    def without(self, side: Side, quantity: Decimal) -> Quote:
        """Return what is left of the levels once somebody of this side has taken so much."""
        left = list[Level]()
        for level in self.facing(side):
            taken = min(level.quantity, quantity)
            quantity -= taken
            if taken < level.quantity:
                left.append(Level(level.price, level.quantity - taken))
        if side == "BUY":
            return replace(self, asks=tuple(left))
        return replace(self, bids=tuple(left))
