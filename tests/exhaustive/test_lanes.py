"""Every set of open orders: which may be out together, and which never.

The table is written out from the design. Broken on purpose, and red here: a lane that takes two, an
entry beside an exit, an exit beside a resting stop.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
from msgspec.structs import replace
from tests.builders import Life

from surefoot.core.errors import InvariantViolated
from surefoot.core.invariants import check
from surefoot.core.lanes import Lane, lane_of
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position
from surefoot.core.values import ClientOrderId

ALLOWED = {(), (Role.ENTRY,), (Role.EXIT,), (Role.STOP,), (Role.ENTRY, Role.STOP)}
SETS = [roles for n in range(4) for roles in combinations_with_replacement(Role, n)]


def holding(roles: tuple[Role, ...], status: OrderStatus) -> Position:
    """Return a position that holds something, with one order of each of these roles."""
    life = Life()
    position = life.opened()
    like = life.order
    extra = tuple(_order(like, role, n, status) for n, role in enumerate(roles, 2))
    return replace(position, orders=(*position.orders, *extra))


def _order(like: Order, role: Role, n: int, status: OrderStatus) -> Order:
    return replace(
        like,
        client_order_id=ClientOrderId(f"order-{n}"),
        role=role,
        attempt=n,
        quantity=like.quantity / 8,
        status=status,
        filled=0 * like.filled,
        reported=0 * like.filled,
        trades=(),
        verdict=None,
    )


def test_every_role_has_its_lane() -> None:
    assert {role: lane_of(role) for role in Role} == {
        Role.ENTRY: Lane.ENTRY,
        Role.EXIT: Lane.EXIT,
        Role.STOP: Lane.PROTECTION,
    }


@pytest.mark.parametrize("status", [OrderStatus.INTENDED, OrderStatus.WORKING])
@pytest.mark.parametrize("roles", SETS, ids=lambda roles: "+".join(roles) or "none")
def test_every_set_of_open_orders(roles: tuple[Role, ...], status: OrderStatus) -> None:
    """S2: one open intent a lane, and only what may stand together stands together."""
    position = holding(roles, status)
    if roles in ALLOWED:
        check(None, position)
        return
    with pytest.raises(InvariantViolated, match="S2"):
        check(None, position)
    check(None, replace(position, frozen="a late discovery is shown, and nothing is added"))


@pytest.mark.parametrize("roles", SETS, ids=lambda roles: "+".join(roles) or "none")
def test_what_is_over_is_in_nobodys_way(roles: tuple[Role, ...]) -> None:
    check(None, holding(roles, OrderStatus.CANCELED))
