"""`surefoot resolve`: an operator looked at a frozen position, and says what is true."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from surefoot.cli.options import Options
from surefoot.cli.post import post
from surefoot.config import ConfigError


def resolve(
    position: str,
    *,
    adopt: Annotated[bool, Parameter(negative="")] = False,
    flat: Annotated[bool, Parameter(negative="")] = False,
    ignore: Annotated[bool, Parameter(negative="")] = False,
    filled: str | None = None,
    order: str | None = None,
    options: Options | None = None,
) -> int:
    """Resolve a frozen position: exactly one of --adopt, --flat, --filled and --ignore.

    Parameters
    ----------
    position
        The position's id, as `surefoot status` shows it.
    adopt
        What the journal says is right, also what came late: go on managing it.
    flat
        Nothing is held and nothing is live any more: write the rest off.
    ignore
        The difference does not matter: lift the freeze, change nothing.
    filled
        QUANTITY@PRICE that an unfinished order really filled, such as 0.002@61700; 0 for nothing.
    order
        The client order id that --filled is about, if it is not the only unfinished one.
    options
        Where the configuration is, and how to answer.
    """
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
        quantity, separator, price = filled.partition("@")
        if not separator and quantity != "0":
            message = "--filled is QUANTITY@PRICE, such as 0.002@61700, or 0 for nothing"
            raise ConfigError("resolve", [message])
        arguments |= {"quantity": quantity, "price": price or "0"}
    if order is not None:
        arguments["order"] = order
    return post(options or Options(), "resolve", position, arguments)
