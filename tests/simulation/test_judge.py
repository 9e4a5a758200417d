"""What the judges excuse where older files took the journal's place, and nothing else.

Broken on purpose, and red here: the excuse of a lost holding given to whoever believed in nothing,
or to whoever sold more than all that the bot has; a close that is wished again after a setback
excused with the one before; what was bought unheard called bare as soon as somebody is heard.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import apsw
import pytest
from tests.simulation.judge import Holding, Judge, Known
from tests.simulation.rest import Rest

SYMBOL: Final = "BTCUSDT"
TABLES: Final = """
CREATE TABLE positions (position_id, bot, quantity, state, frozen);
CREATE TABLE orders (client_order_id, position_id, role, status, filled);
CREATE TABLE fills (client_order_id, quantity);
CREATE TABLE records (sequence INTEGER PRIMARY KEY, stream, kind, data);
INSERT INTO positions VALUES ('bot-1', 'bot', '{believed}', 'OPENING', NULL);
"""


class Market:
    """As much of an exchange as the judge of a trade asks: one symbol, at one price."""

    def __init__(self) -> None:
        self.rules = {SYMBOL: SimpleNamespace(base="BTC")}
        self.quotes = {SYMBOL: SimpleNamespace(last=Decimal(50_000))}
        self.standing: list[Any] = []

    def listen(self, listener: Any) -> None:
        """Take whoever wants to hear."""
        self.listener = listener

    def sells(self, name: str, quantity: str) -> None:
        """Report one trade of an order of ours that it fills."""
        order = SimpleNamespace(
            client_order_id=name, side="SELL", symbol=SYMBOL, origin="api",
            executed=Decimal(quantity),
        )  # fmt: skip
        trade = SimpleNamespace(quantity=Decimal(quantity), fee=Decimal(0), fee_asset="USDT")
        self.listener("TRADE", order, trade)


def note(journal: Path, kind: str, data: Any) -> None:
    """Write a record of a bot's only position, or of anything."""
    with closing(apsw.Connection(str(journal))) as connection:
        row = ("position/bot-1", kind, json.dumps(data))
        connection.execute("INSERT INTO records (stream, kind, data) VALUES (?, ?, ?)", row)


def judge_of(market: Market, journal: Path, believed: str, *held: Holding) -> Judge:
    """Return a judge of a bot that holds this, on a journal that believes in so much."""
    with closing(apsw.Connection(str(journal))) as connection:
        connection.execute(TABLES.format(believed=believed))
    judge = Judge(journal, market, lambda: 0.0)
    judge.holdings = {each.name: each for each in held}
    judge.orders["exit"] = Known("bot-1", "bot", "exit", Decimal("0.1"))
    return judge


def test_what_is_sold_twice_is_blamed_although_nothing_was_believed_in(tmp_path: Path) -> None:
    """The stop had sold it, and that was booked; then the exit sold as much of the owner's."""
    market = Market()
    judge = judge_of(market, tmp_path / "j.db", "0", Holding("bot-1", "bot", SYMBOL))
    market.sells("exit", "0.1")
    assert [harm.kind for harm in judge.harms] == ["sold more than was bought"]


@pytest.mark.parametrize(("left", "harms"), [("0.1", []), ("0.05", ["sold more than was bought"])])
def test_what_an_older_journal_lost_may_be_sold_in_its_name_and_no_more(
    tmp_path: Path, left: str, harms: list[str]
) -> None:
    """It believes in a holding that was sold since; what was bought after that is as much."""
    market = Market()
    lost = Holding("bot-2, lost", "bot", SYMBOL, held=Decimal(left), lost=True)
    held = Holding("bot-1", "bot", SYMBOL)
    judge = judge_of(market, tmp_path / "j.db", left, held, lost)
    market.sells("exit", "0.1")
    assert [harm.kind for harm in judge.harms] == harms


@pytest.mark.parametrize(
    ("kinds", "harms"),
    [
        (["exit-wished"], ["a close was not carried out"]),
        (["position-set-back", "exit-wished"], ["a close was not carried out"]),
        (["exit-wished", "position-set-back"], []),
    ],
)
def test_a_close_from_before_a_setback_has_to_be_said_again(
    tmp_path: Path, kinds: list[str], harms: list[str]
) -> None:
    """The wish lapses with the files; what is proven to be held is open again, and is kept."""
    held = Holding("bot-1", "bot", SYMBOL, held=Decimal("0.1"))
    judge = judge_of(Market(), tmp_path / "j.db", "0.1", held)
    for kind in kinds:
        note(tmp_path / "j.db", kind, {"wish": {"by": "somebody"}})
    rest = Rest(judge, datetime(2026, 1, 1, tzinfo=UTC), innocent=False)
    rest._look_at_closes({"bot-1": ("bot", "OPEN", None, Decimal("0.1"))}, set())
    assert [harm.kind for harm in judge.harms] == harms


def test_what_was_bought_while_nobody_was_heard_is_bare_from_when_it_can_be_known(
    tmp_path: Path,
) -> None:
    """The first answer ends the silence, and what it bought is booked a moment later."""
    held = Holding("bot-1", "bot", SYMBOL, held=Decimal("0.1"), bought=Decimal("0.1"))
    journal, times = tmp_path / "j.db", iter((400.0, 600.0, 605.0, 1006.0))
    judge = judge_of(Market(), journal, "0", held)
    note(journal, "health-changed", {"health": {"state": "unreachable"}})
    judge.look(0.0)
    for state, harms in (("unreachable", 0), ("unreachable", 0), ("ok", 0), ("ok", 1)):
        note(journal, "health-changed", {"health": {"state": state}})
        judge._now = partial(float, next(times))
        judge.look(0.0)
        assert len(judge.harms) == harms
    assert judge.harms[0].kind == "unprotected, and nobody said so"
