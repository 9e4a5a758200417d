"""Every kind of message, told from one story: written to messages.txt, to be looked at.

python -m tests.unit.notify.messages
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from tests.builders import BTC, PROTECTED, START, D, Life, fill, report
from tests.unit.engine.clock import HandClock
from tests.unit.notify.scene import Journal, Voice

from surefoot.core.account_records import (
    BanNoted,
    BotStatusChanged,
    Cause,
    HealthChanged,
    LossCapLifted,
    LossCapReached,
    OrphanCancelIntended,
    Record,
    RecoveryFinished,
    StuckChanged,
)
from surefoot.core.health import Health, HealthState
from surefoot.core.order import Role
from surefoot.core.records import (
    DustLost,
    PositionProven,
    PositionThawed,
    ReductionBooked,
    ShortageSeen,
)
from surefoot.core.reports import PriceSeen, Refusal
from surefoot.core.signals import AddSignal, ExitSignal, Freeze
from surefoot.core.stuck import Stuck, StuckKind
from surefoot.core.values import AccountName, Asset, BotName, ExchangeOrderId, PositionId
from surefoot.journal.cursors import Cursor
from surefoot.journal.port import Change, Command, Verdict
from surefoot.journal.profit import Outcome
from surefoot.notify.conversation import Conversation
from surefoot.notify.digest import line
from surefoot.notify.presence import absence, presence
from surefoot.notify.telling import events

FILE: Final = Path(__file__).with_name("messages.txt")
MAIN: Final = AccountName("main")
USDT: Final = Asset("USDT")


class Obeying(Journal):
    """Its server does at once what is posted."""

    async def post(self, command: Command) -> bool:
        fresh = await super().post(command)
        await self.take_commands(at=START)
        done = Verdict(
            command_id=command.command_id, status="done", result=f"{command.target} is paused"
        )
        await self.commit(Change(at=START, verdicts=(done,)))
        return fresh


class Telling:
    """Tells what is new in a journal, and keeps it as text."""

    def __init__(self) -> None:
        self.journal = Obeying()
        self.after = 0
        self.text = ""

    def heading(self, words: str) -> None:
        self.text += f"{'=' * 20} {words}\n"

    def say(self, text: str) -> None:
        self.text += f"{text}\n\n"

    async def tell(self, heading: str) -> None:
        entries = await self.journal.entries(after=self.after)
        self.after = entries[-1].sequence
        self.heading(heading)
        for event in await events(entries, self.journal):
            self.say(line(event))

    async def lives(self, heading: str, life: Life) -> None:
        await self.journal.keep(life)
        await self.tell(heading)

    async def happens(self, heading: str, *records: Record, stream: str = "account/main") -> None:
        await self.journal.add(stream, *records)
        await self.tell(heading)


def text() -> str:
    """Return every kind of message."""
    return asyncio.run(_story())


async def _story() -> str:
    telling = Telling()
    await _comes_and_goes(telling)
    held = await _trades(telling)
    await _goes_wrong(telling, held)
    await _stays(telling, held)
    await _exchange(telling)
    await _ends(telling)
    await _asks(telling)
    return telling.text.rstrip("\n") + "\n"


async def _comes_and_goes(telling: Telling) -> None:
    cursor = Cursor(epoch=telling.journal.epoch, sequence=0, server=None)
    telling.heading("the server is there")
    telling.say(line(presence(cursor, telling.journal.epoch, START)))
    await telling.happens("a recovery with nothing to do", _recovery("complete", {"unchanged": 2}))
    await telling.happens(
        "a recovery after a crash",
        _recovery("complete", {"opened": 1, "closed": 1, "unchanged": 2}, cancelled=1, fills=3),
    )
    await telling.happens(
        "a recovery that wants somebody",
        _recovery("complete", {"unchanged": 3}, review={"dip-btc": "its symbol is not traded"}),
    )
    await telling.happens(
        "a recovery in part, and two bots",
        _recovery(
            "partial",
            {"unchanged": 1},
            review={"dip-btc": "no read of BTC/USDT was whole", "swing": "the same"},
        ),
    )
    await telling.happens("a recovery that failed", _recovery("failed", {}))


def _recovery(
    outcome: str,
    positions: dict[str, int],
    *,
    cancelled: int = 0,
    fills: int = 0,
    review: dict[str, str] | None = None,
) -> RecoveryFinished:
    return RecoveryFinished(
        at=START, account=MAIN, outcome=outcome, positions=positions, orders_cancelled=cancelled,
        fills_booked=fills, bots_restarted=3, bots_in_review=review or {}, requests=9, weight=120,
        seconds=D("0.842"), unwatched_since=START - timedelta(minutes=7),
    )  # fmt: skip


async def _trades(telling: Telling) -> Life:
    life = Life(PROTECTED)
    order = life.enter()
    life.tell(
        report(order, "FILLED", order.quantity),
        fill(order, "61685.99", trade="1", fee="0.0000016", asset="BTC"),
    )
    stop = next(each for each in life.position.orders if each.role is Role.STOP)
    life.tell(report(stop, "OPEN"))
    await telling.lives("an entry", life)
    life.tell(AddSignal(quantity=D("0.0016")))
    added = next(each for each in life.position.orders if each.attempt == life.position.attempts)
    life.tell(fill(added, "61000", trade="2"), report(added, "FILLED", added.quantity))
    await telling.lives("an addition", life)
    for price in (62000, 62100, 62200):
        life.tell(PriceSeen(price=D(price)))
    await telling.lives("the stop moves, several times", life)

    plain = Life(bot="swing")
    plain.opened("61000")
    await telling.lives("another entry", plain)
    plain.tell(ExitSignal(fraction=D("0.5"), reason="half is enough"))
    plain.tell(
        report(plain.order, "FILLED", plain.order.quantity),
        fill(plain.order, "61500", trade="4", fee="0.0492"),
    )
    await telling.lives("a part is sold", plain)
    plain.tell(ExitSignal(reason="the rest too"))
    sold = max(plain.position.orders, key=lambda each: each.attempt)
    plain.tell(report(sold, "FILLED", sold.quantity), fill(sold, "61900", trade="5", fee="0.0495"))
    await telling.lives("an exit by its strategy", plain)

    stopped = Life(PROTECTED, bot="grid")
    stopped.opened("61000")
    stop = next(each for each in stopped.position.orders if each.role is Role.STOP)
    stopped.tell(
        report(stop, "FILLED", stop.quantity),
        fill(stop, "59780", trade="6", fee="0.00008", asset="BNB"),
    )
    await telling.lives("a stop that sold", stopped)
    return life


async def _goes_wrong(telling: Telling, held: Life) -> None:
    await telling.journal.word("RUNNING")
    name = held.position.position_id
    where = f"position/{name}"
    held.tell(Freeze(reason="the account holds 0.001 BTC less than is believed"))
    await telling.lives("a freeze", held)
    refused = Life(bot="poor")
    refused.tell(
        Refusal(
            client_order_id=refused.enter().client_order_id,
            code="-2010",
            message="Account has insufficient balance for requested action.",
        )
    )
    await telling.lives("a refusal", refused)
    await telling.happens(
        "coins that are missing, sold by hand, proven, written off, thawed",
        ShortageSeen(at=START, missing=D("0.001"), evidence="two balances in a row"),
        ReductionBooked(
            at=START, quantity=D("0.001"), price=D("61200.123456"), evidence="a trade of yours"
        ),
        ShortageSeen(at=START, missing=D(0), evidence="the balance"),
        PositionProven(at=START, evidence="orders, fills and balance agree"),
        DustLost(at=START, quantity=D("0.0000002"), evidence="the balance"),
        PositionThawed(at=START, evidence="the balance is as believed"),
        stream=where,
    )
    await telling.happens(
        "a bot that wants somebody, one that is paused, one that runs",
        *(
            BotStatusChanged(at=START, bot=BotName("swing"), status=status, by=by, reason=reason,
                             cause=Cause.STRATEGY if status == "REVIEW" else None)
            for status, by, reason in (
                ("REVIEW", "surefoot", "its strategy raised KeyError: 'high'"),
                ("PAUSED", "telegram:7", None),
                ("RUNNING", "run", None),
            )
        ),
        stream="bot/swing",
    )  # fmt: skip


async def _stays(telling: Telling, held: Life) -> None:
    """Tell what does not end by itself."""
    name, order = held.position.position_id, held.position.orders[0].client_order_id
    stuck = Stuck(
        kind=StuckKind.STOP_MISSING, subject=name, symbol=BTC, since=START, position_id=name,
        believed="a stop at 61342.99 rests at the exchange", true="the exchange has none",
    )  # fmt: skip
    doubt = Stuck(
        kind=StuckKind.ORDER_IN_DOUBT, subject=order, symbol=BTC, since=START, position_id=name,
        believed=f"the entry was written down as {order} and sent",
        true="the exchange has neither shown it nor denied it for good",
    )  # fmt: skip
    raised = StuckChanged(
        at=START, account=MAIN, raised=(stuck.id, doubt.id), ended=(), standing=(stuck, doubt)
    )
    await telling.happens("what is stuck", raised)
    ended = StuckChanged(at=START, account=MAIN, raised=(), ended=(doubt.id,), standing=(stuck,))
    await telling.happens("what is so no longer", ended)
    cancel = OrphanCancelIntended(
        at=START, account=MAIN, symbol=BTC, exchange_order_id=ExchangeOrderId("28000000001"),
        client_order_id=order, reason="its position is settled",
    )  # fmt: skip
    await telling.happens("an order that nobody needs", cancel)


async def _exchange(telling: Telling) -> None:
    for state, watched, why in (
        (HealthState.UNREACHABLE, False, "no answer from api.binance.com for 30 s"),
        (HealthState.DEGRADED, True, "the account stream is down; it is asked every 10 s"),
        (HealthState.BANNED, False, None),
        (HealthState.HALTED, False, "its newest trade is older than the journal's"),
        (HealthState.OK, True, None),
    ):
        health = Health(state=state, since=START, watched=watched, why=why)
        record = HealthChanged(
            at=START, account=MAIN, environment="live", health=health, server=START
        )
        await telling.happens(f"the exchange is {state}", record)
    await telling.happens(
        "a ban, the day's loss, and the end of it",
        BanNoted(at=START, account=MAIN, until=START + timedelta(hours=3)),
        LossCapReached(at=START, account=MAIN, quote=USDT, lost=D("1260.5512"), cap=D(1000)),
        LossCapLifted(at=START, account=MAIN, quote=USDT, lost=D("1260.55"), by="ann"),
    )


async def _ends(telling: Telling) -> None:
    journal = telling.journal
    cursor = Cursor(epoch=journal.epoch, sequence=telling.after, server=START)
    telling.heading("the server is gone")
    journal.since = None
    telling.say(line(await absence(cursor, journal, START)))
    journal.since = START


class Chatter:
    """Telegram, as far as a conversation sees it."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.said: list[str] = []

    async def updates(self, _after: int | None) -> list[Any]:
        found, self.waiting = self.waiting, []
        return found

    async def say(self, _chat: int, text: str, buttons: Any = ()) -> None:
        self.said.append(text + "".join(f"\n[ {shown} ]" for shown, _ in buttons))

    async def heed(self, _button: str) -> None:
        return


