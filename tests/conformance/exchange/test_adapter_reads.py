"""Questions to the adapter: an answer to believe, or ReadFailed; never a made-up "none"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tests.conformance.exchange.conftest import BRISK, KEYS, Do
from tests.conformance.exchange.orders import BTC, ETH, NAME, order, resting

from surefoot.core.order import ReportedStatus, Role
from surefoot.core.values import Asset, ClientOrderId, ExchangeOrderId, Side, Symbol, TradeId
from surefoot.engine.clock import SystemClock
from surefoot.exchange import open_exchange
from surefoot.exchange.errors import Misconfigured, ReadFailed, Refused
from surefoot.exchange.port import Exchange
from surefoot.simulator import Control, Rules, Settings, Simulator, ccxt_settings
from surefoot.simulator.model import default_rules

QUESTIONS: dict[str, tuple[str, Callable[[Exchange], Awaitable[Any]]]] = {
    "order": ("order.query", lambda at: at.order(BTC, NAME)),
    "order by id": ("order.query", lambda at: at.order_by_exchange_id(BTC, ExchangeOrderId("1"))),
    "open orders": ("openOrders", lambda at: at.open_orders([BTC])),
    "fills": ("myTrades", lambda at: at.fills(BTC, None)),
    "fills since": ("myTrades", lambda at: at.fills_since(BTC, at.now())),
    "fills of an order": ("myTrades", lambda at: at.fills_of(BTC, ExchangeOrderId("1"))),
    "newest fills": ("myTrades", lambda at: at.newest_fills(BTC)),
    "newest orders": ("allOrders", lambda at: at.newest_orders(BTC, at.now())),
    "balances": ("account", lambda at: at.balances()),
    "identity": ("account", lambda at: at.identify()),
    "permissions": ("restrictions", lambda at: at.may_withdraw()),
    "candles": ("klines", lambda at: at.candles(BTC, "1m", None, 5)),
    "last prices": ("ticker.price", lambda at: at.ticks([BTC])),
    "books": ("ticker.book", lambda at: at.ticks([BTC])),
    "clock": ("time", lambda at: at.measure_clock()),
}
FAILURES: list[tuple[str, dict[str, Any]]] = [
    ("lose_request", {}),
    ("lose_response", {}),
    ("error_before", {"status": 503, "code": -1000}),
    ("error_before", {"status": 400, "code": -1121}),  # Misconfigured, and no "none" either
    ("reject", {"code": -2026}),
    ("redirect", {}),
    ("html_body", {"status": 200}),
    ("html_body", {"status": 502}),
    ("empty_body", {}),
    ("truncated_body", {}),
]


@pytest.mark.parametrize(("fault", "given"), FAILURES, ids=[f"{n} {g}" for n, g in FAILURES])
async def test_a_question_without_an_answer_fails(
    exchange: Exchange, do: Do, fault: str, given: dict[str, Any]
) -> None:
    """Every question, every way to fail: not one may end as "there is nothing"."""
    expected = Misconfigured if given.get("code") == -1121 else ReadFailed
    for operation, ask in QUESTIONS.values():
        # A GET on a broken connection is repeated by the HTTP library: so it breaks for ever.
        fault_id = (await do("arm", name=fault, on=operation, times=0, **given))["fault_id"]
        with pytest.raises(expected):
            await ask(exchange)
        await do("disarm", fault_id=fault_id)
        await ask(exchange)


@pytest.mark.parametrize(("fault", "given"), FAILURES, ids=[f"{n} {g}" for n, g in FAILURES])
@pytest.mark.parametrize("operation", ["exchangeInfo", "time"])
async def test_connecting_fails_and_can_be_tried_again(
    exchange: Exchange, do: Do, operation: str, fault: str, given: dict[str, Any]
) -> None:
    await do("arm", name=fault, on=operation, times=0, **given)
    with pytest.raises((ReadFailed, Misconfigured)):
        await exchange.connect()
    await do("disarm")
    await exchange.connect()
    assert exchange.instrument(BTC).tick == D("0.01")


async def test_an_answer_of_the_wrong_shape_fails(exchange: Exchange, do: Do) -> None:
    """Nothing is filled in for what is missing."""
    await exchange.send(BTC, resting(exchange))
    await do("arm", name="ack_without_id", on="order.query")
    with pytest.raises(ReadFailed, match="orderId"):
        await exchange.order(BTC, NAME)


# Orders ------------------------------------------------------------------------------------------


async def test_an_order_that_the_exchange_does_not_know_is_none(exchange: Exchange) -> None:
    assert await exchange.order(BTC, NAME) is None
    assert await exchange.order_by_exchange_id(BTC, ExchangeOrderId("1")) is None


async def test_an_order_is_found_by_either_id(exchange: Exchange) -> None:
    sent = await exchange.send(BTC, resting(exchange))
    by_name = await exchange.order(BTC, NAME)
    assert by_name == await exchange.order_by_exchange_id(BTC, sent.exchange_order_id)
    assert by_name is not None
    assert (by_name.exchange_order_id, by_name.status) == (
        sent.exchange_order_id,
        ReportedStatus.OPEN,
    )
    assert await exchange.order(ETH, NAME) is None


async def test_a_hidden_order_is_none_until_it_appears(exchange: Exchange, do: Do) -> None:
    """So one "none" is no proof: the engine waits and asks again."""
    await do("arm", name="hide_order", on="order.send", seconds=100)
    await exchange.send(BTC, resting(exchange))
    assert await exchange.order(BTC, NAME) is None
    await do("clock", advance=101)
    await exchange.measure_clock()
    assert await exchange.order(BTC, NAME) is not None


async def test_an_archived_order_is_no_none(exchange: Exchange, do: Do) -> None:
    await exchange.send(BTC, resting(exchange))
    await do("expire", client_order_id=NAME)
    await do("archive")
    with pytest.raises(ReadFailed, match="archived"):
        await exchange.order(BTC, NAME)


async def test_open_orders_are_those_of_the_symbols_asked_for(exchange: Exchange) -> None:
    await exchange.send(BTC, resting(exchange))
    await exchange.send(
        ETH,
        order(exchange, limit=D(2000), quantity=D("0.01"), client_order_id=ClientOrderId("sfeth")),
    )
    assert [each.symbol for each in await exchange.open_orders([BTC])] == [BTC]
    assert [each.symbol for each in await exchange.open_orders([ETH, BTC])] == [ETH, BTC]
    assert await exchange.open_orders([]) == ()


class TestManySymbols:
    """From fourteen symbols on, one list of everything costs less."""

    @pytest.fixture
    def settings(self) -> Settings:
        names = [f"C{number}" for number in range(14)]
        rules = [Rules(symbol=f"{n}USDT", base=n, quote="USDT", price=D(100)) for n in names]
        return Settings(rules=tuple(rules))

    @pytest.mark.parametrize(("symbols", "weight"), [(13, 13 * 6), (14, 80)])
    async def test_the_cheaper_way_is_taken(
        self, exchange: Exchange, symbols: int, weight: int
    ) -> None:
        sent = order(exchange, limit=D(50), quantity=D(1))
        await exchange.send(Symbol("C3/USDT"), sent)
        before = exchange.spending().weight
        names = [Symbol(f"C{number}/USDT") for number in range(symbols)]
        assert [each.symbol for each in await exchange.open_orders(names)] == ["C3/USDT"]
        assert exchange.spending().weight - before == weight


# Fills -------------------------------------------------------------------------------------------


async def buy(exchange: Exchange, *, number: int = 1, quantity: str = "0.001") -> None:
    for _ in range(number):
        await exchange.send(BTC, order(exchange, quantity=D(quantity)))


async def test_fills_follow_a_trade(exchange: Exchange) -> None:
    await buy(exchange, number=3)
    everything = await exchange.fills(BTC, None)
    first, second, third = everything.fills
    assert everything.complete
    assert (first.side, first.quantity, first.fee, first.fee_asset) == (
        Side.BUY, D("0.001"), D("0.000001"), "BTC",
    )  # fmt: skip
    assert (await exchange.fills(BTC, first.trade_id)).fills == (second, third)
    last = await exchange.fills(BTC, third.trade_id)
    assert (last.fills, last.complete, last.reset) == ((), True, False)
    assert await exchange.newest_fills(BTC) == (first, second, third)
    assert await exchange.fills_of(BTC, second.exchange_order_id) == (second,)


async def test_newest_orders_are_those_of_which_something_is_filled(exchange: Exchange) -> None:
    """Ours carry our mark; a stop that rests has not traded, so it says nothing."""
    bought = [await exchange.send(BTC, order(exchange, quantity=D("0.001"))) for _ in range(2)]
    stop = await exchange.send(
        BTC, order(exchange, role=Role.STOP, side=Side.SELL, trigger=D(50_000))
    )
    read = await exchange.newest_orders(BTC, exchange.now())
    newest = read.orders
    assert read.complete  # it is a short page
    assert [(o.exchange_order_id, o.client_order_id, o.filled) for o in newest] == [
        (o.exchange_order_id, o.client_order_id, D("0.001")) for o in bought
    ]
    assert stop.exchange_order_id not in {each.exchange_order_id for each in newest}


async def test_fills_since_a_time_are_one_page_of_the_newest(exchange: Exchange, do: Do) -> None:
    await buy(exchange)
    (first,) = await exchange.newest_fills(BTC)
    await do("clock", advance=60)
    await exchange.measure_clock()
    await buy(exchange, number=2)
    before = exchange.spending().requests
    found = await exchange.fills_since(BTC, first.at + timedelta(seconds=1))
    assert exchange.spending().requests - before == 1
    assert (found.fills, found.complete) == ((await exchange.newest_fills(BTC))[1:], True)
    everything = await exchange.fills_since(BTC, first.at)
    assert (len(everything.fills), everything.complete) == (3, True)


async def test_no_fills_are_no_fills(exchange: Exchange) -> None:
    found = await exchange.fills(BTC, None)
    assert (found.fills, found.complete) == ((), True)
    assert await exchange.newest_fills(BTC) == ()


class TestManyFills:
    """More than two pages: 2100 trades of one order."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rules=default_rules()[:1], slices=2100, balances={"USDT": D(10**9)})

    async def test_every_page_is_read_and_each_trade_is_there_once(
        self, exchange: Exchange, simulator: Simulator
    ) -> None:
        await buy(exchange, quantity="2.1")
        true = [str(trade.trade_id) for trade in simulator.exchange.trades]
        found = await exchange.fills(BTC, None)
        assert [fill.trade_id for fill in found.fills] == true
        assert len(true) == 2100
        assert found.complete
        since = await exchange.fills_since(BTC, found.fills[0].at)  # more than the newest page
        assert (since.fills, since.complete) == (found.fills, True)
        found = await exchange.fills(BTC, TradeId(true[50]))
        assert [fill.trade_id for fill in found.fills] == true[51:]
        found = await exchange.fills(BTC, TradeId(true[1100]))  # a page that is full to the row
        assert [fill.trade_id for fill in found.fills] == true[1101:]
        assert found.complete

    @pytest.mark.parametrize("fault", ["empty_list", "omit_row"])
    async def test_a_chain_that_breaks_between_pages_is_not_complete(
        self, exchange: Exchange, do: Do, fault: str
    ) -> None:
        """A later page that does not begin where the last one ended proves nothing."""
        await buy(exchange, quantity="2.1")
        await do("arm", name=fault, on="myTrades", skip=1)
        found = await exchange.fills(BTC, None)
        assert (len(found.fills), found.complete, found.reset) == (1000, False, False)
        rest = await exchange.fills(BTC, found.fills[-1].trade_id)
        assert (len(rest.fills), rest.complete) == (1100, True)


