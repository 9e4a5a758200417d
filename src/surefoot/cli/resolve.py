"""`surefoot resolve`: an operator looked at a frozen position, and says what is true."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

from cyclopts import Parameter

from surefoot.cli.naming import find
from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, Failed
from surefoot.cli.output import say
from surefoot.cli.post import post
from surefoot.config import ConfigError
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.resolving import Answer, doubtful, misfit
from surefoot.core.values import plain


def resolve(
    position: str,
    *,
    adopt: Annotated[bool, Parameter(negative="")] = False,
    flat: Annotated[bool, Parameter(negative="")] = False,
    ignore: Annotated[bool, Parameter(negative="")] = False,
    filled: str | None = None,
    order: str | None = None,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
    options: Options | None = None,
) -> int:
    """Resolve a frozen position: exactly one of --adopt, --flat, --filled and --ignore.

    Parameters
    ----------
    position
        The position's id, as `surefoot status` shows it; a bot's name means its frozen one.
    adopt
        What the journal says is right, also what came late: go on managing it.
    flat
        Nothing is held and nothing is live any more: write the rest off.
    ignore
        The difference does not matter: lift the freeze, change nothing.
    filled
        QUANTITY@PRICE that an order in doubt really filled, such as 0.002@61700; 0 for nothing.
    order
        The client order id that --filled is about, if it is not the only one in doubt.
    yes
        Do not ask before booking what --filled says: for scripts.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    chosen = [
        name
        for name, given in (
            ("adopt", adopt), ("flat", flat), ("ignore", ignore), ("filled", filled is not None),
        )
        if given
    ]  # fmt: skip
    if len(chosen) != 1:
        raise ConfigError("resolve", ["say one of --adopt, --flat, --filled and --ignore"])
    arguments = {"how": chosen[0]}
    if filled is not None:
        arguments |= _fill(filled)
    if order is not None:
        arguments["order"] = order
    found = asyncio.run(_position(options, position))
    reason = misfit(found, Answer(chosen[0]))
    if reason is not None and order is None:
        raise Failed(f"refused: {reason}")
    if filled is not None and not yes and not _agreed(found, arguments):
        return FAILED
    return post(options, "resolve", found.position_id, arguments)


def _fill(filled: str) -> dict[str, str]:
    quantity, separator, price = filled.partition("@")
    if not separator and quantity != "0":
        message = "--filled is QUANTITY@PRICE, such as 0.002@61700, or 0 for nothing"
        raise ConfigError("resolve", [message])
    return {"quantity": quantity, "price": price or "0"}


async def _position(options: Options, name: str) -> Position:
    """Return the position that is meant: of a bot, the one that is frozen."""
    reader = options.reader()
    try:
        named = await find(reader, name)
        position = await reader.position(named.position or named.bot)
        row = next(row for row in await reader.bots() if row.bot == named.bot)
        if named.position is None and position is not None and position.frozen is None:
            if len(row.frozen) > 1:
                raise Failed(f"{name} has more than one that is frozen: {', '.join(row.frozen)}")
            older = [await reader.position(each) for each in row.frozen]
            position = older[0] if older else position
        if position is None:
            raise Failed(f"{name} has no position yet: nothing is to resolve")
        return position
    finally:
        await reader.close()


def _agreed(position: Position, arguments: dict[str, str]) -> bool:
    """Show what would be booked, and ask."""
    order = _meant(position, arguments.get("order"))
    quantity, price = arguments["quantity"], arguments["price"]
    what = "as NOT filled" if quantity == "0" else f"as filled: {quantity} at {price}"
    side = "buy" if order.side == "buy" else "sell"
    say(
        f"{position.position_id}: the {order.role} {order.client_order_id}, a {side} of "
        f"{plain(order.quantity)} {position.base}, would be booked {what}.",
    )
    if not sys.stdin.isatty():
        raise ConfigError("resolve", ["--filled asks before it books; say --yes in a script"])
    return input("Is that what happened? [y/N] ").strip().lower() in {"y", "yes"}


def _meant(position: Position, name: str | None) -> Order:
    orders = doubtful(position)
    if name is not None:
        orders = tuple(each for each in position.orders if each.client_order_id == name)
    if len(orders) != 1:
        names = ", ".join(each.client_order_id for each in orders) or "none"
        raise Failed(f"name the order with --order; in doubt are: {names}")
    return orders[0]
