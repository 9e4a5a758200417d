"""The status document: health, what wants somebody, and where each level is kept."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, REPLACING, START, TERMS, D, Life, fill, report
from tests.memory_journal import MemoryJournal

from surefoot.core.account_records import (
    BotStatusChanged,
    Cause,
    HealthChanged,
    Record,
    RecoveryFinished,
    StuckChanged,
)
from surefoot.core.exits import ExitPlan
from surefoot.core.health import Health, HealthState
from surefoot.core.reports import PriceSeen
from surefoot.core.signals import Freeze
from surefoot.core.stuck import Stuck, StuckKind
from surefoot.core.terms import Terms
from surefoot.core.values import AccountName, BotName
from surefoot.journal.cursors import Aside
from surefoot.journal.port import Append, Change, Holder, position_stream
from surefoot.journal.sentences import sentence
from surefoot.journal.signs import Pulse
from surefoot.journal.status import read_status

MAIN = AccountName("main")
LATER = START + timedelta(minutes=5)


class Served(MemoryJournal):
    """A journal on which a server runs, or not."""

    def __init__(self, *, server: bool = True) -> None:
        super().__init__()
        self.server = server
        self.since = START

    def holder(self) -> Holder | None:  # type: ignore[override]
        return Holder(pid=1, host="here", since=self.since) if self.server else None

    async def add(self, stream: str, *records: Record) -> None:
        version = await self.version(stream)
        append = Append(stream=stream, expected=version, records=records)
        await self.commit(Change(at=START, appends=(append,)))

    async def keep(self, life: Life) -> None:
        """Write a position down, and that its bot runs."""
        position = life.position
        append = Append(
            stream=position_stream(position.position_id),
            expected=0,
            records=tuple(life.records),
            position=position,
        )
        await self.commit(Change(at=START, appends=(append,)))
        await self.word(position.bot, "RUNNING")

    async def word(
        self, bot: BotName, status: str, reason: str | None = None, cause: Cause | None = None
    ) -> None:
        record = BotStatusChanged(
            at=START, bot=bot, status=status, by="surefoot", reason=reason, cause=cause
        )
        await self.add(f"bot/{bot}", record)

    async def stand(self, state: HealthState, *, watched: bool, why: str | None = None) -> None:
        health = Health(state=state, since=START, watched=watched, why=why)
        record = HealthChanged(
            at=START, account=MAIN, environment="simulated", health=health, server=START
        )
        await self.add("account/main", record)

    async def read(self) -> dict[str, Any]:
        document = await read_status(self, now=LATER)
        read: dict[str, Any] = json.loads(msgspec.json.encode(document))
        return read


def held(terms: Terms = TERMS) -> Life:
    life = Life(terms)
    life.opened()
    return life


async def well(life: Life, *, server: bool = True) -> Served:
    journal = Served(server=server)
    await journal.keep(life)
    await journal.stand(HealthState.OK, watched=True)
    return journal


async def test_who_was_not_told_wants_somebody_for_a_day() -> None:
    """What a messenger refuses for good was put aside in a file that nobody opened."""

    class Untold(Served):
        async def parked(self) -> dict[str, tuple[Aside, ...]]:
            old = Aside(id="a-1", at=LATER - timedelta(hours=25), text="old", why="gone")
            new = replace(old, id="a-2", at=LATER - timedelta(hours=1), text="bought 1 BTC")
            return {"telegram-7": (old, new), "webhook-1": (old,)}

    journal = Untold()
    await journal.keep(held())
    await journal.stand(HealthState.OK, watched=True)
    (finding,) = (await journal.read())["review"]
    assert (finding["id"], finding["kind"]) == ("not-told/telegram-7", "not-told")
    assert finding["true"] == "it refused 1 message for good: gone"
    assert finding["meaning"] == "Nobody read there: bought 1 BTC"
    assert finding["actions"] == ["surefoot notify --test"]


async def test_all_is_well() -> None:
    journal = await well(held())
    journal.gauges.price(MAIN, BTC, D(50500), START)
    journal.gauges.beat(Pulse(account=MAIN, heard_at=LATER - timedelta(seconds=2)))
    document = await journal.read()
    assert document["review"] == []
    assert document["health"] == [
        {
            "account": "main",
            "environment": "simulated",
            "state": "ok",
            "since": "2026-01-01T00:00:00Z",
            "why": None,
            "attempt": 0,
            "next_try": None,
            "watched": True,
            "account_stream_age": 2.0,
            "price_ages": {"BTC/USDT": 300.0},
        },
    ]


@pytest.mark.parametrize(
    ("state", "watched", "place"),
    [(HealthState.OK, True, "here"), (HealthState.DEGRADED, False, "none")],
)
async def test_a_stop_that_rests_nowhere_does_not_look_like_one_that_rests(
    state: HealthState, watched: bool, place: str
) -> None:
    """`status` printed 49000 for both: catches a place that is not told, or told too well."""
    resting = held(PROTECTED)
    resting.tell(report(resting.order, "OPEN"))
    for life, stop in ((held(), place), (held(PROTECTED), place), (resting, "exchange")):
        journal = Served()
        await journal.keep(life)
        await journal.stand(state, watched=watched)
        position = (await journal.read())["bots"][0]["position"]
        assert position["stop_loss"] == "49000"
        whole = {"trigger": "49000", "quantity": "0.0016"} if stop == "exchange" else None
        assert position["protection"] == {
            "stop": stop, "rest": stop, "resting": whole, "take_profit": place,
        }  # fmt: skip


@pytest.mark.parametrize(("less", "said"), [("0.0004", " for 0.0012 of them"), ("0.00001", "")])
async def test_a_stop_for_a_part_is_not_called_one_for_all(less: str, said: str) -> None:
    """Made smaller, or not grown with what was added, it was said to protect all that is held."""
    life = held(PROTECTED)
    stop = replace(report(life.order, "OPEN"), quantity=D("0.0016") - D(less))
    life.tell(stop, Freeze(reason="look"))
    journal = await well(life)
    (finding,) = (await journal.read())["review"]
    assert f"the stop at 49000 rests at the exchange{said} and works." in finding["meaning"]


@pytest.mark.parametrize("watched", [True, False])
async def test_what_a_stop_for_a_part_leaves_is_kept_where_it_is_kept(watched: bool) -> None:
    """The document said "exchange", and no more, of a stop that sells a quarter of what is held."""
    life = held(PROTECTED)
    life.tell(replace(report(life.order, "OPEN"), quantity=D("0.0004")))
    journal = Served()
    await journal.keep(life)
    await journal.stand(HealthState.OK if watched else HealthState.UNREACHABLE, watched=watched)
    document = await journal.read()
    place = "here" if watched else "none"
    assert document["bots"][0]["position"]["protection"] == {
        "stop": "exchange", "rest": place, "take_profit": place,
        "resting": {"trigger": "49000", "quantity": "0.0004"},
    }  # fmt: skip
    meanings = [each["meaning"] for each in document["review"]]
    said = (
        "Nothing is entered. 1 position with a stop for a PART only (dip-btc-1): on a falling "
        "price the rest is not sold."
    )
    assert meanings == ([] if watched else [said])


async def test_between_a_move_and_its_replacement_the_stop_is_where_it_rests() -> None:
    """It was said to rest at the level that is wanted, where the exchange had none yet."""
    life = Life(REPLACING)
    entry = life.enter(plan=ExitPlan(stop_loss=D("0.02"), trailing_stop=D("0.01")))
    life.tell(report(entry, "FILLED", entry.quantity), fill(entry, "50000", trade="1"))
    life.tell(report(life.order, "OPEN"))
    life.tell(PriceSeen(price=D(52000)), Freeze(reason="look"))
    assert (life.order.replaces is None, life.position.levels.stop) == (False, D(51480))
    journal = await well(life)
    (finding,) = (await journal.read())["review"]
    assert "the stop at 49000 rests at the exchange and works." in finding["meaning"]


async def test_the_word_of_the_last_server_is_not_this_one_s() -> None:
    """It said "ok"; the new one may still be waiting for its first answer."""
    journal = await well(held())
    journal.since = LATER
    document = await journal.read()
    assert document["health"][0]["state"] == "starting"
    assert document["bots"][0]["position"]["protection"]["stop"] == "none"


async def test_without_a_server_nothing_is_watched() -> None:
    """The journal's last word was "ok": nobody is there to keep it."""
    document = await (await well(held(), server=False)).read()
    (health,) = document["health"]
    assert (health["state"], health["why"], health["watched"]) == (
        "halted",
        "no server runs",
        False,
    )
    (finding,) = document["review"]
    assert (finding["kind"], finding["actions"]) == ("unwatched", ["surefoot run"])
    assert "1 position WITHOUT a working stop (dip-btc-1)" in finding["meaning"]


