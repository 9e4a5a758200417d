"""Engine, web and messengers die in every order before a page: it says so, and comes back."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from decimal import Decimal as D
from itertools import permutations
from typing import Any

import pytest
from tests.browser.operator import Operator
from tests.browser.test_operating import commands
from tests.process.dashboard import Dashboard
from tests.process.play import Play

from surefoot.demo.stage import Server
from surefoot.journal.tenancy import Tenancy

MINUS = "\N{MINUS SIGN}"
STATE = '[state]\nfile = "open_positions.json"\n'


# Two of them at every change, all in the long sweeps.
ORDERS = [
    pytest.param(each, id="-".join(each), marks=[pytest.mark.slow] if number % 5 else [])
    for number, each in enumerate(permutations(("engine", "web", "notify")))
]


def tenant(play: Play, what: str) -> int | None:
    found = Tenancy(play.stage.journal, what).tenant()
    return None if found is None else found.pid


async def shown(page: Any) -> tuple[str, ...]:
    """Return the money that the overview shows: what is held, and the open result."""
    tiles = page.get_by_label("Money").locator(".tile")
    texts = [await tiles.nth(number).locator(".big").inner_text() for number in range(2)]
    return tuple(re.sub(r"[^\d.+-]", "", text.replace(MINUS, "-")) for text in texts)


async def known(play: Play) -> tuple[str, ...] | None:
    """Return the same figures as the journal has them; None before there is a price."""
    position = (await play.status())["bots"][0]["position"]
    if position["mark_price"] is None:
        return None
    held = D(position["quantity"]) * D(position["mark_price"])
    pnl = D(position["unrealized_pnl"])
    return f"{held:.2f}", f"{pnl:+.2f}" if abs(pnl) >= D("0.005") else "0.00"


@pytest.mark.parametrize("order", ORDERS)
async def test_whoever_dies_first_no_command_is_lost_or_done_twice(
    play: Play, dashboard: Dashboard, operator: Operator, order: tuple[str, ...]
) -> None:
    """A pause is clicked as the first dies; the page calls nothing fresh that is not."""
    await play.open(bots=dashboard.settings + STATE, bot='stop_loss = "2%"')
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    await play.until(lambda: tenant(play, "notify") is not None, server)
    play.say("buy")
    await play.state_is("OPEN", server=server)
    page = await operator.enter()
    await operator.reads("The one bot is watched, 1 position held.")
    await agree(play, page)
    await operator.goes("/bots")
    await page.get_by_role("button", name=re.compile("Pause")).first.click()
    pause = page.get_by_role("dialog").get_by_role("button", name="Pause")
    await pause.click(no_wait_after=True)
    alive = {"engine", "web", "notify"}
    for victim in order:
        await die(play, server, victim)
        alive.discard(victim)
        if victim == "web":
            await operator.reads("Disconnected from the dashboard")
        if victim != "engine" and "engine" in alive:  # who starts its companions again
            await play.until(lambda what=victim: tenant(play, what) is not None, server)
            await operator.no_longer_reads("Disconnected from the dashboard")
            alive.add(victim)
        if "engine" not in alive and "web" in alive:
            await operator.reads("The engine is down. Nobody watches these positions.")
    successor = await play.start()
    await operator.no_longer_reads("Disconnected from the dashboard")
    await operator.no_longer_reads("The engine is down")
    await play.until(lambda: tenant(play, "notify") is not None, successor)
    if await page.get_by_role("dialog").get_by_role("alert").count():
        await pause.click()  # the page gave up; its second try carries the same key
    await page.get_by_role("cell", name="paused").wait_for()
    assert await commands(play) == [("pause", "done")]
    await operator.goes("/")
    await operator.reads("The one bot is watched, 1 position held.")
    await agree(play, page)
    await successor.stop()
    play.judge()


async def agree(play: Play, page: Any) -> None:
    """Wait until the page says what the journal says; what it does not know yet is no figure."""

    async def agrees() -> bool:
        seen, true = await shown(page), await known(play)
        assert true is None or seen == true or "" in seen, f"shown {seen}, in the journal {true}"
        return seen == true

    await play.until(agrees)


async def die(play: Play, server: Server, victim: str) -> None:
    """Kill one of the three; a companion that the engine started again dies once more."""
    if victim == "engine":
        await server.kill()
        return
    pid = tenant(play, victim)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await play.until(gone(play, victim, pid))


def gone(play: Play, victim: str, pid: int) -> Callable[[], bool]:
    return lambda: tenant(play, victim) != pid
