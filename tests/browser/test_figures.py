"""Every figure on every page is what the journal comes to, in an outage too, and none looks fresh.

One journal, one server, one browser. What is expected is worked out from the tables of the journal
by the arithmetic in `ledger`; a whole region of a page is compared, so no figure is left out of it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.browser.ledger import ETHER, PRICE, PRICED, Sums, asked, levels, stands, written
from tests.unit.web.desk import URL, Desk, HandClock, status

from surefoot.core.health import HealthState
from surefoot.journal import open_journal
from surefoot.journal.port import Change, Journal
from surefoot.web import Scope

PATIENCE_MS = 20_000
# The page says so after half a minute, the journal's readers after a whole one.
HANGS = timedelta(seconds=40)
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


class Truth:
    """What the journal of a directory comes to, and how long ago its prices came."""

    def __init__(self, directory: Path, ago: timedelta) -> None:
        self.directory = directory
        self.beta, self.gamma, self.delta = (
            Sums(directory, each) for each in ("beta-1", "gamma-1", "delta-1")
        )
        self.closed = [Sums(directory, f"alpha-{n}") for n in (1, 2, 3)]
        self.price_age, self.ether_age = (aged(each + ago) for each in PRICED)
        self.heard = aged(timedelta(seconds=130) + ago)

    def level(self, position: str, name: str) -> str:
        return number(D(levels(self.directory, position)[name]))

    @property
    def to_lose(self) -> D:
        stops = {name: D(levels(self.directory, name)["stop"]) for name in ("beta-1", "delta-1")}
        return sum(
            ((PRICE - stops[name]) * each.left)
            for name, each in (("beta-1", self.beta), ("delta-1", self.delta))
        )


def number(value: D) -> str:
    """Return an amount as pages show it: exact, but never more digits than an eye can use."""
    digits = 2 if abs(value) >= 1000 else 4 if abs(value) >= 1 else 8
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: D, *, signed: bool = True, digits: int = 2) -> str:
    text = f"{abs(value):,.{digits}f}"
    whole, _, cents = text.partition(".")
    text = f"{whole}.{cents.rstrip('0').ljust(2, '0')}"
    if not float(text.replace(",", "")):
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def bitcoin(value: D, *, signed: bool = True) -> str:
    return money(value, signed=signed, digits=6)


def aged(age: timedelta) -> str:
    """Return an age as pages show it, in minutes or hours: a second more or less is the same."""
    minutes = age.total_seconds() / 60
    return f"{round(minutes)} min" if minutes < 90 else f"{round(minutes / 60)} h"


Figures = Callable[[Truth], dict[str, str]]


def overview(t: Truth) -> dict[str, str]:
    held = t.beta.left * PRICE + t.delta.left * PRICE
    floating = t.beta.open(PRICE) + t.delta.open(PRICE)
    long_ago, lately, today = (each.realized for each in t.closed)
    ether = t.gamma.left * ETHER
    return {
        "[aria-label=Money]": f"Held {money(held, signed=False)} USDT "
        f"{bitcoin(ether, signed=False)} BTC 3 positions, oldest price "
        f"{t.ether_age} Open result {money(floating)} USDT "
        f"{bitcoin(t.gamma.open(ETHER))} BTC {money(t.to_lose, signed=False)} USDT more to lose "
        f"before the stops; 1 without a stop Closed today {money(today)} USDT 0.00 BTC since "
        f"midnight UTC Seven days · all {money(today + lately)} · "
        f"{money(today + lately + long_ago)} USDT 0.00 · 0.00 BTC 3 closed positions",
    }


def cards(t: Truth, kept: tuple[str, str]) -> dict[str, str]:
    at_exchange, here = kept
    return {
        '[aria-label="Open positions"]': f"beta BTC/USDT open {money(t.beta.open(PRICE))} "
        f"{number(PRICE)} {t.price_age} stop {t.level('beta-1', 'stop')} {at_exchange} "
        f"delta BTC/USDT frozen {money(t.delta.open(PRICE))} {number(PRICE)} {t.price_age} "
        f"stop {t.level('delta-1', 'stop')} {here} "
        f"gamma ETH/BTC open {bitcoin(t.gamma.open(ETHER))} {number(ETHER)} {t.ether_age} no stop",
    }


def bots(t: Truth) -> dict[str, str]:
    row = '[role=rowgroup] [role=row]:has-text("{}")'
    acts = "Pause Close"
    price = f"{number(PRICE)} {t.price_age}"
    beta, delta, gamma = t.beta, t.delta, t.gamma
    return {
        row.format(
            "alpha"
        ): "alpha BTC/USDT · waits for a dip of 2 % · refused: the cap is reached "
        f"running closed {DASH} {DASH} {price} {acts}",
        row.format("beta"): f"beta BTC/USDT running open {money(beta.left * PRICE, signed=False)} "
        f"{money(beta.open(PRICE))} {price} {acts}",
        row.format("delta"): "delta BTC/USDT running frozen "
        f"{money(delta.left * PRICE, signed=False)} {money(delta.open(PRICE))} {price} {acts}",
        row.format("gamma"): "gamma ETH/BTC running open "
        f"{bitcoin(gamma.left * ETHER, signed=False)} {bitcoin(gamma.open(ETHER))} "
        f"{number(ETHER)} {t.ether_age} {acts}",
    }


def position(name: str, sums: Sums, t: Truth, tiles: str) -> dict[str, str]:
    """Return the regions that each page of a position has."""
    return {
        "[aria-label=Figures]": tiles,
        "[aria-label=Orders] tbody": words(
            f"{role} {side} {status.lower()} {number(D(quantity))} {number(D(filled))} "
            f"{f'at {number(D(trigger))}' if trigger else 'market'} {name} {exchange}"
            for role, side, status, quantity, filled, trigger, name, exchange in asked(
                t.directory,
                "SELECT role, side, status, quantity, filled, trigger_price, client_order_id, "
                "exchange_order_id FROM orders WHERE position_id = ? ORDER BY attempt DESC",
                name,
            )
        ),
        "[aria-label=Fills] tbody": words(
            f"{clock(at)} {side} {number(D(quantity))} {number(D(price))} {number(D(fee))} {asset}"
            for side, price, quantity, fee, asset, at in reversed(sums.rows)
        ),
        "[aria-label='Its life'] .head": f"Its life {lived(t, name)} records",
    }


def open_position(t: Truth) -> dict[str, str]:
    sums, stop = t.beta, t.level("beta-1", "stop")
    target = t.level("beta-1", "take_profit")
    return position(
        "beta-1", sums, t,
        f"Open result {money(sums.open(PRICE))} USDT realized {money(sums.realized)}, fees "
        f"{number(sums.fees('BTC'))} BTC Held {number(sums.left)} BTC entry {number(sums.entry)} "
        f"Price {number(PRICE)} {t.price_age} old Stop · target {stop} · {target} monitoring",
    ) | {
        ".guard": f"If this server dies, the stop at {stop} rests at the exchange and sells by "
        "itself."
    }  # fmt: skip


def part_left(t: Truth) -> dict[str, str]:
    sums = t.delta
    return position(
        "delta-1", sums, t,
        f"Open result {money(sums.open(PRICE))} USDT realized {money(sums.realized)}, fees "
        f"{number(sums.fees('USDT'))} USDT Held {number(sums.left)} BTC entry "
        f"{number(sums.entry)} Price {number(PRICE)} {t.price_age} old Stop · target "
        f"{t.level('delta-1', 'stop')} · {t.level('delta-1', 'take_profit')} monitoring",
    )  # fmt: skip


def closed_position(t: Truth) -> dict[str, str]:
    sums, name = t.closed[2], "alpha-3"
    return position(
        name, sums, t,
        f"Result {money(sums.realized)} USDT final, fees {number(sums.fees('BTC'))} BTC, "
        f"{number(sums.fees('USDT'))} USDT Dust left {number(sums.left)} BTC too little to trade: "
        f"it went into the next position Price {number(PRICE)} {t.price_age} old Last stop · "
        f"target {t.level(name, 'stop')} · {t.level(name, 'take_profit')} monitoring",
    ) | {
        "[aria-label='Positions of this bot'] tbody": words(
            f"alpha-{n} closed {money(t.closed[n - 1].realized)}" for n in (3, 2, 1)
        )
    }  # fmt: skip


def recovery(t: Truth) -> dict[str, str]:
    ((data,),) = asked(t.directory, "SELECT data FROM records WHERE kind = 'recovery-finished'")
    said = json.loads(data)
    (told,) = said["told"]
    return {
        "article .counts": f"{said['fills_booked']} fills booked {said['orders_cancelled']} orders "
        f"cancelled {said['bots_restarted']} bots restarted {len(said['bots_in_review'])} needs "
        f"somebody {said['requests']} requests, weight {said['weight']}",
        "article tbody": f"{told['position_id']} filled while nobody watched {told['believed']} "
        f"{told['evidence'][0]} {told['followed'][0]} {told['now']}",
    }


def journal(t: Truth) -> dict[str, str]:
    rows = asked(t.directory, "SELECT sequence, at FROM records ORDER BY sequence DESC LIMIT 3")
    return {
        f"[aria-label=Records] a >> nth={n} >> .num": str(sequence)
        for n, (sequence, _) in enumerate(rows)
    } | {f"[aria-label=Records] time >> nth={n}": clock(at) for n, (_, at) in enumerate(rows)}


WELL = (
    ("/", overview),
    ("/", lambda t: cards(t, ("at the exchange", "watched here"))),
    ("/bots", bots),
    ("/positions/beta-1", open_position),
    ("/positions/delta-1", part_left),
    ("/positions/alpha-3", closed_position),
    ("/recovery", recovery),
    ("/journal", journal),
)


def words(rows: Iterable[str]) -> str:
    return " ".join(rows)


def clock(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%H:%M:%S")


def lived(t: Truth, name: str) -> int:
    ((count,),) = asked(
        t.directory, "SELECT count(*) FROM records WHERE stream = ?", f"position/{name}"
    )
    return int(count)


class Reader:
    """Somebody who compares."""

    def __init__(self, page: Any, desk: Desk, pen: Journal) -> None:
        self.page = page
        self.desk = desk
        self.pen = pen

    async def compare(self, path: str, expected: dict[str, str]) -> None:
        """Go to a page without loading it anew, and hold its regions against what is expected."""
        self.pen.gauges.turn(self.desk.clock.now())
        await self.page.evaluate(
            "path => { history.pushState(null, '', path); dispatchEvent(new Event('popstate')); }",
            path,
        )
        for region, text in expected.items():
            await self.says(region, text)

    async def says(self, region: str, text: str) -> None:
        """Wait until a region says exactly this, or fail with what it says."""
        place = self.page.locator(f"main >> {region}")
        shown = ""

        async def agrees() -> bool:
            nonlocal shown
            shown = " ".join((await place.first.inner_text()).split())
            return shown == text

        await place.first.wait_for()
        if not await until(self.page, agrees):
            raise AssertionError(f"{region}\nshown:    {shown}\nexpected: {text}")


async def until(page: Any, condition: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(200):
        if await condition():
            return True
        await page.wait_for_timeout(50)
    return False


async def test_every_figure_is_the_journals_also_in_an_outage(
    tmp_path: Path, chromium: Any
) -> None:
    """All is well; the exchange is away; the engine is dead; at last nobody serves the page."""
    hand = HandClock()
    noon = hand.now().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    hand.ahead = noon - hand.now()
    pen = open_journal(URL, tmp_path, at=noon)
    await written(pen, noon)
    desk = Desk(tmp_path, hand)
    async with AsyncExitStack() as serving:
        await serving.enter_async_context(desk.serving())
        await desk.seen(await pen.records())
        context = await chromium.new_context(timezone_id="UTC", color_scheme="dark")
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.clock.install()
        await page.goto(f"{desk.origin}/#token={desk.keys.token(Scope.ADMIN)}")
        await page.get_by_role("navigation").wait_for()
        reader = Reader(page, desk, pen)
        for path, figures in WELL:
            await reader.compare(path, figures(Truth(tmp_path, timedelta(0))))
        await choosing(reader, Truth(tmp_path, timedelta(0)))
        await searching(reader)
        await hurry(reader, pen, noon)
        await hanging(reader, hand)
        await outage(reader, pen, hand, noon)
        await dead_engine(reader, pen, hand)
        await serving.aclose()
        await nobody_serves(reader)


async def choosing(reader: Reader, t: Truth) -> None:
    """Sort and filter the bots: those that were asked for are shown, in the order asked for."""
    await reader.compare("/bots", {})
    page = reader.page
    held = {"alpha": 0, "beta": t.beta.left * PRICE, "delta": t.delta.left * PRICE}
    gains = {"alpha": 0, "beta": t.beta.open(PRICE), "delta": t.delta.open(PRICE)}
    held["gamma"], gains["gamma"] = t.gamma.left * ETHER, t.gamma.open(ETHER)
    names = sorted(held)
    for column, upwards in (
        ("Held", sorted(names, key=lambda name: held[name])),
        ("Result", sorted(names, key=lambda name: gains[name])),
        ("Position", ["alpha", "delta", "beta", "gamma"]),
        ("Bot", names),
    ):
        head = page.get_by_role("columnheader", name=column)
        for _ in range(2):
            await head.get_by_role("button").click()
            down = await head.get_attribute("aria-sort") == "descending"
            await lists(page, upwards[::-1] if down else upwards)
        if await head.get_attribute("aria-sort") == "descending":
            await head.get_by_role("button").click()
    words = page.get_by_label("Filter")
    for said, found in (("ETH", ["gamma"]), ("btc/usdt main", names[:3]), ("btc alp", ["alpha"])):
        await words.fill(said)
        await lists(page, found)
    await words.fill("nobody")
    await page.get_by_text("No bot is like that").wait_for()
    await words.fill("")
    for only, found in (("review", ["delta"]), ("held", names[1:]), ("paused", []), ("all", names)):
        await page.get_by_label("Which bots").select_option(only)
        await lists(page, found)


async def lists(page: Any, expected: list[str]) -> None:
    """Wait until exactly these bots are listed, from top to bottom."""
    shown: list[str] = []

    async def agrees() -> bool:
        nonlocal shown
        shown = await page.locator("[role=rowgroup] [role=row] strong").all_inner_texts()
        return shown == expected

    assert await until(page, agrees), (shown, expected)


async def searching(reader: Reader) -> None:
    """Search the journal by a trade, in one bot and in all: what holds the text, and no more."""
    await reader.compare("/journal", {})
    page = reader.page
    ((name,),) = asked(
        reader.desk.directory,
        "SELECT client_order_id FROM orders WHERE position_id = 'gamma-1' AND role = 'entry'",
    )
    holding = [
        str(sequence)
        for sequence, data in asked(
            reader.desk.directory, "SELECT sequence, data FROM records ORDER BY sequence DESC"
        )
        if name in data
    ]
    assert len(holding) > 2

    async def finds(expected: list[str]) -> None:
        shown: list[str] = []

        async def agrees() -> bool:
            nonlocal shown
            shown = await page.locator("[aria-label=Records] .num").all_inner_texts()
            return shown == expected

        assert await until(page, agrees), (shown, expected)

    await page.get_by_label("Search").fill(name)
    await finds(holding)
    await page.get_by_label("Bot", exact=True).select_option("beta")
    await page.get_by_text("No record is like that").wait_for()
    await page.get_by_label("Bot", exact=True).select_option("gamma")
    await finds(holding)
    await page.get_by_label("Bot", exact=True).select_option("")
    await page.get_by_label("Search").fill("")


async def hurry(reader: Reader, pen: Journal, noon: datetime) -> None:
    """Write more at once than a page shows: no record is left out of its list, read back or not."""
    await reader.compare("/journal", journal(Truth(reader.desk.directory, timedelta(0))))
    one = status("alpha", expected=1)
    many = replace(one, records=one.records * 150)
    await pen.commit(Change(at=noon, appends=(many,)))
    newest = await pen.records()
    numbers = reader.page.locator("[aria-label=Records] .num")
    await reader.says("[aria-label=Records] .num >> nth=0", str(newest))
    shown = [int(each) for each in await numbers.all_inner_texts()]
    assert shown == list(range(newest, newest - len(shown), -1))
    await reader.page.get_by_role("button", name="Older records").click()
    await reader.says("[aria-label=Records] .num >> nth=-1", str(max(1, newest - len(shown) - 99)))
    longer = [int(each) for each in await numbers.all_inner_texts()]
    assert longer == list(range(newest, newest - len(shown) - 100, -1))


async def hanging(reader: Reader, hand: HandClock) -> None:
    """Let the engine's loop stand still: what is watched here is not watched."""
    await reader.compare("/", {})
    hand.ahead += HANGS
    await reader.says(
        ".standing",
        "The engine does not move. Its process is there, but its loop has not turned for a while. "
        "1 position of 3 has a stop that rests at the exchange and works without us. Without a "
        "working stop: delta-1, gamma-1.",
    )
    await reader.says("header h1", "3 positions held, and nobody watches. 1 thing wants you.")
    truth = Truth(reader.desk.directory, HANGS)
    for region, text in cards(truth, ("at the exchange", "not working")).items():
        await reader.says(region, text)