@pytest.mark.parametrize("fault", ["empty_list", "omit_row"])
async def test_an_answer_without_the_known_trade_is_asked_again(
    exchange: Exchange, do: Do, fault: str
) -> None:
    """One answer that lost its first row must not look like another account."""
    await buy(exchange, number=3)
    first = (await exchange.fills(BTC, None)).fills[0]
    await do("arm", name=fault, on="myTrades")
    with pytest.raises(ReadFailed, match="is missing"):
        await exchange.fills(BTC, first.trade_id)
    assert len((await exchange.fills(BTC, first.trade_id)).fills) == 2


async def test_an_exchange_that_started_over_is_told(exchange: Exchange, do: Do) -> None:
    await buy(exchange, number=3)
    newest = (await exchange.newest_fills(BTC))[-1].trade_id
    await do("reset")
    with pytest.raises(ReadFailed):  # no trade at all: an empty answer, or a reset; who knows
        await exchange.fills(BTC, newest)
    await buy(exchange)
    found = await exchange.fills(BTC, newest)
    assert (found.fills, found.complete, found.reset) == ((), False, True)


async def test_a_known_trade_that_never_was_is_told(exchange: Exchange) -> None:
    """Later trades are there, this one is not, twice: another account."""
    await buy(exchange, number=2)
    newest = (await exchange.newest_fills(BTC))[-1].trade_id
    assert (await exchange.fills(BTC, TradeId(str(int(newest) - 1)))).reset


