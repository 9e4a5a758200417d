"""What a bad day asks for, in a browser: what happened, all entries off, the frozen resolved."""

from __future__ import annotations

from tests.browser.operator import Operator
from tests.browser.test_operating import commands
from tests.process.dashboard import Dashboard
from tests.process.play import Play, log_of

SECOND = """
[bots.second]
account = "main"
symbol = "BTC/USDT"
strategy = "acts.py:Scripted"
notional = 100
params = { script = "second-script" }
"""


async def test_all_entries_are_stopped_with_two_clicks_and_let_in_again(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    """Of two clicks on the last button one counts; what somebody paused before stays paused."""
    await play.open(bots=SECOND + dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    await play.recovered(server)
    await play.stage.run("pause", "second")
    page = await operator.enter()
    await page.get_by_role("button", name="Stop all entries").click()
    sure = page.get_by_role("dialog").get_by_role("button", name="Stop all entries")
    await sure.dblclick()
    await operator.reads(
        "Done: nothing is entered any more (1 bot paused; 1 entered nothing before)"
    )
    await operator.reads("Entries are off for 1 bot.")
    play.say("enter")
    await play.until(lambda: "the bot is PAUSED: stop-all" in log_of(server), server)
    await page.get_by_role("button", name="Resume all").click()
    await page.get_by_role("dialog").get_by_role("button", name="Resume them").click()
    await operator.reads("Done: 1 bot may enter again.")
    await operator.no_longer_reads("Entries are off")
    play.say("buy")
    await play.state_is("OPEN", server=server)
    assert await commands(play) == [("pause", "done"), ("stop-all", "done"), ("resume-all", "done")]
    await server.stop()
    play.judge()


async def test_a_frozen_position_is_resolved_from_its_finding(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    """The finding says what is believed, what is true, and only what fits can be done."""
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    play.say("buy")
    await play.state_is("OPEN", server=server)
    await server.stop()
    play.control.do("balance", asset="BTC", free="0")
    server = await play.start()
    await play.until(lambda: '"position-frozen"' in log_of(server), server)
    await play.until(lambda: dashboard.serves(engine=True), server)
    page = await operator.enter()
    await operator.goes("/review")
    await operator.reads("the account holds")
    await page.get_by_role("button", name="It is flat").click()
    dialog = page.get_by_role("dialog")
    yes = dialog.get_by_role("button", name="It is flat")
    assert await yes.is_disabled()
    await dialog.get_by_role("textbox").fill("bot-1")
    await yes.click()
    await operator.reads("Done:")
    await play.state_is("CLOSED", server=server)
    await operator.reads("Nothing wants you")
    assert await commands(play) == [("resolve", "done")]
    await server.stop()


async def test_what_happened_while_nobody_watched_is_told_from_belief_to_deed(
    play: Play, dashboard: Dashboard, operator: Operator
) -> None:
    """Killed with an order out that then filled; each figure of the page is the journal's."""
    await play.open(bots=dashboard.settings)
    play.say("enter")
    server = await play.start(crash_at="order.after-response")
    await play.die(server)
    successor = await play.start()
    await play.recovered(successor)
    # The one that outlived its server, or came up after its death, is replaced, maybe in mid-page.
    await play.until(lambda: dashboard.accompanies(successor), successor)
    await play.until(lambda: dashboard.serves(engine=True), successor)
    page = await operator.enter()
    await operator.goes("/recovery")
    newest = page.get_by_role("article").first
    await newest.get_by_text("1 filled while nobody watched").wait_for()
    async with play.stage.reading() as reader:
        found = await reader.last_recovery()
    assert found is not None
    at, report = found
    assert report.unwatched_since is not None
    assert report.unwatched_since < at
    (told,) = report.told
    row = newest.get_by_role("row", name="bot-1")
    for text in (told.believed, *told.evidence, *told.followed, told.now):
        assert await row.get_by_text(text, exact=True).count() == 1, text
    assert told.believed.startswith("OPENING; entry buy")
    fills = newest.get_by_text("booked", exact=False).first
    assert f"{report.fills_booked} fill" in " ".join((await fills.inner_text()).split())
    gaps = await page.get_by_role("img").get_attribute("aria-label")
    assert gaps.count("Nobody watched from") == 1
    await successor.stop()
    play.judge()
