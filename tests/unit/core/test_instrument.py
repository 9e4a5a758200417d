"""Sizing through the venue's filters, always to the cautious side."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from msgspec.structs import replace
from tests.builders import INSTRUMENT

from surefoot.core.errors import InvalidValue
from surefoot.core.identity import Origin, has_our_form, order_identity
from surefoot.core.order import Role
from surefoot.core.values import AccountName, PositionId, Side


def test_a_notional_becomes_a_quantity_on_the_lot_grid() -> None:
    assert INSTRUMENT.size(D(100), D("61685.99")) == D("0.00162")


@pytest.mark.parametrize("notional", ["4.99", "0.1"])
def test_under_the_minimum_is_a_clear_refusal(notional: str) -> None:
    with pytest.raises(InvalidValue, match="raise the bot's notional"):
        INSTRUMENT.size(D(notional), D(50000))


def test_limit_prices_round_away_from_the_market() -> None:
    assert INSTRUMENT.price(D("100.129"), Side.BUY) == D("100.12")
    assert INSTRUMENT.price(D("100.121"), Side.SELL) == D("100.13")


@pytest.mark.parametrize(
    ("quantity", "dust"), [("0", True), ("0.000009", True), ("0.00009", True), ("0.0001", False)]
)
def test_dust(quantity: str, dust: bool) -> None:
    assert INSTRUMENT.is_dust(D(quantity), D(50000)) is dust


def test_client_order_ids_are_never_the_same_twice() -> None:
    """S16: injective over all that they are made of, 128 bits, marked by epoch and account."""
    origins = [
        Origin(epoch=epoch, generation=generation, account=AccountName(account))
        for epoch in ("a", "b")
        for generation in ("one", "two")
        for account in ("main", "other")
    ]
    seen = {
        order_identity(origin, PositionId(f"{bot}-{number}"), role, attempt)
        for origin in origins
        for bot in ("dip", "dip-1")
        for number in range(12)
        for role in Role
        for attempt in range(12)
    }
    assert len(seen) == 2 * 2 * 2 * 2 * 12 * len(Role) * 12
    assert {len(identity) for identity in seen} == {16}
    assert {identity[:4] for identity in seen} == {origin.mark for origin in origins}
    assert len({origin.mark for origin in origins}) == 4


def test_our_form_is_known_whatever_the_epoch() -> None:
    """An order of a journal that is lost is never a stranger's; what others make is."""
    origin = Origin(epoch="lost", generation="one", account=AccountName("main"))
    identity = order_identity(origin, PositionId("dip-1"), Role.ENTRY, 1)
    assert has_our_form(identity)
    for place in range(16):
        changed = bytes(byte ^ (number == place) for number, byte in enumerate(identity))
        assert not has_our_form(changed)
    for other in (b"", identity[:15], identity + b"x", bytes(16)):
        assert not has_our_form(other)


@pytest.mark.parametrize(
    ("stops_max", "replaces", "places"),
    [(None, True, None), (5, False, 5), (5, True, 4), (1, True, 1), (0, True, 0), (0, False, 0)],
)
def test_one_place_stays_free_to_move_a_stop_in(
    *, stops_max: int | None, replaces: bool, places: int | None
) -> None:
    """Catches a full symbol on which no stop can follow: the new one counts before the old goes."""
    assert replace(INSTRUMENT, stops_max=stops_max, replaces=replaces).stop_places == places
