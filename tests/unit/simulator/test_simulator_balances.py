"""Nothing appears and nothing vanishes: balances, locks and fees to the last digit."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from decimal import Decimal as D
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.simulator.trader import StillClock

from surefoot.simulator import Settings
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.model import ApiError, NewOrder, Order, Quote, Twist

BALANCES: Final = {"USDT": D(20_000), "BTC": D("0.5"), "BNB": D("0.001")}
MODES: Final = ("received", "quote", "bnb", "mixed")


def exchange(**more: Any) -> Exchange:
    opened = Exchange(Settings(**{"balances": dict(BALANCES), **more}), StillClock())
    go(opened, 60000)
    return opened


def go(at: Exchange, price: int, spread: int = 0) -> None:
    at.price("BTCUSDT", Quote(last=D(price), bid=D(price - spread), ask=D(price + spread)))


def place(at: Exchange, side: str, kind: str, quantity: str, level: int = 0) -> Order:
    request = NewOrder(
        symbol="BTCUSDT",
        side=side,  # type: ignore[arg-type]
        type=kind,  # type: ignore[arg-type]
        quantity=D(quantity),
        price=D(level) if kind == "LIMIT" else D(0),
        stop_price=D(level) if kind == "STOP_LOSS" else D(0),
        client_order_id=f"n{len(at.orders)}",
    )
    return at.place(request, Twist())


def held(at: Exchange, asset: str) -> tuple[D, D]:
    return at.free.get(asset, D(0)), at.locked.get(asset, D(0))


# Locks -------------------------------------------------------------------------------------------


def test_a_resting_buy_locks_what_it_would_cost_and_a_cancel_frees_it() -> None:
    at = exchange()
    order = place(at, "BUY", "LIMIT", "0.1", 59000)
    assert held(at, "USDT") == (D(14100), D(5900))
    at.cancel(order, "x")
    assert held(at, "USDT") == (D(20000), D(0))


@pytest.mark.parametrize(("kind", "level"), [("LIMIT", 61000), ("STOP_LOSS", 58000)])
def test_a_resting_sell_locks_the_coins(kind: str, level: int) -> None:
    """A stop too: what it protects cannot be sold twice."""
    at = exchange()
    place(at, "SELL", kind, "0.4", level)
    assert held(at, "BTC") == (D("0.1"), D("0.4"))
    with pytest.raises(ApiError, match="insufficient balance") as refusal:
        place(at, "SELL", "MARKET", "0.2")
    assert refusal.value.code == -2010


def test_a_partial_fill_lets_go_of_its_share() -> None:
    at = exchange(fee_rate=D(0))
    order = place(at, "BUY", "LIMIT", "0.1", 59000)
    at.fill(order, D("0.04"), D(59000))
    assert held(at, "USDT") == (D(14100), D(3540))
    assert held(at, "BTC") == (D("0.54"), D(0))
    at.expire(order)
    assert held(at, "USDT") == (D(17640), D(0))


def test_a_better_price_gives_the_rest_of_the_lock_back() -> None:
    at = exchange(fee_rate=D(0))
    place(at, "BUY", "LIMIT", "0.1", 61000)
    assert held(at, "USDT") == (D(14000), D(0))


@pytest.mark.parametrize(
    ("side", "quantity"), [("BUY", "0.33334"), ("SELL", "0.50001")], ids=["quote", "coins"]
)
def test_more_than_there_is_is_refused_and_changes_nothing(side: str, quantity: str) -> None:
    at = exchange()
    with pytest.raises(ApiError, match="insufficient balance"):
        place(at, side, "MARKET", quantity)
    assert at.free == BALANCES
    assert at.orders == {}


def test_slices_must_be_paid_for_too() -> None:
    """The last slice costs more than the first: money for the first price only is not enough."""
    assert place(exchange(balances={"USDT": D(6000)}), "BUY", "MARKET", "0.1").executed
    with pytest.raises(ApiError, match="insufficient balance"):
        place(exchange(balances={"USDT": D(6000)}, slices=3), "BUY", "MARKET", "0.1")


# Fees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "side", "fee", "asset"),
    [
        ("received", "BUY", "0.00001", "BTC"),
        ("received", "SELL", "0.6", "USDT"),
        ("quote", "BUY", "0.6", "USDT"),
        ("quote", "SELL", "0.6", "USDT"),
        ("bnb", "BUY", "0.0012", "BNB"),
        ("bnb", "SELL", "0.0012", "BNB"),
    ],
)
def test_the_fee_of_each_mode(mode: str, side: str, fee: str, asset: str) -> None:
    at = exchange(fee_mode=mode, balances={**BALANCES, "BNB": D(1)})
    place(at, side, "MARKET", "0.01")
    assert [(t.fee, t.fee_asset) for t in at.trades] == [(D(fee), asset)]


def test_mixed_fees_change_from_one_trade_to_the_next() -> None:
    at = exchange(fee_mode="mixed", slices=4, balances={**BALANCES, "BNB": D(1)})
    place(at, "BUY", "MARKET", "0.04")
    assert [t.fee_asset for t in at.trades] == ["BTC", "BNB", "BTC", "BNB"]


def test_without_bnb_the_fee_is_taken_from_what_is_received() -> None:
    """As at Binance. A bot that counts on BNB for ever sells more than it has."""
    at = exchange(fee_mode="bnb")
    place(at, "BUY", "MARKET", "0.01")
    assert [(t.fee, t.fee_asset) for t in at.trades] == [(D("0.00001"), "BTC")]


def test_a_fee_is_rounded_down_to_eight_decimals() -> None:
    at = exchange()
    place(at, "BUY", "MARKET", "0.00013")
    place(at, "SELL", "MARKET", "0.00013")
    assert [t.fee for t in at.trades] == [D("0.00000013"), D("0.0078")]
    assert all(t.fee == t.fee.quantize(D("0.00000001")) for t in at.trades)


# The whole ---------------------------------------------------------------------------------------


def expected(at: Exchange, first: dict[str, D]) -> dict[str, D]:
    """Add the trades and take the fees, from the trade list alone."""
    totals = defaultdict(D, first)
    for trade in at.trades:
        sign = 1 if trade.side == "BUY" else -1
        totals["BTC"] += sign * trade.quantity
        totals["USDT"] -= sign * trade.quantity * trade.price
        totals[trade.fee_asset] -= trade.fee
    return dict(totals)


def check(at: Exchange) -> None:
    names = {*at.free, *at.locked}
    totals = {name: sum(held(at, name), D(0)) for name in names}
    assert totals == expected(at, BALANCES)
    assert [name for name in names if min(held(at, name)) < 0] == []
    locks = defaultdict[str, D](D)
    for order in at.orders.values():
        locks["USDT" if order.side == "BUY" else "BTC"] += order.held
        assert order.open or not order.held
        assert 0 <= order.executed <= order.quantity
    assert all(at.locked.get(name, D(0)) == locks[name] for name in ("USDT", "BTC"))


ORDERS = st.tuples(
    st.just("place"),
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from(["MARKET", "LIMIT", "STOP_LOSS"]),
    st.integers(1, 30_000),
    st.integers(50_000, 70_000),
)
MOVES = st.tuples(st.just("go"), st.integers(50_000, 70_000), st.integers(0, 5))
ENDS = st.tuples(st.sampled_from(["cancel", "expire", "part"]), st.integers(0, 20))


def act(at: Exchange, step: tuple[Any, ...]) -> None:
    if step[0] == "place":
        _, side, kind, lots, level = step
        place(at, side, kind, str(lots * D("0.00001")), level)
    elif step[0] == "go":
        go(at, step[1], step[2])
    else:
        waiting = [order for order in at.orders.values() if order.open]
        order = waiting[step[1] % len(waiting)] if waiting else None
        if order is not None and step[0] == "cancel":
            at.cancel(order, "x")
        elif order is not None and step[0] == "expire":
            at.expire(order)
        elif order is not None and order.left > D("0.00001"):
            at.fill(order, D("0.00001"), order.price or order.stop_price)


@settings(max_examples=150)
@given(
    mode=st.sampled_from(MODES),
    slices=st.integers(1, 4),
    steps=st.lists(st.one_of(ORDERS, MOVES, ENDS), max_size=25),
)
def test_whatever_happens_the_totals_are_what_the_trades_say(
    mode: str, slices: int, steps: list[tuple[Any, ...]]
) -> None:
    """Conserved exactly, nothing negative, and every lock belongs to an open order."""
    at = exchange(fee_mode=mode, slices=slices)
    for step in steps:
        with suppress(ApiError):  # too little money, or a stop that is reached already
            act(at, step)
        check(at)