async def test_fills_that_are_hidden_are_not_there_yet(exchange: Exchange, do: Do) -> None:
    await do("arm", name="hide_fills", on="order.send", seconds=100)
    report = await exchange.send(BTC, order(exchange))
    assert (report.status, report.filled) == (ReportedStatus.FILLED, D("0.001"))
    assert (await exchange.fills(BTC, None)).fills == ()
    assert await exchange.fills_of(BTC, report.exchange_order_id) == ()
    await do("clock", advance=101)
    await exchange.measure_clock()
    assert len(await exchange.fills_of(BTC, report.exchange_order_id)) == 1


# Filters, balances, candles ----------------------------------------------------------------------


async def test_an_instrument_has_the_filters_of_the_venue(exchange: Exchange) -> None:
    found = exchange.instrument(ETH)
    assert (found.base, found.quote, found.symbol) == ("ETH", "USDT", ETH)
    assert (found.tick, found.lot, found.quantity_min) == (D("0.01"), D("0.0001"), D("0.0001"))
    assert (found.notional_min, found.quantity_max, found.market_quantity_max) == (
        D(5), D(9000), D(9000),
    )  # fmt: skip


async def test_a_symbol_that_is_not_listed_is_named_with_near_ones(exchange: Exchange) -> None:
    with pytest.raises(Misconfigured, match="does not list BTC/USD; it lists BTC/USDT"):
        exchange.instrument(Symbol("BTC/USD"))


