"""Every figure on every page is what the journal comes to, in an outage too, and none looks fresh.

One journal, one server, one browser. What is expected is worked out from the tables of the journal
by the arithmetic in `ledger`; a whole region of a page is compared, so no figure is left out of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.browser.ledger import ETHER, LONG_WORD, PRICE, Story, asked, shrinks, stands, written
from tests.browser.pages import WELL, Truth, cards, journal, number, overview
from tests.unit.web.desk import URL, Desk, HandClock, status

from surefoot.cli.web import shown
from surefoot.config import load
from surefoot.core.health import HealthState
from surefoot.journal import open_journal
from surefoot.journal.port import Change, Journal
from surefoot.web import Scope

PATIENCE_MS = 20_000
CONFIGURATION = """\
[journal]
url = "sqlite:///surefoot.db"
[accounts.main]
exchange = "binance"
api_key = "env:SOME_KEY"
secret = "env:SOME_SECRET"
ownership = "exclusive"
[bots.alpha]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:RoundTrip"
notional = 123.45
stop_loss = "2.5%"
take_profit = "4%"
break_even = "1%"
trailing_stop = "3%"
stop_at = "exchange"
[bots.gamma]
account = "main"
symbol = "ETH/BTC"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 0.0123
stop_at = "local"
"""
# The page says so after half a minute, the journal's readers after a whole one.
HANGS = timedelta(seconds=40)
# What the stop at the exchange sells in the end.
PART = D("0.0005")


class StillClock(HandClock):
    """Stands where it was put: a machine that is slow makes no figure older."""

    def __init__(self) -> None:
        super().__init__()
        today = super().now().replace(hour=12, minute=0, second=0, microsecond=0)
        self._at = today + timedelta(days=1)

    def now(self) -> datetime:
        return self._at + self.ahead


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
    hand = StillClock()
    noon = hand.now()
    pen = open_journal(URL, tmp_path, at=noon)
    beta = await written(pen, noon)
    desk = Desk(tmp_path, hand)
    (tmp_path / "surefoot.toml").write_text(CONFIGURATION, encoding="utf-8")
    desk.shown = shown(load(tmp_path / "surefoot.toml", {}, keys=False))
    async with AsyncExitStack() as serving:
        await serving.enter_async_context(desk.serving())
        await desk.seen(await pen.records())
        context = await chromium.new_context(timezone_id="UTC", color_scheme="dark")
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await without_its_program(await context.new_page(), desk)
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
        await narrow(reader)
        await dead_engine(reader, pen, hand, beta)
        await serving.aclose()
        await nobody_serves(reader, PART)


async def without_its_program(page: Any, desk: Desk) -> None:
    """Have the program lost on its way: the page says what to do, instead of staying blank."""
    await page.route("**/assets/*.js", lambda route: route.abort())
    await page.goto(desk.origin)
    await page.get_by_text("its program could not be loaded: load the page again").wait_for()
    await page.close()


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
    truth = Truth(reader.desk.directory, HANGS, unwatched=True)
    shown = overview(truth) | cards(truth, ("at the exchange", "not working"))
    for region, text in shown.items():
        await reader.says(region, text)


async def outage(reader: Reader, pen: Journal, hand: HandClock, noon: datetime) -> None:
    """Have no exchange for ten minutes: every price is older by so much, on every page."""
    away = timedelta(minutes=10)
    hand.ahead += away - HANGS
    at = noon + away
    pen.gauges.turn(at)
    await stands(pen, at, HealthState.UNREACHABLE, 2, "no answer for a while")
    truth = Truth(reader.desk.directory, away, unwatched=True)
    for path, figures in WELL:
        shown = figures(truth)
        if '[aria-label="Open positions"]' in shown:
            shown = cards(truth, ("at the exchange", "not working"))
        await reader.compare(path, shown)
    lacking = (
        "1 position with a stop that works. 2 positions WITHOUT a working stop (delta-1, gamma-1): "
        "a falling price is not acted upon."
    )
    await reader.compare(
        "/review",
        {
            "header h1": "2 findings want you",
            '[id="unreachable/main"] .head': "main unreachable since now",
            '[id="unreachable/main"] dl': "Believed main is watched and its bots run True no "
            f"answer for a while For the money Nothing is entered. {lacking}",
        },
    )
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


async def narrow(reader: Reader) -> None:
    """Look at every page on a phone: nothing runs out of it, however long a word somebody wrote.

    A strategy's failure on the page of recoveries was 622 wide.
    """
    page, wide = reader.page, reader.page.viewport_size
    await page.set_viewport_size({"width": 390, "height": 844})
    for path in dict.fromkeys(path for path, _ in WELL):
        await reader.compare(path, {})
        await page.locator("main h1, main h2").first.wait_for()
        if path in {"/recovery", "/review"}:
            await page.get_by_text(LONG_WORD).first.wait_for()
        shown = await page.evaluate("document.documentElement.scrollWidth")
        assert shown <= 390, f"{path} is {shown} wide"
    await page.set_viewport_size(wide)


async def dead_engine(reader: Reader, pen: Journal, hand: HandClock, beta: Story) -> None:
    """Have no engine for half an hour more: nothing is watched, and all of it is old.

    The last that it heard was that the stop which rests at the exchange is for a part.
    """
    await shrinks(pen, beta, PART, hand.now())
    records = await pen.records()
    await pen.close()
    hand.ahead += timedelta(minutes=30)
    truth = Truth(reader.desk.directory, timedelta(minutes=40), unwatched=True, part=PART)
    kept = f"at the exchange for {PART} of {number(truth.beta.left)}"
    held = "3 positions held, and nobody watches."
    await reader.compare(
        "/",
        overview(truth)
        | cards(truth, (kept, "not working"))
        | {
            "header h1": f"{held} 2 things want you.",
            "dl": "Engine down not running main halted testnet, no server runs Account stream "
            f"heard {truth.heard} ago BTC/USDT price {truth.price_age} old ETH/BTC price "
            f"{truth.ether_age} old This page live record {records}",
        },
    )
    stop = truth.level("beta-1", "stop")
    await reader.compare(
        "/positions/beta-1",
        {
            ".guard": f"The stop at {stop} rests at the exchange and sells {PART} of "
            f"{number(truth.beta.left)} BTC by itself, without the engine. For the rest nothing "
            "acts on a falling price.",
        },
    )
    await reader.compare("/", {})


async def nobody_serves(reader: Reader, part: D) -> None:
    """Have no server: what is left on the page gets older, although nobody says so."""
    await reader.says("header h1", "How things stand now is not known. 2 things want you.")
    truth = Truth(reader.desk.directory, timedelta(minutes=70), unwatched=True, part=part)
    kept = f"at the exchange for {part} of {number(truth.beta.left)}"
    await reader.page.clock.fast_forward("30:00")
    shown = overview(truth) | cards(truth, (kept, "not working"))
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
