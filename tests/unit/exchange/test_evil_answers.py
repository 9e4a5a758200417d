"""Whatever an exchange answers becomes a fact or one of the port's failures, never anything raw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from surefoot.core.order import Order, Role
from surefoot.core.values import ClientOrderId, ExchangeOrderId, Side, Symbol
from surefoot.engine.clock import SystemClock
from surefoot.exchange.address import Address
from surefoot.exchange.binance import payloads
from surefoot.exchange.binance.adapter import Binance
from surefoot.exchange.binance.bodies import BODY_MAX, LARGE
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.binance.streams import _account_event, _Market
from surefoot.exchange.binance.verdicts import Garbled
from surefoot.exchange.errors import Misconfigured, NotSent, ReadFailed, Refused, Unknown
from surefoot.exchange.port import Gap, Login

BTC = Symbol("BTC/USDT")
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
MS = round(NOW.timestamp() * 1000)
DIGITS = "9" * 5000

ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "sf01", "price": "60000.00",
    "time": MS, "origQty": "0.00100000", "executedQty": "0.00040000", "status": "PARTIALLY_FILLED",
    "side": "BUY", "updateTime": MS,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "symbol": "BTCUSDT", "id": 28457, "orderId": 7, "price": "60000.00", "qty": "0.001",
    "commission": "0.000001", "commissionAsset": "BTC", "time": MS, "isBuyer": True,
}  # fmt: skip
EXECUTION: dict[str, Any] = {
    "e": "executionReport", "s": "BTCUSDT", "c": "sf01", "C": "", "S": "BUY", "q": "0.001",
    "p": "60000", "X": "FILLED", "x": "TRADE", "i": 7, "z": "0.001", "T": MS, "t": 28457,
    "L": "60000", "l": "0.001", "n": "0", "N": None, "E": MS,
}  # fmt: skip
KLINE: list[Any] = [MS, "1", "3", "1", "2", "10", MS + 59_999, "20", 5, "1", "2", "0"]
FILTERS: list[Any] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    {"filterType": "NOTIONAL", "minNotional": "5.0"},
]
MARKET: dict[str, Any] = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
    "filters": FILTERS,
}  # fmt: skip
BALANCES = {"uid": 354937868, "balances": [{"asset": "BTC", "free": "1", "locked": "0"}]}

# What is not believed, field by field; the rest of the row is as it should be.
ODD: list[tuple[str, Any]] = [
    ("updateTime", 9_999_999_999_999_999),  # the year 318857
    ("updateTime", 10**400),
    ("updateTime", -1),
    ("updateTime", 0),
    ("updateTime", MS * 1000),  # microseconds
    ("updateTime", str(MS)),
    ("updateTime", float(MS)),
    ("updateTime", None),
    ("updateTime", True),
    ("orderId", "²"),
    ("orderId", "٣"),
    ("orderId", -7),
    ("orderId", 7.0),
    ("orderId", 10**5000),
    ("orderId", DIGITS),
    ("orderId", ""),
    ("orderId", [7]),
    ("executedQty", "1E+999999"),
    ("executedQty", "1E-999999"),
    ("executedQty", "1E+99"),
    ("executedQty", DIGITS),
    ("executedQty", "NaN"),
    ("executedQty", "Infinity"),
    ("executedQty", "-0.1"),
    ("executedQty", "٣"),
    ("executedQty", "1_0"),
    ("executedQty", " 1"),
    ("executedQty", 0.0004),
    ("executedQty", None),
    ("executedQty", "0.00100001"),  # more than was ordered
    ("origQty", "0"),
    ("symbol", "ETHUSDT"),
    ("symbol", ["BTCUSDT"]),
    ("symbol", None),
    ("clientOrderId", ""),
    ("clientOrderId", "x" * 100_000),
    ("clientOrderId", "\ud800"),
    ("clientOrderId", "\x00"),
    ("clientOrderId", {}),
    ("status", []),
    ("status", "PENDING"),
    ("side", {"BUY": 1}),
]


@pytest.mark.parametrize(
    ("field", "value"),
    ODD,
    ids=[f"{f} {v!r:.20}" for f, v in ODD[:8]]
    + [f"{field} {number}" for number, (field, _) in enumerate(ODD[8:])],
)
def test_what_is_odd_is_not_believed(field: str, value: Any) -> None:
    payloads.order_report(ORDER, BTC, "BTCUSDT")
    with pytest.raises(Garbled):
        payloads.order_report({**ORDER, field: value}, BTC, "BTCUSDT")


@pytest.mark.parametrize(
    ("text", "amount"), [("0.00000001", D("1E-8")), ("1E-8", D("1E-8")), ("-0.1", D("-0.1"))]
)
def test_what_is_sane_is_read(text: str, amount: D) -> None:
    assert payloads.to_decimal(text, "qty") == amount


# Anything at all ---------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 0, 2**63, MS, MS * 1000]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["²", "1E+999999", DIGITS, "NaN", "-1", "BTCUSDT", "\ud800", "BUY", "0.1"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(("told", "places"), [(0, 0), (5, 4), (-1, None), ("5", None)])
def test_of_no_place_for_a_stop_is_not_made_one(told: Any, places: int | None) -> None:
    """A symbol whose stops are no more taken was one that takes any number of them."""
    count = {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": told}
    market = MARKET | {"filters": [*FILTERS, count], "cancelReplaceAllowed": True}
    assert payloads.instrument(market, BTC).stop_places == places


@st.composite
def mutated(draw: st.DrawFn, valid: Any) -> Any:
    """Take a good answer and spoil some of it, or return something else altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ANYTHING)
    if isinstance(valid, dict):
        spoilt = dict(valid)
        for key in draw(st.lists(st.sampled_from(sorted(valid)), min_size=1, max_size=3)):
            if draw(st.booleans()):
                spoilt[key] = draw(mutated(valid[key]))
            else:
                spoilt.pop(key, None)
        return spoilt
    if isinstance(valid, list) and valid:
        at = draw(st.integers(0, len(valid) - 1))
        return [*valid[:at], draw(mutated(valid[at])), *valid[at + draw(st.integers(0, 1)) :]]
    return draw(ANYTHING)


