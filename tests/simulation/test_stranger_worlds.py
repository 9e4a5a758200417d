"""A stranger at the dashboard's door, while the program behind it holds something.

Whatever he asks, he sees no figure, changes nothing, and no page of his gets what a browser has.
`docket` names the mistake that each of these worlds was seen to catch.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.simulation.door import ORIGIN, Door, Reply
from tests.simulation.test_operator_worlds import frozen, rows
from tests.simulation.test_situations import bot, lived
from tests.simulation.world import World

from surefoot.web import Scope
from surefoot.web.guard import BODY_MAX, PROOF_HEADER
from surefoot.web.keys import SESSION_LASTS, TokenUnusable

COMMANDS = "/api/v1/commands"
SESSION = "/api/v1/session"
FIGURES = ("/api/v1/status", "/api/v1/records", "/api/v1/review", "/metrics")
PAUSE = {"kind": "pause", "target": "bot"}
CLOSE = {"kind": "close", "target": "bot", "confirm": "bot"}
KEY = {"Idempotency-Key": "12345678"}


def visited(play: Callable[[Door, World], Awaitable[None]], *, harmless: bool = True) -> World:
    """Let somebody come to the door of a program that holds something, and nothing come of it."""

    async def whole(world: World) -> None:
        world.start()
        await world.sleep(20)
        async with Door(world).open() as door:
            await world.sleep(5)
            await play(door, world)
        if harmless:
            await world.sleep(5)
            assert rows(world, "SELECT kind FROM commands") == []
            assert rows(world, "SELECT state FROM positions") == [("OPEN",)]
            assert len(world.simulator.exchange.standing) == 1

    return lived(bot("bot"), whole)


def assert_hardened(reply: Reply) -> None:
    policy = reply.headers.get("content-security-policy", "")
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert reply.headers.get("x-frame-options") == "DENY"
    assert reply.headers.get("x-content-type-options") == "nosniff"
    assert "access-control-allow-origin" not in reply.headers


def test_who_has_no_token_sees_no_figure() -> None:
    async def play(door: Door, world: World) -> None:
        for path in FIGURES:
            refused = await door.ask(path)
            assert (refused.status, b"BTC" in refused.body) == (401, False), path
            assert (await door.ask(path, headers={"Authorization": "Bearer x"})).status == 401
            await world.sleep(61)

    visited(play)


def test_every_answer_tells_a_browser_what_it_may_do() -> None:
    """Refusals too: a browser decides by the headers of whatever it gets."""

    async def play(door: Door, _world: World) -> None:
        for path in ("/", "/healthz", "/api/v1/nothing", *FIGURES, "/../../etc/passwd"):
            for headers in ({}, door.bearer(), {"Host": "evil.test"}):
                assert_hardened(await door.ask(path, headers=headers))

    visited(play)


def test_another_host_name_leads_nowhere() -> None:
    """DNS rebinding: a page of evil.test whose name now leads here."""

    async def play(door: Door, _world: World) -> None:
        for host in ("evil.test", "evil.test:8770", "127.0.0.1", "127.0.0.1:1"):
            for path in ("/", "/healthz", *FIGURES):
                reply = await door.ask(path, headers=door.bearer() | {"Host": host})
                assert reply.status == 421, (host, path)

    visited(play)


def test_no_other_page_changes_anything_with_the_cookie() -> None:
    """CSRF, also from another port of this machine: SameSite lets that page's requests through."""

    async def play(door: Door, _world: World) -> None:
        browser, proof, _ = await door.log_in()
        for changed in (
            {"Origin": "http://127.0.0.1:9999"}, {"Origin": ""}, {PROOF_HEADER: ""},
            {PROOF_HEADER: "0" * 64},
        ):  # fmt: skip
            headers = browser | KEY | {PROOF_HEADER: proof} | changed
            reply = await door.ask(COMMANDS, "POST", headers=headers, given=PAUSE)
            assert reply.status == 403, (changed, reply.text)

    visited(play)


def test_no_other_site_reads_with_the_cookie() -> None:
    async def play(door: Door, _world: World) -> None:
        browser, _, cookie = await door.log_in()
        for site in ("same-site", "cross-site"):
            for path in FIGURES[:-1]:
                reply = await door.ask(path, headers=browser | {"Sec-Fetch-Site": site})
                assert (reply.status, b"BTC" in reply.body) == (403, False)
        assert "SameSite=strict" in cookie, "sent along from other sites"

    visited(play)


def test_no_script_reads_the_cookie() -> None:
    async def play(door: Door, _world: World) -> None:
        _, _, cookie = await door.log_in()
        assert "HttpOnly" in cookie
        assert door.keys.token(Scope.ADMIN) not in cookie

    visited(play)


def test_no_cookie_is_made_at_home() -> None:
    """The cookie of who may only look, with the name of who may do everything."""

    async def play(door: Door, _world: World) -> None:
        browser, _, _ = await door.log_in(Scope.READ)
        forged = browser["Cookie"].replace("=read.", "=admin.")
        assert forged != browser["Cookie"]
        assert (await door.ask(FIGURES[0], headers={"Cookie": forged})).status == 401

    visited(play)


def test_a_stolen_cookie_ends_with_its_time() -> None:
    async def play(door: Door, world: World) -> None:
        browser, _, _ = await door.log_in()
        assert (await door.ask(FIGURES[0], headers=browser)).status == 200
        world.clock_is_off_s = (SESSION_LASTS + timedelta(minutes=1)).total_seconds()
        assert (await door.ask(FIGURES[0], headers=browser)).status == 401
        world.clock_is_off_s = 0.0

    visited(play)