async def test_a_server_that_hangs_watches_nothing() -> None:
    """It holds the lease, and its last word was "ok"."""
    journal = await well(held())
    journal.gauges.turn(LATER - timedelta(seconds=60))
    document = await journal.read()
    assert (document["review"], document["server"]["hangs"]) == ([], False)
    journal.gauges.turn(LATER - timedelta(seconds=61))
    document = await journal.read()
    assert document["server"]["hangs"], "a container's health check asks for this"
    assert document["bots"][0]["position"]["protection"]["stop"] == "none"
    (finding,) = document["review"]
    assert (finding["kind"], finding["actions"]) == ("unwatched", [])
    assert finding["true"] == "the server (process 1) hangs: end it, and start it again"


async def test_an_account_that_the_server_does_not_have_is_not_starting_for_ever() -> None:
    """It had another name in the configuration since: what it held was watched by nobody."""
    journal = await well(held())
    journal.gauges.turn(LATER)
    journal.since = LATER - timedelta(seconds=60)
    document = await journal.read()
    assert (document["health"][0]["state"], document["review"]) == ("starting", [])
    journal.since = LATER - timedelta(seconds=61)
    document = await journal.read()
    assert (document["health"][0]["state"], document["health"][0]["watched"]) == ("halted", False)
    assert not document["server"]["hangs"], "it serves others"
    (finding,) = document["review"]
    assert finding["kind"] == "unwatched"
    assert finding["actions"] == ["surefoot check", "surefoot run"]
    assert finding["true"].endswith("is it in the configuration?")
    assert "1 position WITHOUT a working stop (dip-btc-1)" in finding["meaning"]