PARSERS: list[tuple[str, Any, Callable[[Any], Any]]] = [
    ("order", ORDER, lambda row: payloads.order_report(row, BTC, "BTCUSDT")),
    ("trade", TRADE, lambda row: payloads.fill(row, BTC, "BTCUSDT")),
    ("execution", EXECUTION, lambda row: payloads.execution(payloads.payload(row), BTC)),
    ("kline", KLINE, lambda row: payloads.candle(row, BTC, "1m")),
    ("closing", KLINE, payloads.close_time),
    ("market", MARKET, lambda row: payloads.is_market(payloads.payload(row))),
    ("list", [ORDER], payloads.listed),
]


@pytest.mark.parametrize(("name", "valid", "parse"), PARSERS, ids=[n for n, *_ in PARSERS])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_spoilt_answer_is_garbled_or_read(
    *, name: str, valid: Any, parse: Callable[[Any], Any], data: st.DataObject
) -> None:
    parse(valid)
    try:
        parse(data.draw(mutated(valid)))
    except Garbled as error:
        said = str(error)
    else:
        said = ""
    assert len(said) < 400, name


class Markets:
    """What a stream needs of a client."""

    def __init__(self) -> None:
        self.markets = {"BTC/USDT": {"id": "BTCUSDT"}}
        self.markets_by_id = {"BTCUSDT": [{"symbol": "BTC/USDT"}]}


@given(message=mutated(EXECUTION).filter(lambda value: isinstance(value, dict)))
@settings(max_examples=150, deadline=None)
def test_a_spoilt_event_is_a_gap_or_skipped(message: dict[str, Any]) -> None:
    client: Any = Markets()
    _account_event(client, message)
    market = _Market(client, lambda: NOW)
    for kind in ("trade", "book", "kline"):
        market.take(kind, message)
    assert isinstance(
        _Market(client, lambda: NOW).take("kline", {"s": "BTCUSDT", "k": DIGITS}), Gap
    )


# Over the wire -----------------------------------------------------------------------------------


class Evil:
    """A server that answers well until it is told what to say instead."""

    def __init__(self) -> None:
        self.says: dict[str, bytes | str] = {}
        self.status = 200
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.rsplit("/", 1)[-1]
        good: Any = {
            "time": {"serverTime": MS}, "exchangeInfo": {"symbols": [MARKET]}, "order": ORDER,
            "openOrders": [ORDER], "allOrders": [ORDER], "myTrades": [TRADE],
            "account": BALANCES, "klines": [KLINE],
        }[path]  # fmt: skip
        body = self.says.get(path, json.dumps(good))
        status = self.status if path in self.says else 200
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        return web.Response(body=raw, status=status, content_type="application/json")


