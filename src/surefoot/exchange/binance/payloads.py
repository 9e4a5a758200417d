"""Binance payloads as values of the core. Strict: what is odd is `Garbled` and not believed.

Amounts are read from the strings of the payload, never through a float; a missing field is never
a default. A parser that invents "0 filled" invents that nothing happened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from surefoot.core.errors import InvalidValue
from surefoot.core.instrument import Instrument
from surefoot.core.order import ReportedStatus
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import (
    Asset,
    ClientOrderId,
    ExchangeOrderId,
    Side,
    Symbol,
    TradeId,
)
from surefoot.exchange.binance.verdicts import Garbled
from surefoot.exchange.budget import Window
from surefoot.exchange.port import Candle, Holding, Tick

Payload: TypeAlias = Mapping[str, Any]

STATUSES: Final = {
    "NEW": ReportedStatus.OPEN,
    "PENDING_NEW": ReportedStatus.OPEN,
    "PARTIALLY_FILLED": ReportedStatus.OPEN,
    "PENDING_CANCEL": ReportedStatus.OPEN,
    "FILLED": ReportedStatus.FILLED,
    "CANCELED": ReportedStatus.CANCELED,
    "EXPIRED": ReportedStatus.EXPIRED,
    "EXPIRED_IN_MATCH": ReportedStatus.EXPIRED,
    "REJECTED": ReportedStatus.REJECTED,
}

_UNITS: Final = {
    "SECOND": timedelta(seconds=1),
    "MINUTE": timedelta(minutes=1),
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
}
_COUNT_END: Final = 10**9
# Ids are counters; twenty digits is more than 64 bits hold.
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_ID_END: Final = 10**20
_SHOWN_MAX: Final = 60
_TEXT_MAX: Final = 64
# Plain digits, and no exponent that would unfold into a mountain of zeros.
_AMOUNT: Final = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_MAGNITUDE_MAX: Final = 30
# Milliseconds since 1970, in 2010 and in 2100: what is outside was written in another unit.
_FIRST: Final = 1_262_304_000_000
_LAST: Final = 4_102_444_800_000


def payload(value: object) -> Payload:
    """Return a JSON object, or raise `Garbled`."""
    if not isinstance(value, dict):
        raise Garbled(f"expected a JSON object, got {type(value).__name__}")
    return value


def listed(value: object) -> list[Payload]:
    """Return a list of JSON objects, or raise `Garbled`."""
    if not isinstance(value, list):
        raise Garbled(f"expected a list, got {type(value).__name__}")
    return [payload(each) for each in value]


def order_report(row: object, symbol: Symbol, name: str) -> OrderReport:
    """Read one order of the REST API (acknowledgement, query and list have the same fields).

    `name` is what Binance calls the symbol; an order of another one is not believed.
    """
    raw = payload(row)
    _of_symbol(raw, name)
    return OrderReport(
        symbol=symbol,
        client_order_id=ClientOrderId(text(raw, "clientOrderId")),
        exchange_order_id=ExchangeOrderId(number(raw, "orderId")),
        status=_status(raw, "status"),
        side=_side(raw, "side"),
        quantity=positive(raw, "origQty"),
        filled=_part(raw, "executedQty", "origQty"),
        limit=amount(raw, "price") or None,
        at=_order_time(raw),
        placed_at=moment(raw, "time") if "time" in raw else None,
        cost=_cost(raw),
    )


def is_telling(raw: Payload) -> bool:
    """Tell whether something of an order is filled, or it is over."""
    is_over = _status(raw, "status") is not ReportedStatus.OPEN
    return amount(raw, "executedQty") > 0 or (is_over and amount(raw, "origQty") > 0)


def _cost(raw: Payload) -> Decimal | None:
    """Read what was paid for what is filled; it is negative where Binance does not know it."""
    if "cummulativeQuoteQty" not in raw:
        return None
    cost = to_decimal(raw["cummulativeQuoteQty"], "cummulativeQuoteQty")
    return cost if cost > 0 else None


def amended(answer: object, symbol: Symbol, name: str) -> OrderReport:
    """Read the answer to an amendment: the order, with another word for its quantity."""
    raw = payload(payload(answer).get("amendedOrder"))
    return order_report({**raw, "origQty": raw.get("qty")}, symbol, name)


def fill(row: object, symbol: Symbol, name: str) -> Fill:
    """Read one row of myTrades."""
    raw = payload(row)
    _of_symbol(raw, name)
    return Fill(
        symbol=symbol,
        trade_id=TradeId(number(raw, "id")),
        exchange_order_id=ExchangeOrderId(number(raw, "orderId")),
        side=Side.BUY if flag(raw, "isBuyer") else Side.SELL,
        price=positive(raw, "price"),
        quantity=positive(raw, "qty"),
        fee=to_decimal(raw.get("commission"), "commission"),
        fee_asset=Asset(text(raw, "commissionAsset")),
        at=moment(raw, "time"),
    )


def execution(raw: Payload, symbol: Symbol) -> tuple[OrderReport, Fill | None]:
    """Read one executionReport of the user data stream.

    `C` is the order's own id when `c` names the cancel request.
    """
    client_order_id = ClientOrderId(text(raw, "C" if raw.get("C") else "c"))
    report = OrderReport(
        symbol=symbol,
        client_order_id=client_order_id,
        exchange_order_id=ExchangeOrderId(number(raw, "i")),
        status=_status(raw, "X"),
        side=_side(raw, "S"),
        quantity=positive(raw, "q"),
        filled=_part(raw, "z", "q"),
        limit=amount(raw, "p") or None,
        at=moment(raw, "T"),
    )
    if raw.get("x") != "TRADE":
        return report, None
    fee_asset = None if raw.get("N") is None else Asset(text(raw, "N"))
    trade = Fill(
        symbol=symbol,
        trade_id=TradeId(number(raw, "t")),
        exchange_order_id=report.exchange_order_id,
        client_order_id=client_order_id,
        side=report.side,
        price=positive(raw, "L"),
        quantity=positive(raw, "l"),
        fee=to_decimal(raw.get("n"), "n"),
        fee_asset=fee_asset,
        at=moment(raw, "T"),
    )
    return report, trade


def instrument(raw: Payload, symbol: Symbol) -> Instrument:
    """Read a symbol's filters from exchangeInfo."""
    filters = {_word(each, "filterType"): each for each in listed(raw.get("filters"))}
    try:
        price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    except KeyError as missing:
        raise Garbled(f"{symbol} has no filter {missing}") from missing
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
    market = filters.get("MARKET_LOT_SIZE")
    largest_market = amount(market, "maxQty") if market is not None else Decimal(0)
    stops = filters.get("MAX_NUM_ALGO_ORDERS", {})
    return Instrument(
        symbol=symbol,
        base=Asset(text(raw, "baseAsset")),
        quote=Asset(text(raw, "quoteAsset")),
        tick=amount(price, "tickSize"),
        lot=amount(lot, "stepSize"),
        quantity_min=amount(lot, "minQty"),
        quantity_max=amount(lot, "maxQty") or None,
        market_quantity_max=largest_market or None,
        stops_max=_count(stops, "maxNumAlgoOrders", least=0),
        notional_min=amount(notional, "minNotional"),
        replaces=raw.get("cancelReplaceAllowed") is True,
        amends=raw.get("amendAllowed") is True,
    )