async def _asks(telling: Telling) -> None:
    journal, wire, clock = telling.journal, Chatter(), HandClock()
    clock.hurried = True
    talk = Conversation(wire, (7,), reader=journal, clock=clock, log=Voice())  # type: ignore[arg-type]
    journal.gauges.price(MAIN, BTC, D("62150.5"), START)
    journal.closed = [
        Outcome(
            sequence=n,
            bot=BotName(bot),
            at=START,
            quote=USDT,
            realized_pnl=D(brought),
            position_id=PositionId(f"{bot}-{n}"),
            account=MAIN,
            symbol=BTC,
            spent=D(100),
            fees={},
            opened_at=None,
        )
        for n, bot, brought in ((1, "swing", "0.62"), (2, "grid", "-1.95"), (3, "swing", "1204.5"))
    ]
    asked = (
        "/status", "/bots", "/positions", "/balance", "/profit", "/profit 7", "/recovery",
        "/review", "/log dip-btc", "/pause swing", "/close dip-btc", "/resolve dip-btc-1 adopt",
        "/resolve dip-btc-1 flat", "/resolve dip-btc-1 filled 0.0016@61000", "/stop_all",
        "/resume_all", "/close nobody", "/help",
    )  # fmt: skip
    for number, words in enumerate(asked):
        user = SimpleNamespace(id=7)
        message = SimpleNamespace(
            chat=SimpleNamespace(type="private"), from_user=user, text=words, date=START,
            message_id=number,
        )  # fmt: skip
        update = SimpleNamespace(update_id=number, message=message, callback_query=None)
        wire.waiting, wire.said = [update], []
        await talk.step()
        telling.heading(words)
        telling.say("\n".join(wire.said))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
