"""The way in, which costs nothing until an account is opened."""

from __future__ import annotations

from surefoot.exchange.port import Exchange, Login


def open_account(login: Login) -> Exchange:
    """Return an adapter for one login; nothing is connected yet."""
    # Imported late: ccxt takes a second to load, and most commands never need it.
    from surefoot.exchange.binance.adapter import Binance  # noqa: PLC0415

    return Binance(login)
