"""Exchanges: a port in the core's words, venue facts as data, and adapters."""

from __future__ import annotations

from typing import Any

from surefoot.core.errors import InvalidValue
from surefoot.exchange.errors import Misconfigured
from surefoot.exchange.hosts import environment
from surefoot.exchange.port import Exchange, Time
from surefoot.exchange.venues import venue

__all__ = ["open_exchange"]


def open_exchange(
    name: str,
    *,
    key: str,
    secret: str,
    settings: dict[str, Any],
    allow_custom_host: bool,
    time: Time,
) -> Exchange:
    """Return an adapter for one account; nothing is connected yet.

    Raises:
        Misconfigured: the venue is not known, or the settings lead somewhere unexpected.
    """
    try:
        capabilities = venue(name)
    except InvalidValue as error:
        raise Misconfigured(str(error)) from error
    where = environment(name, settings, allow_custom_host=allow_custom_host)
    # Imported late: ccxt takes a second to load, and most commands never need it.
    from surefoot.exchange.binance import Binance  # noqa: PLC0415

    return Binance(
        venue=capabilities,
        key=key,
        secret=secret,
        settings=settings,
        environment=where,
        time=time,
    )
