"""Lives of positions, decision by decision: the protocol in the core alone."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

import pytest
from tests.builders import PLAN, PROTECTED, Life, absence, fill, replay, report

from surefoot.core.decide import Ask, Withdraw, owed
from surefoot.core.errors import SignalRefused
from surefoot.core.exits import ExitPlan
from surefoot.core.order import OrderStatus, Role
from surefoot.core.position import Dust, State
from surefoot.core.reports import (
    Doubt,
    PriceSeen,
    Reduction,
    Refusal,
    TimePassed,
    Unsent,
)
from surefoot.core.signals import (
    Adopt,
    Close,
    EntrySignal,
    ExitSignal,
    Filled,
    Flatten,
    Freeze,
    Ignore,
)
from surefoot.core.values import Direction

ENTRY = EntrySignal(quantity=D("0.00160"), plan=PLAN)
TOO_LATE = timedelta(seconds=66)


def test_an_entry_is_an_intent_first() -> None:
    life = Life()
    assert life.tell(ENTRY) == ["order-intended", "state-changed"]
    assert life.position.state is State.OPENING
    assert life.order.status is OrderStatus.INTENDED
    assert life.order.not_after == life.now + timedelta(seconds=5)


def test_finished_means_counted() -> None:
    """The exchange says FILLED; until its fills are booked the position is OPENING."""
    life = Life()
    order = life.enter()
    life.tell(report(order, "FILLED", order.quantity))
    assert (life.position.state, life.order.status) == (State.OPENING, OrderStatus.WORKING)
    life.tell(fill(order, "50000", "0.00100", trade="1"))
    assert life.position.state is State.OPENING
    life.tell(fill(order, "50010", "0.00060", trade="2"))
    assert (life.position.state, life.order.status) == (State.OPEN, OrderStatus.FILLED)
    assert life.position.entry_price == D("50003.75")
    assert life.position.levels.stop == D("49003.68")


@pytest.mark.parametrize("state", [State.OPENING, State.OPEN, State.CLOSING])
def test_no_second_entry(state: State) -> None:
    """An entry signal in OPENING, OPEN or CLOSING is refused and leaves nothing behind."""
    life = in_state(state)
    before = life.position
    with pytest.raises(SignalRefused, match=f"no entry while the position is {state}"):
        life.tell(ENTRY)
    assert life.position is before


@pytest.mark.parametrize("state", [State.FLAT, State.OPENING, State.CLOSING])
def test_no_second_exit(state: State) -> None:
    """An exit signal in FLAT, OPENING or CLOSING is refused and leaves nothing behind."""
    life = in_state(state)
    before = life.position
    with pytest.raises(SignalRefused, match=f"no exit while the position is {state}"):
        life.tell(ExitSignal())
    assert life.position is before


def in_state(state: State) -> Life:
    life = Life()
    if state is State.OPENING:
        life.enter()
    elif state is not State.FLAT:
        life.opened()
        if state is State.CLOSING:
            life.tell(ExitSignal(reason="enough"))
    assert life.position.state is state
    return life


def test_an_exit_closes_to_the_last_digit() -> None:
    life = Life()
    order = life.enter("0.00160")
    life.tell(
        report(order, "FILLED", order.quantity),
        fill(order, "61685.99", trade="1", fee="0.09869758", asset="USDT"),
    )
    life.tell(ExitSignal(reason="enough"))
    out = life.order
    assert (out.role, out.quantity) == (Role.EXIT, D("0.00160"))
    life.tell(
        report(out, "FILLED", out.quantity),
        fill(out, "62000.01", "0.00100", trade="2", fee="0.06200001"),
        fill(out, "62000.02", "0.00060", trade="3", fee="0.037200012"),
    )
    assert life.position.state is State.CLOSED
    cash = D("62000.01") * D("0.001") + D("62000.02") * D("0.0006") - D("61685.99") * D("0.0016")
    fees = D("0.09869758") + D("0.06200001") + D("0.037200012")
    assert life.position.realized_pnl == cash - fees


def test_fees_in_the_base_asset_leave_dust_not_a_stuck_position() -> None:
    """Reports J01, J04: what is sold is what is held, floored; the rest is booked as dust."""
    life = Life()
    order = life.enter("0.00160")
    life.tell(
        report(order, "FILLED", order.quantity),
        fill(order, "50000", trade="1", fee="0.0000016", asset="BTC"),
    )
    assert life.position.quantity == D("0.0015984")
    life.tell(ExitSignal())
    assert life.order.quantity == D("0.00159")
    life.tell(report(life.order, "FILLED", "0.00159"), fill(life.order, "50000", trade="2"))
    assert life.position.state is State.CLOSED
    assert life.position.quantity == 0
    cost = D("0.4204204204204204")  # of the 80 that 0.0015984 cost
    assert life.position.left == Dust(quantity=D("0.0000084"), cost=cost)
    assert life.position.realized_pnl == D("79.5") - (D(80) - cost)


def test_fees_in_a_third_asset_are_listed_not_converted() -> None:
    life = Life()
    order = life.enter()
    life.tell(
        report(order, "FILLED", order.quantity),
        fill(order, "50000", trade="1", fee="0.0001", asset="BNB"),
    )
    assert life.position.fees == {"BNB": D("0.0001")}
    assert life.position.quantity == D("0.00160")


class TestUnknown:
    def test_a_lost_answer_concludes_nothing(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(Doubt(client_order_id=order.client_order_id, reason="timed out"))
        assert life.position.state is State.OPENING
        assert owed(life.position) == (Ask(order=life.order),)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"read_started_at": "early"}, "read began before not_after + V"),
            ({"not_found": False}, "the exchange did not say so"),
            ({"fills_complete": False}, "fills are not proven complete"),
            ({"named_by_a_fill": True}, "a fill names it"),
            ({"version": 1}, "the position changed since"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_absence_is_not_evidence_until_all_holds(
        self, change: dict[str, object], why: str
    ) -> None:
        """Take any one condition away and the order stays unknown (W1, W2, W7, W28)."""
        del why
        life = Life()
        life.enter()
        life.now += TOO_LATE
        if change.get("read_started_at") == "early":
            change = {"read_started_at": life.order.not_after + timedelta(seconds=60)}
        assert life.tell(absence(life, **change)) == []
        assert life.position.state is State.OPENING

    def test_proven_absence_is_flat_and_the_next_attempt_has_a_new_name(self) -> None:
        life = Life()
        first = life.enter()
        life.now += TOO_LATE
        assert life.tell(absence(life)) == ["order-never", "state-changed"]
        assert life.position.state is State.FLAT
        life.now += timedelta(seconds=2)
        assert life.enter().client_order_id != first.client_order_id

    def test_what_was_seen_cannot_be_unseen(self) -> None:
        life = Life()
        life.tell(report(life.enter(), "OPEN"))
        life.now += TOO_LATE
        assert life.tell(absence(life)) == []

    def test_a_late_discovery_is_adopted_frozen_and_withdrawn(self) -> None:
        """V was violated: S4 broke, and the damage is bounded to this one order."""
        life = Life()
        order = life.enter()
        life.now += TOO_LATE
        life.tell(absence(life))
        life.tell(report(order, "OPEN"))
        assert life.position.state is State.OPENING
        assert life.position.frozen is not None
        assert any(isinstance(duty, Withdraw) for duty in owed(life.position))
        life.tell(report(order, "CANCELED", "0.00100"), fill(order, "50000", "0.001", trade="1"))
        assert life.position.state is State.OPEN
        assert life.position.quantity == D("0.001")

    def test_not_sent_is_flat_at_once(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(Unsent(client_order_id=order.client_order_id, reason="connection refused"))
        assert (life.position.state, life.order.status) == (State.FLAT, OrderStatus.NEVER)

    def test_a_refusal_is_flat_and_the_next_entry_waits(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(Refusal(client_order_id=order.client_order_id, code="-2010", message="no funds"))
        assert (life.position.state, life.order.status) == (State.FLAT, OrderStatus.REJECTED)
        with pytest.raises(SignalRefused, match="the last entry failed"):
            life.tell(ENTRY)
        life.tell(ENTRY, after=timedelta(seconds=1))
        assert life.position.state is State.OPENING


class TestFills:
    def test_the_same_trade_by_any_road_counts_once(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(report(order, "OPEN"), fill(order, "50000", "0.001", trade="7"))
        version = life.position.version
        assert life.tell(fill(order, "50000", "0.001", trade="7")) == []
        assert life.position.version == version

    def test_a_trade_beyond_the_order_is_not_booked(self) -> None:
        """Report D02: one fill under two ids. The quantity cap catches it and somebody looks."""
        life = Life()
        order = life.enter()
        life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="7"))
        assert life.tell(fill(order, "50000", trade="7-other"))[0] == "position-frozen"
        assert life.position.quantity == order.quantity

    def test_a_fill_after_the_end_is_booked_and_looked_at(self) -> None:
        """Report I11 and W21: the ear is never closed."""
        life = Life()
        order = life.enter()
        life.tell(report(order, "CANCELED"))
        assert life.position.state is State.FLAT
        life.tell(fill(order, "50000", "0.001", trade="9"))
        assert life.position.state is State.OPEN
        assert life.position.quantity == D("0.001")
        assert life.position.frozen is not None

    def test_an_old_report_does_not_turn_time_back(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(fill(order, "50000", "0.001", trade="1"))
        assert life.tell(report(order, "OPEN", "0")) == []
        assert life.order.reported == D("0.001")


class TestExits:
    def test_partly_filled_then_cancelled_entry_is_open_with_that_part(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(fill(order, "50000", "0.001", trade="1"), report(order, "CANCELED", "0.001"))
        assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.001"))

    def test_partly_filled_then_cancelled_exit_is_open_again_and_reduced(self) -> None:
        life = Life()
        life.opened()
        life.tell(ExitSignal())
        out = life.order
        life.tell(fill(out, "51000", "0.001", trade="2"), report(out, "CANCELED", "0.001"))
        assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.0006"))
        life.tell(ExitSignal())
        assert life.order.quantity == D("0.0006")

    def test_a_half_filled_entry_is_exposure_and_its_stop_is_honoured(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(report(order, "OPEN"), fill(order, "50000", "0.001", trade="1"))
        assert life.position.state is State.OPENING
        life.tell(PriceSeen(price=D(48999)))
        assert any(isinstance(duty, Withdraw) for duty in owed(life.position))
        life.tell(report(order, "CANCELED", "0.001"))
        assert life.position.state is State.CLOSING
        assert (life.order.role, life.order.quantity) == (Role.EXIT, D("0.001"))

    def test_the_stop_rests_at_the_exchange_and_makes_way_for_an_exit(self) -> None:
        life = Life(PROTECTED)
        life.opened()
        stop = life.order
        assert (stop.role, stop.trigger, stop.quantity) == (Role.STOP, D(49000), D("0.00160"))
        life.tell(report(stop, "OPEN"))
        assert life.tell(ExitSignal()) == ["exit-wished", "cancel-intended"]
        assert life.position.state is State.OPEN
        life.tell(report(stop, "CANCELED"))
        assert (life.position.state, life.order.role) == (State.CLOSING, Role.EXIT)

    def test_a_stop_that_began_to_fill_is_closing(self) -> None:
        life = Life(PROTECTED)
        life.opened()
        stop = life.order
        life.tell(fill(stop, "48990", "0.001", trade="2"))
        assert life.position.state is State.CLOSING
        life.tell(report(stop, "FILLED", stop.quantity), fill(stop, "48989", "0.0006", trade="3"))
        assert life.position.state is State.CLOSED

    def test_the_exchange_has_first_go_at_a_stop(self) -> None:
        life = Life(PROTECTED)
        life.opened()
        life.tell(report(life.order, "OPEN"))
        assert life.tell(PriceSeen(price=D(48999))) == []
        assert life.tell(PriceSeen(price=D(48900))) == ["exit-wished", "cancel-intended"]

    def test_a_moved_stop_is_replaced(self) -> None:
        life = Life(PROTECTED)
        life.opened()
        stop = life.order
        life.tell(report(stop, "OPEN"))
        assert life.tell(PriceSeen(price=D(50500))) == ["levels-set", "cancel-intended"]
        life.tell(report(stop, "CANCELED"))
        assert (life.order.role, life.order.trigger) == (Role.STOP, D(50000))

    def test_time_to_live(self) -> None:
        life = Life()
        life.tell(
            EntrySignal(
                quantity=D("0.0016"),
                plan=ExitPlan(),
                limit=D(49000),
                time_to_live=timedelta(seconds=30),
            ),
        )
        life.tell(report(life.order, "OPEN"))
        assert life.tell(TimePassed(), after=timedelta(seconds=29)) == []
        assert life.tell(TimePassed(), after=timedelta(seconds=1)) == ["cancel-intended"]

    def test_refused_exits_are_tried_ever_slower_and_freeze(self) -> None:
        """Report I20: the same refusal for ever. Three in a row and a person must look."""
        life = Life()
        life.opened()
        life.tell(Close(by="operator"))
        for wait in (1, 2, 4, 8, 16, 32, 60, 60):
            refusal = Refusal(
                client_order_id=life.order.client_order_id, code="-1013", message="filter"
            )
            life.tell(refusal)
            count = life.position.attempts
            life.tell(TimePassed(), after=timedelta(seconds=wait) - timedelta(milliseconds=1))
            assert life.position.attempts == count
            life.tell(TimePassed(), after=timedelta(milliseconds=1))
            assert life.position.attempts == count + 1
        assert "3 exits in a row" in (life.position.frozen or "")

    def test_closed_by_hand_goes_through_closing(self) -> None:
        life = Life(PROTECTED)
        life.opened()
        stop = life.order
        life.tell(report(stop, "OPEN"))
        life.tell(Reduction(quantity=D("0.0016"), price=D(50100), evidence="trades 5, 6"))
        assert life.position.state is State.CLOSING
        life.tell(report(stop, "CANCELED"))
        assert life.position.state is State.CLOSED
        assert life.position.realized_pnl == D("0.16")


class TestOperators:
    def test_frozen_takes_no_entry_and_keeps_its_stop(self) -> None:
        life = Life()
        life.tell(Freeze(reason="look at this"))
        with pytest.raises(SignalRefused, match="frozen: look at this"):
            life.tell(ENTRY)
        life.tell(Ignore(by="ann"))
        life.opened()
        life.tell(Freeze(reason="again"), PriceSeen(price=D(48000)))
        assert life.position.state is State.CLOSING

    def test_flat_writes_off_and_closes(self) -> None:
        life = Life()
        life.opened()
        life.tell(Freeze(reason="gone"), Flatten(by="ann"))
        assert life.position.state is State.CLOSED
        assert (life.position.quantity, life.position.frozen) == (D(0), None)

    def test_flat_ends_an_unknown_entry(self) -> None:
        life = Life()
        life.enter()
        life.tell(Flatten(by="ann"))
        assert (life.position.state, life.order.status) == (State.FLAT, OrderStatus.NEVER)

    def test_filled_books_what_the_operator_knows(self) -> None:
        life = Life()
        order = life.enter()
        life.tell(
            Filled(
                by="ann",
                client_order_id=order.client_order_id,
                quantity=D("0.001"),
                price=D(50000),
            ),
        )
        assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.001"))

    @pytest.mark.parametrize(
        ("quantity", "price", "why"),
        [("0.0010001", "50000", "the step is"), ("0.0006", "5", "too far from the 50000")],
    )
    def test_what_no_exchange_could_have_filled_is_not_booked(
        self, quantity: str, price: str, why: str
    ) -> None:
        """Catches a slip of the keyboard: it was booked, and the profit with it."""
        life = Life()
        life.opened()
        life.tell(ExitSignal(reason="enough"))
        name = life.order.client_order_id
        with pytest.raises(SignalRefused, match=why):
            life.tell(Filled(by="ann", client_order_id=name, quantity=D(quantity), price=D(price)))

    def test_close_insists(self) -> None:
        """An operator's close outlives a failed exit; a strategy's is decided anew."""
        life = Life()
        life.opened()
        life.tell(Close(by="ann"))
        out = life.order
        life.tell(fill(out, "50000", "0.001", trade="2"), report(out, "EXPIRED", "0.001"))
        assert life.position.state is State.CLOSING
        assert life.order.quantity == D("0.0006")

    @pytest.mark.parametrize("word", [Adopt(by="ann"), Ignore(by="ann")])
    def test_nothing_to_resolve(self, word: Adopt | Ignore) -> None:
        with pytest.raises(SignalRefused, match="is not frozen"):
            Life().tell(word)

    def test_short_is_refused_on_spot(self) -> None:
        signal = EntrySignal(quantity=D(1), plan=PLAN, direction=Direction.SHORT)
        with pytest.raises(SignalRefused, match="derivatives"):
            Life().tell(signal)


def test_replay_is_the_projection() -> None:
    """S8: folding the records gives the position that deciding left behind."""
    life = Life(PROTECTED)
    life.opened()
    life.tell(report(life.order, "OPEN"), PriceSeen(price=D(50500)))
    life.tell(report(life.order, "CANCELED"), Close(by="ann"))
    assert replay(life.records) == life.position


def test_two_orders_under_one_name_freeze() -> None:
    """W3: a used id was accepted again. Nothing is attributed by guess."""
    life = Life()
    order = life.enter()
    life.tell(report(order, "OPEN", exchange_id="x1"))
    assert life.tell(report(order, "OPEN", exchange_id="other"))[0] == "position-frozen"