@pytest.mark.parametrize("moving", [False, True], ids=["from_one_address", "from_ever_new_ones"])
def test_tokens_are_not_guessed_for_long(*, moving: bool) -> None:
    """Asked by the second, for a virtual minute."""

    async def play(door: Door, world: World) -> None:
        told = []
        for number in range(50):
            address = f"10.0.0.{number}" if moving else "10.0.0.1"
            guess = {"token": f"guess-{number}"}
            reply = await door.ask(
                SESSION, "POST", headers={"Origin": ORIGIN}, given=guess, address=address
            )
            told.append(reply.status)
            await world.sleep(1)
        assert 429 in told
        assert set(told) == {401, 429}

    visited(play)


@contextmanager
def careless() -> Iterator[None]:
    """Let whatever is written be for everybody, as some machines have it."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def test_nobody_else_on_the_machine_reads_the_token() -> None:
    async def play(door: Door, world: World) -> None:
        with careless():
            door.keys.renew()
        token = world.directory / "surefoot.token"
        assert token.stat().st_mode & 0o777 == 0o600

    visited(play)


def test_a_token_that_others_could_read_is_none() -> None:
    async def play(door: Door, world: World) -> None:
        (world.directory / "surefoot.token").chmod(0o640)
        with pytest.raises(TokenUnusable, match="chmod 600"):
            door.keys.ensure()

    visited(play)


def test_nothing_is_done_that_a_token_does_not_allow() -> None:
    async def play(door: Door, _world: World) -> None:
        for wish, scope, status in (
            (CLOSE, Scope.READ, 403),
            (CLOSE, Scope.OPERATE, 403),
            (PAUSE, Scope.READ, 403),
            ({**CLOSE, "confirm": "bto"}, Scope.ADMIN, 409),
        ):
            headers = door.bearer(scope) | KEY
            reply = await door.ask(COMMANDS, "POST", headers=headers, given=wish)
            assert reply.status == status, reply.text

    visited(play)


def test_no_body_fills_the_memory() -> None:
    async def play(door: Door, _world: World) -> None:
        unmeasured = {"Content-Length": "", "Transfer-Encoding": "chunked"}
        for headers, body, status in (
            ({}, b"x" * (BODY_MAX + 1), 413),
            (unmeasured, b"x" * (BODY_MAX + 1), 411),
            ({"Content-Length": "0x10"}, b"x", 411),
        ):
            asked = door.bearer() | KEY | headers
            reply = await door.ask(COMMANDS, "POST", headers=asked, body=body)
            assert reply.status == status, headers

    visited(play)


def test_no_page_holds_all_there_is() -> None:
    async def play(door: Door, _world: World) -> None:
        for path in ("/api/v1/records?limit=100000", "/api/v1/records?limit=-1"):
            assert (await door.ask(path, headers=door.bearer())).status == 422

    visited(play)


def test_a_wish_that_is_said_twice_is_one() -> None:
    """The page did not hear the answer; by then there is nothing left to close."""

    async def play(door: Door, world: World) -> None:
        headers = door.bearer() | KEY
        told = []
        for _ in range(3):
            told.append(await door.ask(COMMANDS, "POST", headers=headers, given=CLOSE))
            await world.sleep(30)
        assert [each.status for each in told] == [200] * 3, told
        assert {each.document["status"] for each in told} == {"done"}
        assert len(rows(world, "SELECT command_id FROM commands")) == 1

    visited(play, harmless=False)


def test_an_answer_that_was_given_is_no_mistake_when_it_is_given_again() -> None:
    """By then nothing is frozen any more: refused, it would look as if it had not been taken."""

    async def play(world: World) -> None:
        await frozen(world)
        how = {"arguments": {"how": "flat"}}
        wish = {"kind": "resolve", "target": "bot-1", "confirm": "bot-1", **how}
        async with Door(world).open() as door:
            await world.sleep(5)
            for _ in range(2):
                reply = await door.ask(COMMANDS, "POST", headers=door.bearer() | KEY, given=wish)
                assert (reply.status, reply.document["status"]) == (200, "done"), reply
                await world.sleep(10)

    lived(bot("bot"), play)


def test_a_key_is_of_one_wish() -> None:
    """Answered with what became of another one, a page shows a pause where somebody said go on."""

    async def play(door: Door, world: World) -> None:
        headers = door.bearer() | KEY
        assert (await door.ask(COMMANDS, "POST", headers=headers, given=PAUSE)).status == 200
        resume = {"kind": "resume", "target": "bot"}
        reply = await door.ask(COMMANDS, "POST", headers=headers, given=resume)
        assert reply.status == 409
        assert rows(world, "SELECT kind FROM commands") == [("pause",)]

    visited(play, harmless=False)


def test_what_an_exchange_writes_forges_no_line_of_a_page() -> None:
    async def play(door: Door, world: World) -> None:
        message = "no\x1b[2J\nall is \u202ewell"
        fault = {"on": "order.send", "times": 0, "code": -1013, "message": message}
        world.simulator.armory.arm("reject", fault)
        reply = await door.ask(COMMANDS, "POST", headers=door.bearer() | KEY, given=CLOSE)
        await world.sleep(30)
        for path in ("/api/v1/records?limit=200", "/api/v1/status", "/api/v1/review"):
            reply = await door.ask(path, headers=door.bearer())
            for strange in ("\\u001b", "\\u202e", "\u202e", "no\\n"):
                assert strange not in reply.text, (path, reply.text)

    visited(play, harmless=False)