async def test_an_account_where_nothing_is_left_wants_nobody() -> None:
    journal = await well(Life())
    journal.gauges.turn(LATER)
    journal.since = LATER - timedelta(hours=1)
    assert (await journal.read())["review"] == []


async def test_an_entry_that_is_out_is_money_at_risk() -> None:
    """The server had ended on a full disk, the entry had filled, and all was said to be well."""
    life = Life(PROTECTED)
    life.enter()
    (finding,) = (await (await well(life, server=False)).read())["review"]
    assert finding["meaning"] == (
        "Nothing is entered. An entry is out (dip-btc-1): what it buys has no stop before that is "
        "known."
    )
    life.tell(Freeze(reason="look"))
    (finding,) = (await (await well(life)).read())["review"]
    assert "it may have bought up to 0.0016 BTC, without a stop" in finding["meaning"]


async def test_a_server_that_is_stopped_with_nothing_held_wants_nobody() -> None:
    document = await (await well(Life(), server=False)).read()
    assert document["review"] == []


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (HealthState.UNREACHABLE, ["surefoot recover dip-btc"]),
        (HealthState.BANNED, []),
        (HealthState.DEGRADED, []),
        (HealthState.HALTED, ["surefoot recover dip-btc"]),
    ],
)
async def test_an_account_that_is_not_well_wants_somebody(
    state: HealthState, actions: list[str]
) -> None:
    """An outage was green with exit code 0."""
    journal = await well(held())
    await journal.stand(state, watched=False, why="it does not answer")
    (finding,) = (await journal.read())["review"]
    assert (finding["id"], finding["kind"]) == (f"{state}/main", state)
    assert (finding["true"], finding["actions"]) == ("it does not answer", actions)