def windows(rows: object, kind: str) -> tuple[Window, ...]:
    """Read the limits of one kind from exchangeInfo; one that cannot be read is left out."""
    wanted = [
        row
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and row.get("rateLimitType") == kind
    ]
    return tuple(window for row in wanted if (window := _window(row)) is not None)


def _window(raw: Payload) -> Window | None:
    interval, times, limit = (
        _word(raw, "interval"),
        _count(raw, "intervalNum"),
        _count(raw, "limit"),
    )
    if interval not in _UNITS or times is None or limit is None:
        return None
    return Window(name=f"{times}{interval[0]}", length=times * _UNITS[interval], limit=limit)


def _count(raw: Payload, key: str, least: int = 1) -> int | None:
    value = raw.get(key)
    return value if type(value) is int and least <= value < _COUNT_END else None


def candle(row: object, symbol: Symbol, timeframe: str) -> Candle:
    """Read one row of klines."""
    if not isinstance(row, list) or len(row) < 7:  # noqa: PLR2004 (open time to close time)
        raise Garbled("a kline is a list of at least seven values")
    raw = dict(zip("ohlcv", row[1:6], strict=True))
    return _candle(raw, symbol, timeframe, to_moment(row[0], "open time"))


def stream_candle(raw: Payload, symbol: Symbol) -> Candle:
    """Read one kline event."""
    candle = _candle(raw, symbol, text(raw, "i"), moment(raw, "t"))
    return candle if raw.get("x") is True else replace(candle, closed=False)


