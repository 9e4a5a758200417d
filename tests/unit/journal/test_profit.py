"""What trades come to, by whatever they are added up; and the proof that it all adds up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import START, D, Life, fill, report

from surefoot.core.records import FillBooked
from surefoot.core.signals import ExitSignal
from surefoot.core.values import Asset
from surefoot.journal.ledger import differs, lines
from surefoot.journal.profit import KEYS, Outcome, grouped, outcome_of

USDT, BTC, BNB = Asset("USDT"), Asset("BTC"), Asset("BNB")


def traded(out: str, *, bot: str = "one", number: int = 1, life: Life | None = None) -> Life:
    """Buy at 50000 with a fee kept back, and sell at another price with a fee in BNB."""
    life = life or Life(bot=bot, number=number)
    order = life.enter("0.00160")
    life.tell(report(order, "FILLED", order.quantity))
    life.tell(fill(order, "50000", trade=f"{number}1", fee="0.0000016", asset="BTC"))
    life.tell(ExitSignal())
    sold = life.order
    life.tell(report(sold, "FILLED", sold.quantity))
    life.tell(fill(sold, out, trade=f"{number}2", fee="0.0001", asset="BNB"))
    return life


def results(*amounts: int, quote: str = "USDT") -> list[Outcome]:
    like = outcome_of(traded("51000").position, sequence=0, at=START)
    return [
        replace(
            like,
            sequence=k,
            at=START + timedelta(days=k),
            opened_at=START + timedelta(days=k, hours=-2),
            realized_pnl=D(amount),
            fees={"BNB": D("0.1")},
            quote=quote,
        )
        for k, amount in enumerate(amounts)
    ]


def test_figures_of_some_trades() -> None:
    (found,) = grouped(results(5, -3, -4, 6, -1), KEYS["bot"])
    assert (found.name, found.quote, found.trades, found.won) == ("one", "USDT", 5, 2)
    assert (found.pnl, found.expectancy, found.win_rate) == (D(3), D("0.6"), D("0.4"))
    assert (found.best, found.worst, found.drawdown) == (D(6), D(-4), D(7))
    assert (found.fees, found.held_seconds) == ({"BNB": D("0.5")}, 7200)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("day", ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]),
        ("week", ["2026-W01", "2026-W02"]),
        ("month", ["2026-01"]),
        ("symbol", ["BTC/USDT"]),
        ("account", ["main"]),
    ],
)
def test_by_whatever(by: str, names: list[str]) -> None:
    rows = grouped(results(1, 1, 1, 1, 1), KEYS[by])
    assert [row.name for row in rows] == names
    assert sum(row.pnl for row in rows) == 5


def test_different_money_is_never_added() -> None:
    rows = grouped([*results(5), *results(1, quote="EUR")], lambda _: "all")
    assert [(row.quote, row.pnl) for row in rows] == [("EUR", D(1)), ("USDT", D(5))]


def test_the_account_is_explained_to_the_last_digit() -> None:
    """Fees in three assets, dust carried on, something held: nothing remains."""
    first = traded("51000").position
    second = traded("49000", life=Life(bot="one", number=2, carried=first.left), number=2).position
    third = Life(bot="one", number=3, carried=second.left)
    order = third.enter("0.00160")
    third.tell(fill(order, "50500.01", "0.00060", trade="31", fee="0.03", asset="USDT"))
    positions = [first, second, third.position]
    cash = D("0.00159") * 51000 + D("0.0016") * 49000 - 2 * D("0.0016") * 50000
    now = {
        USDT: D(1000) + cash - D("0.0006") * D("50500.01") - D("0.03"),
        BTC: D(2) + 2 * D("0.0015984") - D("0.00159") - D("0.0016") + D("0.0006"),
        BNB: D(3) - D("0.0002"),
    }
    found = lines(positions, {USDT: D(1000), BTC: D(2), BNB: D(3)}, now)
    assert [line.asset for line in found] == [BNB, BTC, USDT]
    assert {line.unexplained for line in found} == {0}
    (line,) = (line for line in lines(positions, {}, now) if line.asset == BNB)
    assert (line.fees, line.unexplained) == (D("0.0002"), D(3)), "the owner's are said"


def test_a_figure_that_its_trades_do_not_bear_out_is_named() -> None:
    life = traded("51000")
    assert differs(life.position, life.records) is None
    short = [r for r in life.records if not isinstance(r, FillBooked) or r.fill.trade_id != "12"]
    assert "its trades leave" in str(differs(life.position, short))
    wrong = replace(life.position, exit_proceeds=D(1))
    assert "its trades brought" in str(differs(wrong, life.records))
