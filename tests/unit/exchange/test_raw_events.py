"""Events reach us as they are, and ccxt keeps nothing of them."""

from __future__ import annotations

from typing import Any

import pytest

from surefoot.exchange.binance.client import FencedBinance

TRADE = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 7, "p": "100", "q": "1", "T": 1, "m": False}
BOOK = {"u": 1, "s": "BTCUSDT", "b": "99", "B": "1", "a": "101", "A": "1"}
CANDLE = {"e": "kline", "E": 1, "s": "BTCUSDT", "k": {"i": "1m", "x": True}}
REPORT = {"e": "executionReport", "E": 1, "s": "BTCUSDT", "c": "name", "i": 1, "X": "NEW"}


@pytest.mark.parametrize(
    ("message", "kind", "event"),
    [
        (TRADE, "trade", TRADE),
        (BOOK, "book", BOOK),
        (CANDLE, "kline", CANDLE),
        ({"subscriptionId": 0, "event": REPORT}, "execution", REPORT),
    ],
    ids=["trade", "book", "candle", "report"],
)
def test_an_event_is_passed_on_and_nothing_is_kept(
    message: dict[str, Any], kind: str, event: dict[str, Any]
) -> None:
    """Catches what grew by 22 MB an hour: ccxt keeps a thousand trades and orders of a symbol."""
    client, heard = FencedBinance(), []
    client.on_raw = lambda *each: heard.append(each)
    client.handle_message(None, message)
    assert heard == [(kind, event)]
    assert [client.trades, client.bidsasks, client.ohlcvs, client.orders] == [{}, {}, {}, None]


def test_what_nobody_asked_for_is_left() -> None:
    client, heard = FencedBinance(), []
    client.on_raw = lambda *each: heard.append(each)
    client.handle_message(None, {"subscriptionId": 0, "event": {"e": "balanceUpdate", "E": 1}})
    assert heard == []
    assert not client.balance