@pytest_asyncio.fixture
async def evil() -> AsyncIterator[Evil]:
    server = Evil()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = site._server.sockets[0].getsockname()  # type: ignore[union-attr]
    host, port = server.url[:2]
    server.url = f"http://{host}:{port}/api/v3"
    yield server
    await runner.cleanup()


@pytest_asyncio.fixture
async def exchange(evil: Evil) -> AsyncIterator[Binance]:
    urls = {"api": {"public": evil.url, "private": evil.url}}
    given: dict[str, Any] = {"urls": urls, "rateLimit": 1, "timeout_on_exit": 0}
    time = SystemClock()
    login = Login(
        keys=lambda: ("k", "s"),
        settings=given,
        environment="simulated",
        time=time,
        address=Address(BINANCE.weight, time),
    )
    opened = Binance(login)
    await opened.connect()
    yield opened
    await opened.close()


def order(now: datetime) -> Order:
    return Order(
        client_order_id=ClientOrderId("sf01"),
        role=Role.ENTRY,
        attempt=1,
        side=Side.BUY,
        quantity=D("0.001"),
        signed_at=now,
        not_after=now + timedelta(seconds=5),
    )


Ask = Callable[[Binance], Awaitable[Any]]
QUESTIONS: dict[str, tuple[str, Ask]] = {
    "connect": ("exchangeInfo", lambda at: at.connect()),
    "clock": ("time", lambda at: at.measure_clock()),
    "identify": ("account", lambda at: at.identify()),
    "balances": ("account", lambda at: at.balances()),
    "order": ("order", lambda at: at.order(BTC, ClientOrderId("sf01"))),
    "order by id": ("order", lambda at: at.order_by_exchange_id(BTC, ExchangeOrderId("7"))),
    "open orders": ("openOrders", lambda at: at.open_orders([BTC])),
    "fills": ("myTrades", lambda at: at.fills(BTC, None)),
    "fills of": ("myTrades", lambda at: at.fills_of(BTC, ExchangeOrderId("7"))),
    "newest fills": ("myTrades", lambda at: at.newest_fills(BTC)),
    "newest orders": ("allOrders", lambda at: at.newest_orders(BTC, at.now())),
    "candles": ("klines", lambda at: at.candles(BTC, "1m", None, 5)),
}
VERBS: dict[str, Ask] = {
    "send": lambda at: at.send(BTC, order(at.now())),
    "cancel": lambda at: at.cancel(BTC, ExchangeOrderId("7")),
    "cancel by name": lambda at: at.cancel_named(BTC, ClientOrderId("sf01"), cancel_name=None),
}
BODIES: dict[str, bytes | str] = {
    "nothing": "",
    "null": "null",
    "a number": "7",
    "a list of lists": "[[[[]]]]",
    "a list of nulls": "[null]",
    "an empty object": "{}",
    "deep": "[" * 100_000,
    "huge integer": f'{{"serverTime":{DIGITS},"orderId":{DIGITS},"uid":{DIGITS}}}',
    "not a number": '{"serverTime":NaN,"uid":Infinity,"orderId":-Infinity}',
    "huge exponent": json.dumps({**ORDER, "origQty": "1E+999999", "serverTime": "1E+999999"}),
    "a surrogate": '{"symbol":"\\ud800","balances":[{"asset":"\\ud800"}]}',
    "a far year": json.dumps({**ORDER, "updateTime": 10**17, "serverTime": 10**17}),
    "an odd code": '{"code":"-2010","msg":["x"]}',
    "a huge code": f'{{"code":{"9" * 400},"msg":{{}}}}',
    "not text": b"\xff\xfe\x00{",
    "a page": "<html>Please log in</html>",
}


