"""What people are told of a position's life, and how loudly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import BTC, START, D, Life, fill, report
from tests.unit.notify.scene import Journal

from surefoot.core.account_records import HealthChanged, RecoveryFinished, StuckChanged
from surefoot.core.health import Health, HealthState
from surefoot.core.position import Position, State
from surefoot.core.reports import PriceSeen, Refusal
from surefoot.core.signals import AddSignal, ExitSignal, Freeze
from surefoot.core.stuck import Stuck, StuckKind
from surefoot.core.values import AccountName, BotName
from surefoot.notify.digest import short
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.telling import events

MAIN = AccountName("main")


@pytest.fixture
def journal() -> Journal:
    return Journal()


async def told(journal: Journal) -> list[Event]:
    return await events(await journal.entries(), journal)


def only(found: list[Event], kind: EventKind) -> list[Event]:
    return [each for each in found if each.kind is kind]


async def test_an_entry_says_what_is_held_and_what_guards_it(journal: Journal) -> None:
    life = Life()
    life.opened(price="50000")
    await journal.keep(life)
    found = await told(journal)
    (bought,) = only(found, EventKind.FILL)
    assert bought.text == "dip-btc bought 0.0016 BTC at 50,000.00 USDT"
    (opened,) = only(found, EventKind.ENTRY)
    assert "It holds 0.0016 BTC bought at 50,000.00 USDT, stop 49,000.00." in opened.text
    assert opened.weight is Weight.NOTICE
    assert opened.position == "dip-btc-1"
    assert opened.bot == "dip-btc"


async def test_an_addition_says_what_is_held_now(journal: Journal) -> None:
    """Catches an addition of which nobody hears, and an entry of which everybody hears twice."""
    life = Life()
    life.opened(price="50000")
    life.tell(AddSignal(quantity=D("0.0016")))
    life.tell(fill(life.order, "49000", trade="2"), report(life.order, "FILLED", "0.0016"))
    await journal.keep(life)
    opened, added = only(await told(journal), EventKind.ENTRY)
    assert opened.text.startswith("dip-btc-1 is open")
    assert added.text.startswith("dip-btc-1 was added to: 0.0016 BTC at 49,000.00 USDT.")
    assert "It holds 0.0032 BTC bought at 49,500.00 USDT" in added.text


async def test_a_part_that_was_sold_says_how_much_at_which_price_and_why(journal: Journal) -> None:
    """Catches a message that only says what is left. Each part is told with its own price."""
    life = Life()
    life.opened(price="50000")
    for number, (share, price) in enumerate((("0.5", "51000"), ("0.25", "52000")), start=2):
        life.tell(ExitSignal(fraction=D(share), reason="some of it"))
        out = life.order
        life.tell(report(out, "FILLED", out.quantity), fill(out, price, trade=str(number)))
    await journal.keep(life)
    _, *parts = only(await told(journal), EventKind.ENTRY)
    assert [each.text.partition(" It holds")[0] for each in parts] == [
        (
            "dip-btc-1 stays open: 0.0008 BTC remain. "
            "Sold 0.0008 BTC at 51,000.00 USDT, strategy: some of it."
        ),
        (
            "dip-btc-1 stays open: 0.0006 BTC remain. "
            "Sold 0.0002 BTC at 52,000.00 USDT, strategy: some of it."
        ),
    ]


async def test_a_part_is_told_as_sold_once_though_a_later_exit_is_refused(journal: Journal) -> None:
    """Catches a sale of once that is told again, when nothing was sold: the newest that ended."""
    life = Life()
    life.opened(price="50000")
    life.tell(ExitSignal(fraction=D("0.5"), reason="some of it"))
    out = life.order
    life.tell(report(out, "FILLED", out.quantity), fill(out, "51000", trade="2"))
    life.tell(ExitSignal(reason="the rest"))
    life.tell(Refusal(client_order_id=life.order.client_order_id, code="-2010", message="not now"))
    assert life.position.state is State.OPEN
    await journal.keep(life)
    _, sold, refused = only(await told(journal), EventKind.ENTRY)
    assert "Sold 0.0008 BTC" in sold.text
    assert refused.text.startswith("dip-btc-1 stays open: 0.0008 BTC remain. It holds 0.0008 BTC")


def test_a_long_name_of_a_bot_is_told_whole_and_that_of_an_order_is_cut() -> None:
    """Catches two bots that look alike on a phone, and a name that no command takes."""
    bots = [BotName(f"meanreversion{n}dipbuyerofbitcoin01") for n in (1, 2)]
    for bot in bots:
        assert short(f"{bot}-1 is frozen") == f"{bot}-1 is frozen"
    assert short("sfb5a0123456789abcdef0123456789423 is gone") == "sfb5…9423 is gone"


async def test_a_position_is_read_once_however_many_records_of_it_are_told() -> None:
    """Forty thousand records of an outage asked the journal forty thousand times."""

    class Counted(Journal):
        asked = 0

        async def position(self, name: str) -> Position | None:
            self.asked += 1
            return await super().position(name)

    journal = Counted()
    life = Life()
    life.opened(price="50000")
    await journal.keep(life)
    assert len(await told(journal)) > 1
    assert journal.asked == 1


async def test_an_exit_says_what_it_brought(journal: Journal) -> None:
    life = Life()
    life.opened(price="50000")
    life.tell(ExitSignal(reason="enough"))
    life.tell(
        report(life.order, "FILLED", life.order.quantity), fill(life.order, "51000", trade="2")
    )
    await journal.keep(life)
    (closed,) = only(await told(journal), EventKind.EXIT)
    assert closed.text.startswith("dip-btc-1 is closed: +1.60 USDT (+2.00%).")
    assert closed.details == {"realized_pnl": "1.6", "quote": "USDT"}


async def test_of_many_stop_moves_only_the_last_is_told(journal: Journal) -> None:
    life = Life()
    life.opened(price="50000")
    life.tell(PriceSeen(price=D(50600)))
    await journal.keep(life)
    moves = only(await told(journal), EventKind.STOP_MOVED)
    assert [each.text for each in moves] == [
        "dip-btc-1: stop at 50,000.00 USDT, target 52,000.00 USDT"
    ]
    assert moves[0].weight is Weight.INFO


async def test_what_wants_somebody_is_an_alarm(journal: Journal) -> None:
    life = Life()
    life.opened()
    life.tell(Freeze(reason="more coins than we bought"))
    await journal.keep(life)
    await journal.word("REVIEW", "its strategy raised ValueError")
    stuck = Stuck(
        kind=StuckKind.STOP_MISSING,
        subject="dip-btc-1",
        symbol=BTC,
        since=START,
        believed="a stop rests",
        true="none does",
    )
    await journal.add(
        "account/main",
        StuckChanged(at=START, account=MAIN, raised=(stuck.id,), ended=(), standing=(stuck,)),
    )
    loud = {each.kind: each.text for each in await told(journal) if each.weight is Weight.ALARM}
    assert loud[EventKind.FROZEN].startswith("dip-btc-1 is frozen: more coins than we bought.")
    assert "It holds 0.0016 BTC" in loud[EventKind.FROZEN]
    assert loud[EventKind.BOT] == "dip-btc needs you: its strategy raised ValueError"
    assert loud[EventKind.STUCK] == ("dip-btc-1, stop missing: none does. Believed: a stop rests")


async def test_text_from_outside_forges_no_line_and_turns_none_round(journal: Journal) -> None:
    """A phone shows what a message says: an exchange's words may not look like another alarm."""
    evil = "no\u202e\x1b[2J\n🔴 dip-btc is FLAT"
    life = Life()
    life.opened()
    life.tell(Freeze(reason=evil))
    await journal.keep(life)
    await journal.word("REVIEW", evil)
    stuck = Stuck(
        kind=StuckKind.STOP_MISSING,
        subject="dip-btc-1",
        symbol=BTC,
        since=START,
        believed=evil,
        true=evil,
    )
    await journal.add(
        "account/main",
        StuckChanged(at=START, account=MAIN, raised=(stuck.id,), ended=(), standing=(stuck,)),
    )
    loud = [each.text for each in await told(journal) if each.weight is Weight.ALARM]
    assert len(loud) == 3
    assert all(text.isprintable() for text in loud)


