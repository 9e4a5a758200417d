"""The table of venues: what each promises, and how an account there is opened.

A venue that is not in `VENUES` is refused: without its facts nobody can say when silence has
become proof. A new one needs its folder and a row here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.exchange.address import Address
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.binance.opener import open_account as open_binance
from surefoot.exchange.errors import Misconfigured
from surefoot.exchange.hosts import environment
from surefoot.exchange.port import PULSE_S, Exchange, Login, Time, Venue


class Opener(Protocol):
    """How a venue's folder makes an adapter."""

    def __call__(self, login: Login) -> Exchange:
        """Return an adapter for one login; nothing is connected yet."""
        ...


class Row(Struct, frozen=True, kw_only=True):
    """One venue."""

    facts: Venue
    open: Opener


VENUES: dict[str, Row] = {
    BINANCE.name: Row(facts=BINANCE, open=open_binance),
}


def venue(name: str) -> Venue:
    """Return a venue's facts.

    Raises:
        InvalidValue: nobody has written down what this venue promises.
    """
    return _row(name).facts


def open_exchange(  # noqa: PLR0913 (what an account is opened with)
    name: str,
    *,
    keys: Callable[[], tuple[str, str]],
    settings: dict[str, Any],
    allow_custom_host: bool,
    time: Time,
    paper: bool = False,
    addresses: dict[str, Address] | None = None,
    pulse_s: float = PULSE_S,
) -> Exchange:
    """Return an adapter for one account; nothing is connected yet.

    What is opened with the same `addresses` shares the weight that a venue grants this machine.

    Raises:
        Misconfigured: the venue is not known, or the settings lead somewhere unexpected; what is
            on paper leads to this machine or nowhere.
    """
    try:
        row = _row(name)
    except InvalidValue as error:
        raise Misconfigured(str(error)) from error
    where = environment(row.facts, settings, allow_custom_host=allow_custom_host)
    if paper and where != "simulated":
        raise Misconfigured(
            "on paper, and yet it leads to the real exchange: nothing is sent there"
        )
    where = "paper" if paper else where
    known = {} if addresses is None else addresses
    address = known.setdefault(f"{name} {where}", Address(row.facts.weight, time))
    return row.open(
        Login(
            keys=keys,
            settings=settings,
            environment=where,
            time=time,
            address=address,
            pulse_s=pulse_s,
        ),
    )


def _row(name: str) -> Row:
    if name not in VENUES:
        known = ", ".join(sorted(VENUES))
        near = difflib.get_close_matches(name, VENUES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidValue(f"exchange {name!r} is not supported; known are: {known}{hint}")
    return VENUES[name]
