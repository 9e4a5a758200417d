"""Orders meet the market: at which price, when, and what their life looks like."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.unit.simulator.trader import StillClock

from surefoot.simulator import Settings
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.model import ApiError, NewOrder, Order, Quote, Trade, Twist

BALANCES = {"USDT": D(100_000), "BTC": D(1), "ETH": D(10), "BNB": D(10)}


def exchange(**settings: Any) -> Exchange:
    given: dict[str, Any] = {"balances": dict(BALANCES), **settings}
    opened = Exchange(Settings(**given), StillClock())
    opened.price("BTCUSDT", Quote(last=D(60000), bid=D(59999), ask=D(60001)))
    return opened


def request(side: str, kind: str, quantity: str = "0.1", **more: Any) -> NewOrder:
    given: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "price": D(0),
        "stop_price": D(0),
        "client_order_id": f"{side}-{kind}",
        **more,
    }
    return NewOrder(side=side, type=kind, quantity=D(quantity), **given)  # type: ignore[arg-type]


def place(at: Exchange, side: str, kind: str, quantity: str = "0.1", **more: Any) -> Order:
    twist = more.pop("twist", Twist())
    return at.place(request(side, kind, quantity, **more), twist)


def go(at: Exchange, last: object, bid: object = None, ask: object = None) -> None:
    quote = Quote(last=D(str(last)), bid=D(str(bid or last)), ask=D(str(ask or last)))
    at.price("BTCUSDT", quote)


def figures(trades: list[Trade]) -> list[tuple[D, D, bool]]:
    return [(trade.price, trade.quantity, trade.maker) for trade in trades]


# Market orders -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "price"), [("BUY", 60001), ("SELL", 59999)])
def test_a_market_order_fills_at_once_at_the_far_side(side: str, price: int) -> None:
    at = exchange()
    order = place(at, side, "MARKET")
    assert (order.status, order.executed, order.spent) == ("FILLED", D("0.1"), D(price) / 10)
    assert figures(at.trades) == [(D(price), D("0.1"), False)]


@pytest.mark.parametrize(("side", "tick"), [("BUY", D("0.01")), ("SELL", D("-0.01"))])
def test_slices_make_one_order_several_trades_each_a_tick_worse(side: str, tick: D) -> None:
    """A bot that reads one fill an order would book too little."""
    at = exchange(slices=3)
    order = place(at, side, "MARKET", "0.1")
    first = D(60001 if side == "BUY" else 59999)
    parts = [D("0.03333"), D("0.03333"), D("0.03334")]
    assert [(t.price, t.quantity) for t in at.trades] == [
        (first + number * tick, part) for number, part in enumerate(parts)
    ]
    assert (order.status, order.executed) == ("FILLED", D("0.1"))


def test_an_order_too_small_to_slice_is_one_trade() -> None:
    at = exchange(slices=4)
    place(at, "BUY", "MARKET", "0.00002")
    assert figures(at.trades) == [(D(60001), D("0.00002"), False)]


# Limit orders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "limit"), [("BUY", 59000), ("SELL", 61000)])
def test_a_limit_order_waits_and_fills_at_its_own_price(side: str, limit: int) -> None:
    at = exchange()
    order = place(at, side, "LIMIT", price=D(limit))
    assert (order.status, at.trades) == ("NEW", [])
    go(at, limit - 500 if side == "BUY" else limit + 500)
    assert order.status == "FILLED"
    assert figures(at.trades) == [(D(limit), D("0.1"), True)]


@pytest.mark.parametrize(
    ("side", "limit", "price"), [("BUY", 62000, 60001), ("SELL", 58000, 59999)]
)
def test_a_limit_order_through_the_market_takes_the_better_price(
    side: str, limit: int, price: int
) -> None:
    at = exchange()
    assert place(at, side, "LIMIT", price=D(limit)).status == "FILLED"
    assert figures(at.trades) == [(D(price), D("0.1"), False)]


def test_a_trade_at_the_limit_fills_it_without_the_book() -> None:
    """The last price is enough: the book may come later."""
    at = exchange()
    order = place(at, "BUY", "LIMIT", price=D(59000))
    go(at, "59000.01", bid=59999, ask=60001)
    assert order.status == "NEW"
    go(at, 59000, bid=59999, ask=60001)
    assert order.status == "FILLED"


def test_another_symbol_fills_nothing() -> None:
    at = exchange()
    order = place(at, "BUY", "LIMIT", price=D(59000))
    at.price("ETHUSDT", Quote(last=D(1), bid=D(1), ask=D(1)))
    assert order.status == "NEW"


# Stops -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "stop", "before", "after"),
    [("SELL", 58000, "58000.01", 58000), ("BUY", 62000, "61999.99", 62000)],
)
def test_a_stop_waits_for_the_last_trade_then_takes_the_market(
    side: str, stop: int, before: str, after: int
) -> None:
    """It is the last price that triggers, not the book; and it fills at the book, not the stop."""
    at = exchange()
    order = place(at, side, "STOP_LOSS", stop_price=D(stop))
    go(at, before, bid=50000, ask=70000)
    assert (order.status, order.triggered, at.trades) == ("NEW", False, [])
    go(at, after, bid=after - 7, ask=after + 7)
    assert (order.status, order.triggered) == ("FILLED", True)
    price = D(after - 7 if side == "SELL" else after + 7)
    assert figures(at.trades) == [(price, D("0.1"), False)]


@pytest.mark.parametrize(("side", "stop"), [("SELL", 60000), ("SELL", 61000), ("BUY", 60000)])
def test_a_stop_that_is_already_reached_is_refused(side: str, stop: int) -> None:
    at = exchange()
    with pytest.raises(ApiError, match="trigger immediately") as refusal:
        place(at, side, "STOP_LOSS", stop_price=D(stop))
    assert refusal.value.code == -2010
    assert at.orders == {}


def test_a_stop_that_cannot_pay_for_a_jump_expires() -> None:
    """Otherwise the account would owe money that a spot account cannot."""
    at = exchange(balances={"USDT": D(6200)})
    order = place(at, "BUY", "STOP_LOSS", "0.1", stop_price=D(62000))
    go(at, 63000)
    assert (order.status, at.trades) == ("EXPIRED", [])
    assert (at.free["USDT"], at.locked["USDT"]) == (D(6200), D(0))


# Cancels, ids ------------------------------------------------------------------------------------


def test_a_cancelled_order_never_fills() -> None:
    at = exchange()
    order = place(at, "BUY", "LIMIT", price=D(59000))
    at.cancel(order, "the cancel")
    go(at, 50000)
    assert (order.status, order.cancel_client_id, at.trades) == ("CANCELED", "the cancel", [])


def test_what_is_over_cannot_be_cancelled() -> None:
    at = exchange()
    order = place(at, "BUY", "MARKET")
    with pytest.raises(ApiError) as refusal:
        at.cancel(order, "late")
    assert refusal.value.code == -2011
    assert order.status == "FILLED"


def test_an_open_client_id_is_refused_and_a_filled_one_may_be_used_again() -> None:
    """So a client id is no idempotency: a blind retry of a filled order is a second order."""
    at = exchange()
    place(at, "BUY", "LIMIT", price=D(59000), client_order_id="twin")
    with pytest.raises(ApiError, match="Duplicate") as refusal:
        place(at, "BUY", "LIMIT", price=D(58000), client_order_id="twin")
    assert refusal.value.code == -2010
    go(at, 59000)
    assert place(at, "BUY", "MARKET", client_order_id="twin").status == "FILLED"
    assert [order.client_order_id for order in at.orders.values()] == ["twin", "twin"]


def test_a_cancelled_client_id_may_be_used_again() -> None:
    at = exchange()
    at.cancel(place(at, "BUY", "LIMIT", price=D(59000), client_order_id="twin"), "x")
    assert place(at, "BUY", "LIMIT", price=D(59000), client_order_id="twin").open


def test_order_ids_count_up_per_symbol() -> None:
    """The number alone names no order: two symbols have the same one."""
    at = exchange()
    first = place(at, "BUY", "MARKET", client_order_id="a")
    second = place(at, "BUY", "MARKET", client_order_id="b")
    other = place(at, "BUY", "MARKET", symbol="ETHUSDT", client_order_id="c")
    assert second.order_id == first.order_id + 1
    assert other.order_id == first.order_id
    assert len(at.orders) == 3


def test_trade_ids_rise_with_gaps_and_repeat_on_another_symbol() -> None:
    """Other people trade too; whoever counts on id + 1 finds nothing."""
    at = exchange(slices=2)
    place(at, "BUY", "MARKET")
    place(at, "BUY", "MARKET", symbol="ETHUSDT")
    first, second, other, _ = (trade.trade_id for trade in at.trades)
    assert second > first + 1
    assert other == first


def test_executions_are_told_in_order() -> None:
    at = exchange(slices=2)
    told: list[tuple[str, str]] = []
    at.listen(lambda execution, order, _trade: told.append((execution, order.status)))
    place(at, "BUY", "MARKET")
    at.cancel(place(at, "BUY", "LIMIT", price=D(59000)), "x")
    assert told == [
        ("NEW", "NEW"),
        ("TRADE", "PARTIALLY_FILLED"),
        ("TRADE", "FILLED"),
        ("NEW", "NEW"),
        ("CANCELED", "CANCELED"),
    ]


def test_starting_over_forgets_everything_but_the_prices() -> None:
    at = exchange()
    first = place(at, "BUY", "MARKET")
    at.reset()
    assert (at.orders, at.trades, at.free) == ({}, [], BALANCES)
    assert place(at, "BUY", "MARKET").order_id == first.order_id


# Partly filled -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["MARKET", "LIMIT"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_the_rest_of_a_partly_filled_order_stays_open(side: str, kind: str) -> None:
    """Also when the price comes back to it: only a hand fills or ends the rest."""
    at = exchange()
    price = D(60000) if kind == "LIMIT" else D(0)
    order = place(at, side, kind, price=price, twist=Twist(fraction=D("0.25")))
    for last in (60000, 50000, 70000):
        go(at, last)
    assert (order.status, order.executed) == ("PARTIALLY_FILLED", D("0.025"))
    at.fill(order, order.left, D(60000))
    assert order.status == "FILLED"


@pytest.mark.parametrize(("kind", "status"), [("MARKET", "EXPIRED"), ("LIMIT", "CANCELED")])
def test_the_rest_of_a_partly_filled_order_is_ended(kind: str, status: str) -> None:
    at = exchange()
    price = D(60000) if kind == "LIMIT" else D(0)
    twist = Twist(fraction=D("0.25"), then_cancel=True)
    order = place(at, "BUY", kind, price=price, twist=twist)
    assert (order.status, order.executed) == (status, D("0.025"))
    assert at.locked["USDT"] == D(0)


def test_a_stop_is_partly_filled_when_it_is_triggered() -> None:
    at = exchange()
    twist = Twist(fraction=D("0.5"), then_cancel=True)
    order = place(at, "SELL", "STOP_LOSS", stop_price=D(58000), twist=twist)
    assert (order.status, order.executed) == ("NEW", D(0))
    go(at, 58000)
    assert (order.status, order.executed) == ("EXPIRED", D("0.05"))