@pytest.mark.parametrize("status", [200, 400, 401, 407, 500, 511])
async def test_an_evil_answer_is_a_failure_of_the_port(
    exchange: Binance, evil: Evil, status: int
) -> None:
    evil.status = status
    for body in BODIES.values():
        for path, ask in QUESTIONS.values():
            evil.says = {path: body}
            with pytest.raises(ReadFailed):
                await ask(exchange)
        evil.says = {"order": body}
        for do in VERBS.values():
            with pytest.raises(Unknown):
                await do(exchange)
    evil.says = {}
    for _, ask in QUESTIONS.values():
        await ask(exchange)
    for do in VERBS.values():
        await do(exchange)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_an_endless_answer_is_not_read(exchange: Binance, evil: Evil, question: str) -> None:
    """Five pages of 50 MB blocked every bot for 50 s."""
    path, ask = QUESTIONS[question]
    if path == "exchangeInfo":
        pytest.skip("the list of all markets is long; its bound is another")
    good: Any = {"time": {"serverTime": MS}, "order": ORDER, "account": BALANCES}.get(path)
    rows: Any = {
        "openOrders": [ORDER],
        "allOrders": [ORDER],
        "myTrades": [TRADE],
        "klines": [KLINE],
    }.get(path)
    evil.says = {path: json.dumps(good or rows) + " " * BODY_MAX}
    with pytest.raises(ReadFailed, match="BodyTooLarge"):
        await ask(exchange)


class Threads(ThreadPoolExecutor):
    """Counts what is done beside the loop."""

    given = 0

    @override
    def submit(self, *work: Any, **more: Any) -> Any:
        self.given += 1
        return super().submit(*work, **more)


@pytest.mark.parametrize(("rows", "beside"), [(100, 0), (LARGE // 100, 1)])
async def test_a_large_answer_is_read_beside_the_loop(
    exchange: Binance, evil: Evil, rows: int, beside: int
) -> None:
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    evil.says = {"myTrades": json.dumps([TRADE] * rows)}
    assert len(await exchange.fills_of(BTC, ExchangeOrderId("7"))) == rows
    assert threads.given == beside
    evil.says = {"myTrades": json.dumps([TRADE] * rows)[:-1]}
    with pytest.raises(ReadFailed):
        await exchange.fills_of(BTC, ExchangeOrderId("7"))


async def test_an_endless_answer_to_an_order_is_unknown(exchange: Binance, evil: Evil) -> None:
    evil.says = {"order": json.dumps(ORDER) + " " * BODY_MAX}
    for do in VERBS.values():
        with pytest.raises(Unknown, match="BodyTooLarge"):
            await do(exchange)


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "ETHUSDT"},
        {"orderId": 8, "clientOrderId": "sf02"},
        {"executedQty": "1"},
        {"updateTime": MS + 2 * 86_400_000},
    ],
    ids=str,
)
async def test_an_answer_about_something_else_is_unknown(
    exchange: Binance, evil: Evil, change: dict[str, Any]
) -> None:
    evil.says = {"order": json.dumps({**ORDER, **change})}
    for do in VERBS.values():
        with pytest.raises(Unknown):
            await do(exchange)
    for name in ("order", "order by id"):
        with pytest.raises(ReadFailed):
            await QUESTIONS[name][1](exchange)


async def test_an_acknowledgement_of_the_other_side_is_unknown(
    exchange: Binance, evil: Evil
) -> None:
    evil.says = {"order": json.dumps({**ORDER, "side": "SELL"})}
    with pytest.raises(Unknown, match="another order"):
        await exchange.send(BTC, order(exchange.now()))


async def test_a_market_that_cannot_be_read_takes_none_with_it(
    exchange: Binance, evil: Evil
) -> None:
    """Its filters would have unfolded into a mountain of zeros."""
    spoilt = [{**FILTERS[0], "tickSize": "1E-999999"}, *FILTERS[1:]]
    bad = {**MARKET, "symbol": "ETHUSDT", "baseAsset": "ETH", "filters": spoilt}
    evil.says = {"exchangeInfo": json.dumps({"symbols": [bad, MARKET]})}
    await exchange.connect()
    assert exchange.instrument(BTC).tick == D("0.01")
    with pytest.raises(Misconfigured):
        exchange.instrument(Symbol("ETH/USDT"))


async def test_what_cannot_be_built_never_left(exchange: Binance) -> None:
    with pytest.raises(NotSent):
        await exchange.send(Symbol("NO/NE"), order(exchange.now()))
    nothing: Any = None
    with pytest.raises(NotSent):
        await exchange.send(BTC, nothing)


async def test_only_listed_codes_refuse(exchange: Binance, evil: Evil) -> None:
    evil.status, evil.says = 400, {"order": '{"code":-2010,"msg":"No."}'}
    with pytest.raises(Refused):
        await exchange.send(BTC, order(exchange.now()))