async def outage(reader: Reader, pen: Journal, hand: HandClock, noon: datetime) -> None:
    """Have no exchange for ten minutes: every price is older by so much, on every page."""
    away = timedelta(minutes=10)
    hand.ahead += away - HANGS
    at = noon + away
    pen.gauges.turn(at)
    await stands(pen, at, HealthState.UNREACHABLE, 2, "no answer for a while")
    truth = Truth(reader.desk.directory, away)
    for path, figures in WELL:
        shown = figures(truth)
        if '[aria-label="Open positions"]' in shown:
            shown = cards(truth, ("at the exchange", "not working"))
        await reader.compare(path, shown)
    await reader.compare(
        "/",
        {
            ".standing": "main is unreachable. no answer for a while",
            "header h1": "Not everything is watched: main is unreachable. 2 things want you.",
            "dl": f"Engine ok process {pen.holder().pid}, for 10 min main unreachable testnet, "
            f"no answer for a while Account stream heard {truth.heard} ago BTC/USDT price "
            f"{truth.price_age} old ETH/BTC price {truth.ether_age} old This page live record "
            f"{await pen.records()}",
        },
    )


async def dead_engine(reader: Reader, pen: Journal, hand: HandClock) -> None:
    """Have no engine for half an hour more: nothing is watched, and all of it is old."""
    records = await pen.records()
    await pen.close()
    hand.ahead += timedelta(minutes=30)
    truth = Truth(reader.desk.directory, timedelta(minutes=40))
    held = "3 positions held, and nobody watches."
    await reader.compare(
        "/",
        overview(truth)
        | cards(truth, ("at the exchange", "not working"))
        | {
            "header h1": f"{held} 2 things want you.",
            "dl": "Engine down not running main halted testnet, no server runs Account stream "
            f"heard {truth.heard} ago BTC/USDT price {truth.price_age} old ETH/BTC price "
            f"{truth.ether_age} old This page live record {records}",
        },
    )


async def nobody_serves(reader: Reader) -> None:
    """Have no server: what is left on the page gets older, although nobody says so."""
    await reader.says("header h1", "How things stand now is not known. 2 things want you.")
    truth = Truth(reader.desk.directory, timedelta(minutes=70))
    await reader.page.clock.fast_forward("30:00")
    shown = overview(truth) | cards(truth, ("at the exchange", "not working"))
    ages = (
        f"Account stream heard {truth.heard} ago BTC/USDT price {truth.price_age} old ETH/BTC "
        f"price {truth.ether_age} old This page unreachable"
    )
    await reader.compare("/", shown)
    await reader.page.locator("main.stale").wait_for()
    text = " ".join((await reader.page.locator("dl").inner_text()).split())
    assert text.startswith("Engine not known main not known testnet"), text
    assert ages in text, text
    await reader.page.get_by_text("Disconnected from the dashboard").wait_for()
