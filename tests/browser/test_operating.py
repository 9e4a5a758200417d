"""Every operator's job, done in a browser against the shipped program, through kills."""

from __future__ import annotations

import re
from decimal import Decimal as D

import aiohttp
import pytest
from tests.architecture.tree import ROOT
from tests.browser.operator import Operator
from tests.process.dashboard import Dashboard
from tests.process.play import Play

PAGES = ("/", "/bots", "/positions/bot-1", "/review", "/recovery", "/journal", "/settings")


async def commands(play: Play) -> list[tuple[str, str]]:
    async with play.stage.reading() as reader:
        return [(each.kind, each.status) for each in await reader.commands()]


async def test_the_page_tells_the_truth_through_the_death_of_the_engine(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    """What it shows is what the journal says; a dead engine is said at once, and its return."""
    await play.open(bots=dashboard.settings, bot='stop_loss = "2%"')
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    page = await operator.enter()
    await operator.reads("The one bot is watched, nothing is held.")
    play.say("buy")
    await play.state_is("OPEN", server=server)
    await operator.reads("The one bot is watched, 1 position held.")
    await operator.reads("watched here")
    status = await play.status()
    position = status["bots"][0]["position"]
    held = D(position["quantity"]) * D(position["mark_price"])
    assert await page.get_by_label("Money").get_by_text(f"{held:.2f}").count() == 1
    await server.kill()
    await operator.reads("The engine is down. Nobody watches these positions.")
    await operator.reads("Without a working stop: bot-1.")
    assert "1 want" in await page.get_by_label("1 want somebody").get_attribute("aria-label")
    successor = await play.start()
    await operator.no_longer_reads("The engine is down.")
    await operator.reads("The one bot is watched, 1 position held.")
    # A server that was being replaced left the page without its reports, until somebody clicked.
    await page.route("**/recoveries?*", lambda route: route.abort())
    await operator.goes("/recovery")
    await operator.reads("This could not be read")
    await page.unroute("**/recoveries?*")
    await operator.reads("Nobody watched for")
    await successor.stop()


async def test_a_position_is_closed_once_and_only_when_its_name_is_typed(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    play.say("buy")
    await play.state_is("OPEN", server=server)
    page = await operator.enter()
    await operator.goes("/positions/bot-1")
    await page.get_by_role("button", name="Close the position").click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Close the position")
    assert await confirm.is_disabled()
    await page.get_by_role("dialog").get_by_role("textbox").fill("bot")
    assert await confirm.is_disabled()
    await page.get_by_role("dialog").get_by_role("textbox").fill("bot-1")
    await confirm.dblclick()
    await operator.reads("Begun: closing")
    await play.state_is("CLOSED", server=server)
    await page.get_by_role("heading", name="closed").wait_for()
    assert await commands(play) == [("close", "done")]
    assert len(play.orders("SELL")) == 1
    await server.stop()


async def test_pausing_survives_the_death_of_the_dashboard_and_works_by_keyboard(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    """The page says that it is cut off, comes back by itself, and misses nothing."""
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    page = await operator.enter()
    await operator.goes("/bots")
    await page.get_by_role("rowgroup").focus()
    await page.keyboard.press("p")
    await page.get_by_role("dialog").get_by_role("button", name="Pause").press("Enter")
    await operator.reads("Done: bot is PAUSED.")
    first = dashboard.pid
    dashboard.kill()
    await operator.reads("Disconnected from the dashboard")
    play.say("enter")  # refused: it is paused
    await play.stage.run("resume", "bot")
    await play.until(lambda: dashboard.pid not in {None, first}, server)
    await operator.no_longer_reads("Disconnected from the dashboard")
    await page.get_by_role("cell", name="running").wait_for()
    assert await commands(play) == [("pause", "done"), ("resume", "done")]
    await server.stop()


async def test_what_comes_from_outside_is_shown_and_never_obeyed(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    """Markup in a note, an actor or an exchange's text is text."""
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    evil = "<img src=http://evil.test/x onerror=alert(1)><script>alert(2)</script>"
    token = (play.stage.directory / "surefoot.token").read_text().strip()
    async with (
        aiohttp.ClientSession() as client,
        client.post(
            f"http://127.0.0.1:{dashboard.port}/api/v1/commands",
            json={"kind": "pause", "target": "bot", "arguments": {"reason": evil}},
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "from-outside"},
        ) as answer,
    ):
        assert (await answer.json())["status"] == "done"
    page = await operator.enter()
    for path in ("/", "/journal", "/bots"):
        await operator.goes(path)
        await page.get_by_role("main").wait_for()
        if path == "/journal":
            await operator.reads("onerror=alert(1)")
        assert await page.locator("main img, main script").count() == 0
    await server.stop()


async def test_a_phone_operates_and_nothing_runs_out_of_its_screen(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    play.say("buy")
    await play.state_is("OPEN", server=server)
    page = await operator.enter(width=390, height=844)
    for path in PAGES:
        await operator.goes(path)
        await page.get_by_role("heading", level=1).first.wait_for()
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"{path} is {wide} wide"
    await operator.goes("/bots")
    await page.get_by_role("button", name=re.compile("Pause")).first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    await operator.reads("Done: bot is PAUSED.")
    await server.stop()


async def test_a_wrong_token_opens_nothing(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    page = await operator.enter()
    await page.get_by_role("button", name="Log out").click()
    await page.get_by_label("Token").fill("wrong")
    await page.get_by_role("button", name="Log in").click()
    await operator.reads("this token is not known here")
    assert await page.get_by_role("navigation").count() == 0
    await server.stop()


async def test_every_page_can_be_used_without_seeing_it(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    """Axe finds nothing serious, dark or light; the package comes with the dashboard's build."""
    script = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip("axe-core is not installed; run: make ui")
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    play.say("buy")
    await play.state_is("OPEN", server=server)
    page = await operator.enter()
    found = {}
    for theme in ("dark", "light"):
        await page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
        for path in PAGES:
            await operator.goes(path)
            await page.get_by_role("heading", level=1).first.wait_for()
            await page.evaluate(script.read_text(encoding="utf-8"))
            result = await page.evaluate("axe.run()")
            grave = [
                (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
                for each in result["violations"]
                if each["impact"] in {"serious", "critical"}
            ]
            found |= {(theme, path): grave} if grave else {}
    assert found == {}
    await server.stop()
