"""Sorting errors: what is a ban, and what is only a no."""

from __future__ import annotations

import ccxt
import pytest

from surefoot.exchange.binance.verdicts import is_rate_limit, of_send
from surefoot.exchange.errors import Refused


def test_too_many_orders_is_a_refusal_and_no_ban() -> None:
    """It is over in 10 s; keeping away for two minutes kept exits and stops away as well."""
    error = ccxt.RateLimitExceeded('binance {"code":-1015,"msg":"Too many new orders."}')
    assert isinstance(of_send(error), Refused)
    assert not is_rate_limit(error)


@pytest.mark.parametrize("text", ['{"code":-1003,"msg":"Way too much."}', "429 Too Many Requests"])
def test_too_much_weight_is_a_ban(text: str) -> None:
    assert is_rate_limit(ccxt.DDoSProtection(f"binance {text}"))
