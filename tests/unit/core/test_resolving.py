"""Which of an operator's answers fit: offered and refused by the same table."""

from __future__ import annotations

import pytest
from tests.builders import PROTECTED, D, Life, fill, report

from surefoot.core.errors import SignalRefused
from surefoot.core.reports import Doubt, Unsent
from surefoot.core.resolving import Answer, misfit, offered
from surefoot.core.signals import Adopt, Close, Filled, Flatten, Freeze, Ignore, Withhold


def doubtful() -> Life:
    life = Life()
    life.tell(Doubt(client_order_id=life.enter().client_order_id, reason="504"))
    return life


def frozen(reason: str = "look") -> Life:
    life = Life(PROTECTED)
    life.opened()
    life.tell(report(life.order, "OPEN"), Freeze(reason=reason))
    return life


def vanished() -> Life:
    """Freeze a position because its stop is not there any more."""
    life = Life(PROTECTED)
    life.opened()
    life.tell(report(life.order, "OPEN"))
    life.tell(Freeze(reason=f"{life.order.client_order_id}: the exchange knows no such order"))
    return life


def late_entry() -> Life:
    """Freeze a position because an order that was proven absent is live."""
    life = Life()
    life.tell(Unsent(client_order_id=life.enter().client_order_id, reason="no route"))
    life.tell(report(life.position.orders[0], "OPEN"))
    assert "yet the exchange has it" in str(life.position.frozen)
    return life


def empty() -> Life:
    life = Life()
    life.tell(Freeze(reason="an order carries our mark"))
    return life


def late() -> Life:
    """Close a position, and have more arrive."""
    life = Life()
    life.opened()
    life.tell(Close(by="ann"))
    out = life.order
    life.tell(report(out, "FILLED", out.quantity), fill(out, "50000", trade="2"))
    entry = life.position.orders[0]
    life.tell(Freeze(reason="a trade came late"))
    assert entry.finished
    return life


@pytest.mark.parametrize(
    ("life", "answers"),
    [
        (Life(), ()),
        (doubtful(), (Answer.FILLED,)),
        (frozen(), (Answer.ADOPT, Answer.FLAT)),
        (vanished(), (Answer.FLAT, Answer.FILLED)),
        (late_entry(), (Answer.ADOPT,)),
        (empty(), (Answer.IGNORE,)),
        (late(), (Answer.IGNORE,)),
    ],
)
def test_a_finding_offers_what_fits(life: Life, answers: tuple[Answer, ...]) -> None:
    assert offered(life.position) == answers


def test_what_is_offered_is_taken_and_the_rest_is_refused_with_a_reason() -> None:
    """One table for both: catches an offer that is refused, or a refusal of what was offered."""
    for make in (doubtful, frozen, vanished, late_entry, empty, late):
        for answer in Answer:
            life = make()
            name = life.position.orders[-1].client_order_id if life.position.orders else None
            word = {
                Answer.ADOPT: Adopt(by="ann"),
                Answer.FLAT: Flatten(by="ann"),
                Answer.IGNORE: Ignore(by="ann"),
                Answer.FILLED: Filled(
                    by="ann",
                    client_order_id=name or "",
                    quantity=D(0),
                    price=D(0),  # type: ignore[arg-type]
                ),
            }[answer]
            if misfit(life.position, answer) is None:
                life.tell(word)
                assert life.position.frozen is None
            else:
                assert answer not in offered(life.position)
                with pytest.raises(SignalRefused):
                    life.tell(word)


def test_a_live_order_is_not_written_off() -> None:
    """That nothing is live any more is not true of an entry that rests at the exchange."""
    life = Life()
    life.tell(report(life.enter(), "OPEN"), Freeze(reason="look"))
    with pytest.raises(SignalRefused, match="is live at the exchange: cancel it there first"):
        life.tell(Flatten(by="ann"))


def test_an_entry_is_withdrawn_once() -> None:
    life = Life()
    life.tell(report(life.enter(), "OPEN"))
    assert life.tell(Withhold(reason="the bot is PAUSED")) == ["cancel-intended"]
    assert life.tell(Withhold(reason="the bot is PAUSED")) == []
    opened = Life()
    opened.opened()
    assert opened.tell(Withhold(reason="the bot is PAUSED")) == []
