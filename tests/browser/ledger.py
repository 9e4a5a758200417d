"""A journal with something of everything in it, and what it comes to by plain arithmetic.

The figures are worked out from the tables of fills and records alone, with no code of the product.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import apsw
from msgspec.structs import replace
from tests.builders import INSTRUMENT, PLAN, PROTECTED, TERMS, Life, fill, report
from tests.unit.web.desk import status

from surefoot.core.account_records import HealthChanged, Recovered, RecoveryFinished
from surefoot.core.exits import ExitPlan
from surefoot.core.health import Health, HealthState
from surefoot.core.order import Role
from surefoot.core.records import PositionStarted
from surefoot.core.signals import EntrySignal, ExitSignal, Freeze
from surefoot.core.state import evolve
from surefoot.core.values import AccountName, Asset, BotName, PositionId, Symbol
from surefoot.journal.port import Append, Change, Journal
from surefoot.journal.signs import Pulse, Remark

MAIN = AccountName("main")
PRICE, ETHER = D("51777.7"), D("0.0512")
FROZEN_FOR = timedelta(hours=1)
# What an exchange or a strategy may say in a word that no screen is wide enough for.
LONG_WORD = "ill_formed_" * 12
# How old the two prices are at first.
PRICED = timedelta(seconds=310), timedelta(hours=2, minutes=9)
ETH = replace(
    INSTRUMENT, symbol=Symbol("ETH/BTC"), base=Asset("ETH"), quote=Asset("BTC"),
    tick=D("0.00001"), lot=D("0.0001"), notional_min=D("0.0001"),
)  # fmt: skip


class Story:
    """One position that is lived through at times of its own."""

    def __init__(self, bot: str, number: int, at: datetime, terms: Any = TERMS) -> None:
        self.life = Life(terms, bot, number)
        self.symbol = terms.instrument.symbol
        first = self.life.records[0]
        assert isinstance(first, PositionStarted)
        first = replace(
            first, at=at, symbol=self.symbol,
            base=terms.instrument.base, quote=terms.instrument.quote,
        )  # fmt: skip
        self.life.records, self.life.position = [first], evolve(None, first)
        self.life.now = at

    def buys(self, quantity: str, price: str, fee: str, asset: str, plan: ExitPlan = PLAN) -> None:
        self.life.tell(EntrySignal(quantity=D(quantity), plan=plan))
        self.trades(self.life.order, price, quantity, fee, asset)

    def sells(self, price: str, fee: str, quantity: str | None = None) -> None:
        """Leave at a price, or get rid of so much of it and have the rest still on its way."""
        self.life.tell(ExitSignal())
        order = next(each for each in self.life.position.orders if each.role is Role.EXIT)
        traded = str(order.quantity) if quantity is None else quantity
        self.trades(order, price, traded, fee, self.life.position.quote)

    def trades(self, order: Any, price: str, quantity: str, fee: str, asset: str) -> None:
        self.life.now += timedelta(seconds=1)
        state = "FILLED" if D(quantity) == order.quantity else "OPEN"
        said = replace(report(order, state, quantity), symbol=self.symbol)
        trade = f"{self.life.position.position_id}-{order.attempt}"
        done = fill(order, price, quantity, trade=trade, fee=fee, asset=asset, at=self.life.now)
        self.life.tell(said, replace(done, symbol=self.symbol))

    @property
    def append(self) -> Append:
        name = self.life.position.position_id
        return Append(
            stream=f"position/{name}", expected=0,
            records=tuple(self.life.records), position=self.life.position,
        )  # fmt: skip


async def written(journal: Journal, now: datetime) -> Story:
    """Write four bots: three lives with dust left, a stop at the exchange, bitcoin, a freeze.

    Returned is the one whose stop is at the exchange.
    """
    holder = journal.holder()
    assert holder is not None
    old, lately, today = (
        Story("alpha", 1 + n, now - timedelta(days=d, minutes=10)) for n, d in enumerate((40, 3, 0))
    )
    old.buys("0.0016", "50000", "0.08", "USDT")
    old.sells("49000", "0.0784")
    lately.buys("0.0016", "50000", "0.08", "USDT")
    lately.sells("52000", "0.0832")
    today.buys("0.0016", "50000", "0.0000016", "BTC")
    today.sells("51000", "0.08109")
    beta = Story("beta", 1, now - timedelta(hours=2), PROTECTED)
    beta.buys("0.002", "51000.5", "0.000002", "BTC")
    stop = next(each for each in beta.life.position.orders if each.role is Role.STOP)
    beta.life.tell(report(stop, "OPEN"))
    gamma = Story("gamma", 1, now - timedelta(hours=3), replace(TERMS, instrument=ETH))
    gamma.buys("0.5", "0.05", "0", "BTC", ExitPlan())
    delta = Story("delta", 1, now - FROZEN_FOR)
    delta.buys("0.004", "50500", "0.202", "USDT")
    delta.sells("51500", "0.0515", "0.001")
    delta.life.tell(Freeze(reason=f"the account holds less than is believed: {LONG_WORD}"))
    for story in (old, lately, today, beta, gamma, delta):
        await journal.commit(Change(at=story.life.now, appends=(story.append,)))
    words = [status(each) for each in ("alpha", "beta", "gamma", "delta")]
    report_ = RecoveryFinished(
        at=now - timedelta(hours=4), account=MAIN, outcome="complete",
        positions={"opened": 1, "unchanged": 2}, orders_cancelled=3, fills_booked=4,
        bots_restarted=5, bots_in_review={"delta": f"it is frozen: {LONG_WORD}"},
        requests=16, weight=170,
        seconds=D("0.84"), unwatched_since=now - timedelta(hours=4, minutes=7),
        told=(
            Recovered(
                position_id=PositionId("beta-1"), outcome="opened", believed="OPENING; entry buy",
                evidence=("the order filled",), followed=("OPEN",), now="OPEN, 0.001998 BTC",
            ),
        ),
    )  # fmt: skip
    account = Append(stream="account/main", expected=0, records=(report_,))
    await journal.commit(Change(at=now, appends=(*words, account)))
    await stands(journal, now, HealthState.OK, 1)
    journal.gauges.price(MAIN, Symbol("BTC/USDT"), PRICE, now - PRICED[0])
    journal.gauges.price(MAIN, Symbol("ETH/BTC"), ETHER, now - PRICED[1])
    journal.gauges.beat(Pulse(account=MAIN, heard_at=now - timedelta(seconds=130)))
    remark = Remark(bot=BotName("alpha"), waits_for="a dip of 2 %", refused="the cap is reached")
    journal.gauges.remark(remark)
    journal.gauges.turn(now)
    return beta


async def shrinks(journal: Journal, story: Story, quantity: D, at: datetime) -> None:
    """Have the exchange say that the stop which rests there sells so much and no more."""
    life, before = story.life, len(story.life.records)
    stop = next(each for each in life.position.orders if each.role is Role.STOP)
    life.now = at
    life.tell(replace(report(stop, "OPEN"), quantity=quantity))
    grown = replace(story.append, expected=before, records=tuple(life.records[before:]))
    await journal.commit(Change(at=at, appends=(grown,)))


async def stands(
    journal: Journal, at: datetime, state: HealthState, expected: int, why: str | None = None
) -> None:
    holder = journal.holder()
    assert holder is not None
    health = Health(state=state, since=at, watched=state is HealthState.OK, why=why)
    record = HealthChanged(
        at=at, account=MAIN, environment="testnet", health=health, server=holder.since
    )
    append = Append(stream="account/main", expected=expected, records=(record,))
    await journal.commit(Change(at=at, appends=(append,)))


class Sums:
    """What a position comes to, from its rows of fills alone."""

    def __init__(self, directory: Path, position: str) -> None:
        self.rows = asked(
            directory,
            "SELECT fills.side, price, fills.quantity, fee, fee_asset, fills.at FROM fills "
            "JOIN orders USING (client_order_id) WHERE position_id = ? ORDER BY fills.at",
            position,
        )
        ((symbol,),) = asked(
            directory, "SELECT symbol FROM positions WHERE position_id = ?", position
        )
        self.base, self.quote = symbol.split("/")
        bought = [row for row in self.rows if row[0] == "buy"]
        sold = [row for row in self.rows if row[0] == "sell"]
        self.got = sum(D(row[2]) for row in bought)
        self.cost = sum(D(row[1]) * D(row[2]) for row in bought)
        self.kept = self.got - self.fees(self.base)
        self.left = self.kept - sum(D(row[2]) for row in sold)
        self.back = sum(D(row[1]) * D(row[2]) for row in sold)

    def fees(self, asset: str) -> D:
        return sum((D(row[3]) for row in self.rows if row[4] == asset), D(0))

    @property
    def entry(self) -> D:
        return self.cost / self.got

    @property
    def left_cost(self) -> D:
        return self.cost * self.left / self.kept

    @property
    def realized(self) -> D:
        return self.back - (self.cost - self.left_cost) - self.fees(self.quote)

    def open(self, price: D) -> D:
        return price * self.left - self.left_cost


def asked(directory: Path, question: str, *bindings: object) -> list[tuple[Any, ...]]:
    # By the library that the journal is open with: a second one in one process breaks its locks.
    flags = apsw.SQLITE_OPEN_READONLY
    with closing(apsw.Connection(str(directory / "surefoot.db"), flags=flags)) as connection:
        return connection.execute(question, bindings).fetchall()


def levels(directory: Path, position: str) -> dict[str, Any]:
    """Return the levels that were last set."""
    rows = asked(
        directory,
        "SELECT data FROM records WHERE stream = ? AND kind = 'levels-set' ORDER BY sequence",
        f"position/{position}",
    )
    found: dict[str, Any] = json.loads(rows[-1][0])["levels"] if rows else {}
    return found