def _candle(raw: Payload, symbol: Symbol, timeframe: str, at: datetime) -> Candle:
    low, high = positive(raw, "l"), positive(raw, "h")
    if low > high:
        raise Garbled(f"the low {low} is above the high {high}")
    return Candle(
        symbol=symbol,
        timeframe=timeframe,
        at=at,
        open=positive(raw, "o"),
        high=high,
        low=low,
        close=positive(raw, "c"),
        volume=amount(raw, "v"),
    )


def close_time(row: object) -> datetime:
    """Read when a candle of klines closes."""
    if not isinstance(row, list) or len(row) < 7:  # noqa: PLR2004 (see above)
        raise Garbled("a kline has its closing time in the seventh place")
    return to_moment(row[6], "close time")


def is_market(raw: Payload) -> bool:
    """Tell whether a row of exchangeInfo can be read: names, and amounts of a sane length."""
    try:
        text(raw, "symbol")
        instrument(raw, Symbol(f"{text(raw, 'baseAsset')}/{text(raw, 'quoteAsset')}"))
    except (Garbled, InvalidValue):
        return False
    return True


def server_time(answer: object) -> datetime:
    """Read what time it is at the exchange."""
    return moment(payload(answer), "serverTime")


def uid(answer: object) -> str:
    """Read whose account it is."""
    return number(payload(answer), "uid")


def may_withdraw(answer: object) -> bool:
    """Read whether the keys that asked may take money off the account."""
    return flag(payload(answer), "enableWithdrawals")


def holdings(answer: object) -> dict[Asset, Holding]:
    """Read what the account has, by asset."""
    return {
        Asset(text(row, "asset")): Holding(free=amount(row, "free"), locked=amount(row, "locked"))
        for row in listed(payload(answer).get("balances"))
    }


def prices(answer: object) -> dict[str, Decimal]:
    """Read last prices by symbol; a row that cannot be read costs that symbol only."""
    found = {}
    for row in listed(answer):
        with suppress(Garbled):
            found[text(row, "symbol")] = positive(row, "price")
    return found


def books(answer: object) -> dict[str, tuple[Decimal, Decimal]]:
    """Read best bids and asks by symbol; one without both sides costs that symbol only."""
    found = {}
    for row in listed(answer):
        with suppress(Garbled):
            sides = (positive(row, "bidPrice"), positive(row, "askPrice"))
            found[text(row, "symbol")] = sides
    return found


def ticks(
    names: Mapping[str, Symbol],
    last: Mapping[str, Decimal],
    book: Mapping[str, tuple[Decimal, Decimal]],
    at: datetime,
) -> tuple[Tick, ...]:
    """Return a tick of each symbol that has a last price and a book."""
    return tuple(
        Tick(symbol=symbol, price=last[name], bid=book[name][0], ask=book[name][1], at=at)
        for name, symbol in names.items()
        if name in last and name in book
    )