async def test_an_outage_and_its_end_are_told(journal: Journal) -> None:
    for state, watched in ((HealthState.UNREACHABLE, False), (HealthState.OK, True)):
        health = Health(state=state, since=START, watched=watched)
        await journal.add(
            "account/main",
            HealthChanged(at=START, account=MAIN, environment="live", health=health),
        )
    down, back = await told(journal)
    assert down.text.startswith("main: the exchange cannot be reached. Stops that are watched")
    assert back.text == "main: all is reached and watched."
    assert (down.weight, back.weight) == (Weight.WARNING, Weight.NOTICE)


@pytest.mark.parametrize(
    ("outcome", "review", "weight"),
    [
        ("complete", {}, Weight.NOTICE),
        ("complete", {"dip-btc": "its symbol is gone"}, Weight.ALARM),
        ("partial", {}, Weight.WARNING),
        ("failed", {}, Weight.ALARM),
    ],
)
async def test_a_recovery_report_tells_its_counts(
    journal: Journal, outcome: str, review: dict[str, str], weight: Weight
) -> None:
    report = RecoveryFinished(
        at=START,
        account=MAIN,
        outcome=outcome,
        positions={"opened": 1, "flat": 0, "unchanged": 2},
        orders_cancelled=1,
        fills_booked=3,
        bots_restarted=4,
        bots_in_review=review,
        requests=9,
        weight=120,
        seconds=D("0.8"),
    )
    await journal.add("account/main", report)
    (event,) = await told(journal)
    assert event.weight is weight
    assert event.text.splitlines()[:3] == [
        f"main: recovery {outcome} in 0.8 s{'; dip-btc needs you' if review else ''}.",
        "Positions: 1 opened, 2 unchanged.",
        "Fills booked: 3. Orders cancelled: 1. Bots restarted: 4.",
    ]
    assert event.details["fills_booked"] == "3"


async def test_an_event_has_the_number_of_its_record(journal: Journal) -> None:
    """The same record is told under the same number, whenever it is told."""
    life = Life()
    life.opened()
    await journal.keep(life)
    life.tell(ExitSignal(reason=""), after=timedelta(seconds=1))
    await journal.keep(life)
    entries = await journal.entries()
    whole = await events(entries, journal)
    late = await events(entries[-4:], journal)
    assert {each.id for each in late} <= {each.id for each in whole}
    assert len({each.id for each in whole}) == len(whole)
    assert all(each.id.startswith("abcdef01-") for each in whole)