async def test_a_symbol_that_is_halted_is_known_and_not_trading(exchange: Exchange, do: Do) -> None:
    await do("rules", symbol="BTCUSDT", trading=False)
    await exchange.connect()
    assert not exchange.is_trading(Symbol("BTC/USDT"))
    exchange.instrument(BTC)


async def test_balances_are_totals_of_what_is_not_zero(exchange: Exchange, do: Do) -> None:
    await exchange.send(BTC, resting(exchange))
    await do("balance", asset="ETH", free="0")
    assert await exchange.balances() == {Asset("USDT"): D(100_000), Asset("BNB"): D(10)}


async def test_prices_of_several_symbols_are_read_at_once(exchange: Exchange, do: Do) -> None:
    await do("price", symbol="BTCUSDT", price="61000")
    before = exchange.spending()
    found = {tick.symbol: tick for tick in await exchange.ticks([BTC, ETH])}
    assert set(found) == {BTC, ETH}
    assert found[BTC].price == D(61000)
    assert found[BTC].bid <= found[BTC].price <= found[BTC].ask
    assert found[BTC].at <= exchange.now()
    assert exchange.spending().requests - before.requests == 2


class TestPricesOfManySymbols:
    """More than an address has room for."""

    @pytest.fixture
    def settings(self) -> Settings:
        price = D(100)
        return Settings(
            rules=tuple(
                Rules(symbol=f"C{n}USDT", base=f"C{n}", quote="USDT", price=price)
                for n in range(600)
            )
        )

    async def test_prices_of_many_symbols_are_two_requests_too(self, exchange: Exchange) -> None:
        """Catches an address of 20 kB, which no server takes: a thousand bots without prices."""
        for symbols in (100, 101, 600):
            wanted = {Symbol(f"C{n}/USDT") for n in range(symbols)}
            before = exchange.spending()
            assert {tick.symbol for tick in await exchange.ticks([*wanted])} == wanted
            assert exchange.spending().weight - before.weight == 8


async def test_candles_are_closed_and_oldest_first(exchange: Exchange, do: Do) -> None:
    await do("price", symbol="BTCUSDT", price="61000")
    await do("clock", advance=3600)
    await exchange.measure_clock()
    newest = await exchange.candles(BTC, "1h", None, 3)
    assert [each.at for each in newest] == [
        newest[0].at + timedelta(hours=number) for number in range(3)
    ]
    assert newest[-1].close == D(61000)
    assert newest[-1].at + timedelta(hours=1) <= exchange.now()
    assert await exchange.candles(BTC, "1h", newest[1].at, 10) == newest[1:]
    assert await exchange.candles(BTC, "1h", newest[0].at, 1) == newest[:1]


# Who, when, how much -----------------------------------------------------------------------------