def text(raw: Payload, key: str) -> str:
    """Return a short text field that can be written down."""
    value = raw.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX or not value.isprintable():
        raise Garbled(f"{key} is {_shown(value)}, expected text")
    return value


def is_number(value: str) -> bool:
    """Tell whether a text is an id as Binance writes them: a plain whole number."""
    return _NUMBER.fullmatch(value) is not None


def number(raw: Payload, key: str) -> str:
    """Return an id field as text; ids are whole numbers, sometimes written as strings."""
    value = raw.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ID_END:
        return str(value)
    if isinstance(value, str) and is_number(value):
        return value
    raise Garbled(f"{key} is {_shown(value)}, expected a whole number")


def flag(raw: Payload, key: str) -> bool:
    """Return a true or false field."""
    value = raw.get(key)
    if not isinstance(value, bool):
        raise Garbled(f"{key} is {_shown(value)}, expected true or false")
    return value


def amount(raw: Payload, key: str) -> Decimal:
    """Return an amount that is zero or more."""
    value = to_decimal(raw.get(key), key)
    if value < 0:
        raise Garbled(f"{key} is {value}, expected zero or more")
    return value


def positive(raw: Payload, key: str) -> Decimal:
    """Return an amount that is more than zero."""
    value = amount(raw, key)
    if not value:
        raise Garbled(f"{key} is zero, expected more")
    return value


def moment(raw: Payload, key: str) -> datetime:
    """Return a time field, which Binance writes as milliseconds since 1970."""
    return to_moment(raw.get(key), key)


def to_moment(value: object, key: str) -> datetime:
    """Turn milliseconds since 1970 into an aware UTC time."""
    if not isinstance(value, int) or isinstance(value, bool) or not _FIRST <= value < _LAST:
        raise Garbled(f"{key} is {_shown(value)}, expected milliseconds since 1970")
    return datetime.fromtimestamp(value / 1000, UTC)


def to_decimal(value: object, key: str) -> Decimal:
    """Turn the text of an amount into a finite decimal of a sane size; floats are refused."""
    if not isinstance(value, str) or _AMOUNT.fullmatch(value) is None:
        raise Garbled(f"{key} is {_shown(value)}, expected an amount as text")
    result = Decimal(value)
    if result and abs(result.adjusted()) > _MAGNITUDE_MAX:
        raise Garbled(f"{key} is {_shown(value)}, which is beyond any amount")
    return result


def _status(raw: Payload, key: str) -> ReportedStatus:
    status = STATUSES.get(_word(raw, key))
    if status is None:
        raise Garbled(f"{key} is {_shown(raw.get(key))}, which is no order status")
    return status


def _word(raw: Payload, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _side(raw: Payload, key: str) -> Side:
    try:
        return Side(_word(raw, key).lower())
    except ValueError:
        raise Garbled(f"{key} is {_shown(raw.get(key))}, expected BUY or SELL") from None


def _of_symbol(raw: Payload, name: str) -> None:
    if raw.get("symbol") != name:
        raise Garbled(f"asked about {name}, answered about {_shown(raw.get('symbol'))}")


def _part(raw: Payload, key: str, whole: str) -> Decimal:
    part = amount(raw, key)
    if part > positive(raw, whole):
        raise Garbled(f"{key} is {part}, which is more than {whole}")
    return part


def _order_time(raw: Payload) -> datetime | None:
    key = next((key for key in ("updateTime", "transactTime", "time") if key in raw), None)
    return None if key is None else moment(raw, key)


def _shown(value: object) -> str:
    """Show what is odd, briefly: it may be very large, and an integer too large to be written."""
    if isinstance(value, str):
        return repr(value[:_SHOWN_MAX])
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int) and abs(value) < _ID_END:
        return str(value)
    return f"of type {type(value).__name__}"
