"""Sizing through the venue's filters, always to the cautious side."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from msgspec.structs import replace
from tests.builders import INSTRUMENT

from surefoot.core.errors import InvalidValue
from surefoot.core.identity import epoch_mark, order_identity
from surefoot.core.order import Role
from surefoot.core.values import PositionId, Side


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
    """S16: injective over (epoch, position, role, attempt), 128 bits, marked by the epoch."""
    seen = {
        order_identity(epoch, PositionId(f"{bot}-{number}"), role, attempt)
        for epoch in ("a", "b")
        for bot in ("dip", "dip-1")
        for number in range(12)
        for role in Role
        for attempt in range(12)
    }
    assert len(seen) == 2 * 2 * 12 * 3 * 12
    assert {len(identity) for identity in seen} == {16}
    assert {identity[:4] for identity in seen} == {epoch_mark("a"), epoch_mark("b")}


@pytest.mark.parametrize(
    ("stops_max", "replaces", "places"),
    [(None, True, None), (5, False, 5), (5, True, 4), (1, True, 1)],
)
def test_one_place_stays_free_to_move_a_stop_in(
    *, stops_max: int | None, replaces: bool, places: int | None
) -> None:
    """Catches a full symbol on which no stop can follow: the new one counts before the old goes."""
    assert replace(INSTRUMENT, stops_max=stops_max, replaces=replaces).stop_places == places