async def test_the_account_is_named_by_its_uid(exchange: Exchange, do: Do) -> None:
    identity = await exchange.identify()
    assert (identity.exchange, identity.uid, identity.environment) == (
        "binance", str(Settings().uid), "simulated",
    )  # fmt: skip
    await do("account", uid=42)
    assert (await exchange.identify()).uid == "42"


async def test_keys_that_may_withdraw_are_told_from_those_that_may_not(
    exchange: Exchange, do: Do
) -> None:
    assert await exchange.may_withdraw() is False
    await do("account", withdraws=True)
    assert await exchange.may_withdraw() is True


async def test_wrong_keys_are_for_a_person_to_correct(exchange: Exchange, do: Do) -> None:
    await exchange.balances()
    await do("arm", name="reject", on="account", code=-2015)
    with pytest.raises(Misconfigured, match="does not accept these keys"):
        await exchange.balances()


@pytest.mark.parametrize("ahead_s", ["15.5", "-15.5"])
async def test_the_clock_offset_is_measured_and_used(
    exchange: Exchange, do: Do, simulator: Simulator, ahead_s: str
) -> None:
    """An hour's drift, an unsynchronised server: orders must still be signed for their time."""
    await do("clock", advance=ahead_s)
    with pytest.raises(ReadFailed, match="Timestamp for this request"):
        await exchange.balances()
    offset = await exchange.measure_clock()
    assert abs(offset + D(ahead_s)) < 1
    exchange_ms = exchange.now().timestamp() * 1000
    assert abs(exchange_ms - simulator.clock.now_ms()) < 1000
    assert (await exchange.send(BTC, order(exchange))).status is ReportedStatus.FILLED


async def test_what_is_spent_is_what_the_exchange_counts(
    exchange: Exchange, simulator: Simulator
) -> None:
    """The adapter's budget is only as good as its prices; what works and is free costs nothing."""
    for _, ask in QUESTIONS.values():
        await ask(exchange)
    report = await exchange.send(BTC, resting(exchange))
    await exchange.cancel(BTC, report.exchange_order_id)
    with pytest.raises(Refused):
        await exchange.send(BTC, order(exchange, quantity=D(1000)))
    await exchange.cancel(BTC, report.exchange_order_id)
    ledger = await asyncio.to_thread(Control(simulator.url).ledger)
    spending = exchange.spending()
    assert spending.requests == len(ledger["requests"])
    assert spending.weight == ledger["weight"]


# Where requests may go ---------------------------------------------------------------------------


def opened(name: str = "binance", *, custom: bool = False, **settings: Any) -> Exchange:
    given = {**BRISK, **ccxt_settings("http://127.0.0.1:9"), **settings}
    return open_exchange(
        name,
        keys=lambda: (KEYS["apiKey"], KEYS["secret"]),
        settings=given,
        allow_custom_host=custom,
        time=SystemClock(),
    )


def urls(**api: Any) -> dict[str, Any]:
    found: dict[str, Any] = ccxt_settings("http://127.0.0.1:9")["urls"]
    return {"api": {**found["api"], **api}}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"urls": urls(private="https://api.binance.com/api/v3")}, "mix this machine and real"),
        ({"urls": {"api": {"public": "http://127.0.0.1:9"}}}, "is not given"),
        ({"urls": {"api": {"public": "https://example.org"}}}, "neither this machine nor"),
        ({"httpProxy": "http://example.org"}, "through another host"),
        ({"options": {"maxRetriesOnFailure": 2}}, "re-sends orders blindly"),
    ],
)
def test_settings_that_lead_elsewhere_are_refused(settings: dict[str, Any], words: str) -> None:
    """Before any connection: the first signed request would be one too many."""
    with pytest.raises(Misconfigured, match=words):
        opened(**settings)


def test_a_venue_that_nobody_has_described_is_refused() -> None:
    with pytest.raises(Misconfigured, match="did you mean binance"):
        opened("binanse")


async def test_balances_told_with_the_keys_serve_while_they_are_new(exchange: Exchange) -> None:
    """A start paid three times for one answer; what is older than wanted is asked for again."""
    before = exchange.now()
    await exchange.identify()
    asked = exchange.spending().requests
    told = await exchange.balances(since=before)
    assert await exchange.balances(since=before) == told
    assert exchange.spending().requests == asked
    assert await exchange.balances() == told
    await exchange.balances(since=exchange.now() + timedelta(seconds=1))
    assert exchange.spending().requests == asked + 2