async def test_a_frozen_position_carries_the_answers_that_fit() -> None:
    life = held()
    life.tell(Freeze(reason="the account holds less"))
    (finding,) = (await (await well(life)).read())["review"]
    assert finding["id"] == "frozen/dip-btc-1"
    assert finding["true"] == "the account holds less"
    assert finding["believed"] == "OPEN, 0.0016 BTC, bought for 80.00 USDT"
    assert finding["meaning"] == (
        "dip-btc enters nothing. It holds 0.0016 BTC, bought for 80.00 USDT; the stop at 49000 is "
        "watched here only: it works as long as this server runs."
    )
    assert finding["actions"] == [
        "surefoot resolve dip-btc-1 --adopt",
        "surefoot resolve dip-btc-1 --flat",
        "surefoot close dip-btc",
    ]


async def test_text_from_outside_is_text_also_in_the_document() -> None:
    """The dashboard, Telegram and the API show what is in here as it is."""
    evil = "no\u202e\x1b[2J\nbot-1 is FLAT"
    life = held()
    life.tell(Freeze(reason=evil))
    document = await (await well(life)).read()
    (finding,) = document["review"]
    shown = [finding["true"], document["bots"][0]["position"]["frozen"], sentence(life.records[-1])]
    clean = r"no\x202e\x1b[2J\x0abot-1 is FLAT"
    assert [text.count(clean) for text in shown] == [1, 1, 1]


async def test_a_live_stop_is_never_offered_to_be_told_as_filled() -> None:
    """It was: `--filled` booked a sale on it, and the position was closed on paper."""
    life = held(PROTECTED)
    life.tell(report(life.order, "OPEN"), Freeze(reason="look"))
    (finding,) = (await (await well(life)).read())["review"]
    assert not any("--filled" in action for action in finding["actions"])


async def test_a_bot_in_review_is_told_how_it_gets_out() -> None:
    journal = await well(Life())
    for cause, *actions in (
        (Cause.STRATEGY, "surefoot resume dip-btc"),
        (Cause.UNREACHABLE, "surefoot recover dip-btc"),
        (Cause.CONFIGURATION, "surefoot check", "surefoot recover dip-btc"),
        (Cause.UNFIT, "surefoot check", "surefoot run"),
    ):
        await journal.word(BotName("dip-btc"), "REVIEW", "it raised", cause)
        (finding,) = (await journal.read())["review"]
        assert (finding["kind"], finding["actions"]) == ("in-review", actions)
        assert finding["meaning"] == "It enters nothing. It holds nothing."


async def test_what_is_stuck_is_in_review_until_it_ended() -> None:
    life = Life()
    order = life.enter()
    journal = await well(life)
    stuck = Stuck(
        kind=StuckKind.ORDER_IN_DOUBT,
        subject=order.client_order_id,
        symbol=BTC,
        since=START,
        believed="sent",
        true="no answer",
        bot=life.position.bot,
        position_id=life.position.position_id,
    )
    raised = StuckChanged(at=START, account=MAIN, raised=(stuck.id,), ended=(), standing=(stuck,))
    await journal.add("account/main", raised)
    (finding,) = (await journal.read())["review"]
    assert finding["id"] == f"order-in-doubt/{order.client_order_id}"
    assert finding["actions"] == [
        "surefoot resolve dip-btc-1 --filled QUANTITY@PRICE",
        "surefoot resolve dip-btc-1 --filled 0",
        "surefoot recover dip-btc",
    ]
    ended = StuckChanged(at=LATER, account=MAIN, raised=(), ended=(stuck.id,), standing=())
    await journal.add("account/main", ended)
    assert (await journal.read())["review"] == []


def test_what_an_exchange_says_ends_the_sentence_once() -> None:
    """Catches "for action..", where the exchange ended its own sentence."""
    said = sentence(
        RecoveryFinished(
            at=START, account=AccountName("main"), outcome="failed", positions={}, requests=1,
            orders_cancelled=0, fills_booked=0, bots_restarted=0, weight=1, seconds=D("0.1"),
            bots_in_review={"dip": "no such key."}, unwatched_since=START,
        )
    )  # fmt: skip
    assert said.endswith("; dip wants somebody: no such key.")
