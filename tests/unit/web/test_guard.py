"""What stands between the API and everybody who is not meant. Each test names its attacker."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from tests.unit.web.desk import Desk, HandClock

from surefoot.core.errors import InvalidValue
from surefoot.web import Keys, Scope
from surefoot.web.guard import BODY_MAX, PROOF_HEADER
from surefoot.web.keys import SESSION_LASTS, TokenUnusable
from surefoot.web.settings import DEFAULT_LISTEN, WebSettings, read_listen
from surefoot.web.throttle import FAILURES_MAX, FAILURES_MAX_ALL, WINDOW_S, Throttle

PAUSE = {"kind": "pause", "target": "dip-btc"}
KEY = {"Idempotency-Key": "12345678"}
PUBLIC = {("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/api/v1/session")}


def routes(desk: Desk) -> set[tuple[str, str]]:
    """Return every route and method that the application has, but the dashboard's files."""
    paths = desk.board_app.openapi()["paths"]
    found = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert len(found) > 15
    return found


async def test_every_route_and_method_needs_a_token(desk: Desk) -> None:
    """Whoever has none sees nothing; a route added without thinking is refused by default."""
    for method, path in routes(desk) - PUBLIC:
        for method_ in {method, "GET", "POST", "PUT", "DELETE", "PATCH"}:
            if (method_, path) in PUBLIC:
                continue
            code, answer = await desk.ask(path, method_, scope=None)
            assert code == 401, (method_, path, answer)
    assert (await desk.ask("/api/v1/openapi.json", scope=None))[0] == 401
    assert (await desk.ask("/metrics", scope=None))[0] == 401


async def test_another_host_name_is_refused(desk: Desk) -> None:
    """DNS rebinding: a page of evil.test whose name now leads here."""
    for path in ("/", "/healthz", "/api/v1/status"):
        for host in ("evil.test", f"evil.test:{desk.port}", "127.0.0.1", "127.0.0.1:1"):
            assert (await desk.ask(path, headers={"Host": host}))[0] == 421
    assert (await desk.ask("/healthz", headers={"Host": f"localhost:{desk.port}"}))[0] == 200


async def test_another_page_cannot_change_anything(desk: Desk) -> None:
    """CSRF, also from another port of this machine: SameSite lets that page's requests through."""
    browser = await desk.log_in()
    neighbour = {**browser, "Origin": "http://127.0.0.1:9999", PROOF_HEADER: desk.proof, **KEY}
    no_origin = {key: value for key, value in neighbour.items() if key != "Origin"}
    no_proof = {**browser, **KEY}
    wrong_proof = {**browser, **KEY, PROOF_HEADER: "0" * 64}
    for headers in (neighbour, no_origin, no_proof, wrong_proof):
        code, answer = await desk.ask(
            "/api/v1/commands", "POST", scope=None, headers=headers, json=PAUSE
        )
        assert code == 403, answer
    from_elsewhere = {**browser, "Sec-Fetch-Site": "same-site"}
    assert (await desk.ask("/api/v1/status", scope=None, headers=from_elsewhere))[0] == 403
    assert await desk.board.journal.commands() == ()
    assert not (desk.directory / "surefoot.db.inbox").exists()


async def test_a_browser_that_logged_in_may_do_what_its_token_allows(desk: Desk) -> None:
    browser = await desk.log_in(Scope.OPERATE)
    assert (await desk.ask("/api/v1/status", scope=None, headers=browser))[0] == 200
    code, answer = await desk.ask(
        "/api/v1/commands", "POST", scope=None, json=PAUSE,
        headers={**browser, **KEY, PROOF_HEADER: desk.proof},
    )  # fmt: skip
    assert (code, answer["status"]) == (200, "posted")


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk) -> None:
    async with desk.client.post(
        f"{desk.origin}/api/v1/session",
        json={"token": desk.keys.token(Scope.ADMIN)},
        headers={"Origin": desk.origin},
    ) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert desk.keys.token(Scope.ADMIN) not in cookie


async def test_a_session_ends_with_its_time_and_with_its_token(
    desk: Desk, clock: HandClock
) -> None:
    browser = await desk.log_in()
    forged = browser["Cookie"].replace("=admin.", "=read.")
    assert (await desk.ask("/api/v1/status", scope=None, headers={"Cookie": forged}))[0] == 401
    clock.ahead = SESSION_LASTS - timedelta(minutes=1)
    assert (await desk.ask("/api/v1/status", scope=None, headers=browser))[0] == 200
    clock.ahead = SESSION_LASTS + timedelta(minutes=1)
    assert (await desk.ask("/api/v1/status", scope=None, headers=browser))[0] == 401
    browser = await desk.log_in()
    desk.keys.renew()
    assert (await desk.ask("/api/v1/status", scope=None, headers=browser))[0] == 401


async def test_scopes_are_kept(desk: Desk) -> None:
    """A token to look with cannot touch, and one to operate with cannot move money."""
    close = {"kind": "close", "target": "dip-btc", "confirm": "dip-btc"}
    for scope, wish, expected in (
        (Scope.READ, PAUSE, 403),
        (Scope.OPERATE, close, 403),
        (Scope.OPERATE, PAUSE, 200),
        (Scope.ADMIN, close, 200),
        (Scope.ADMIN, {**close, "confirm": "dip-bt"}, 409),
        (Scope.ADMIN, {"kind": "close", "target": "dip-btc"}, 422),
    ):
        headers = {"Idempotency-Key": f"{scope}-{wish['kind']}-{expected}"}
        code, answer = await desk.ask(
            "/api/v1/commands", "POST", scope=scope, json=wish, headers=headers
        )
        assert code == expected, answer


async def test_tokens_cannot_be_tried_for_long(desk: Desk, clock: HandClock) -> None:
    """After a few wrong ones even the right one waits, and it is said for how long."""
    headers = {"Origin": desk.origin}
    for _ in range(FAILURES_MAX):
        code, _ = await desk.ask(
            "/api/v1/session", "POST", scope=None, json={"token": "wrong"}, headers=headers
        )
        assert code == 401
    right = {"token": desk.keys.token(Scope.ADMIN)}
    async with desk.client.post(
        f"{desk.origin}/api/v1/session", json=right, headers=headers
    ) as answer:
        assert answer.status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= WINDOW_S + 1
    assert (await desk.ask("/api/v1/status"))[0] == 429
    clock.ahead += timedelta(seconds=WINDOW_S + 1)
    assert (await desk.ask("/api/v1/status"))[0] == 200


def test_tokens_cannot_be_tried_for_long_from_ever_new_addresses() -> None:
    throttle = Throttle()
    for number in range(FAILURES_MAX_ALL):
        assert throttle.wait_s(f"10.0.0.{number}", 0.0) == 0
        throttle.failed(f"10.0.0.{number}", 0.0)
    assert throttle.wait_s("10.0.1.1", 1.0) == WINDOW_S - 1


async def test_a_body_has_a_limit(desk: Desk) -> None:
    big = b"x" * (BODY_MAX + 1)
    assert (await desk.ask("/api/v1/commands", "POST", data=big))[0] == 413

    async def endless() -> object:
        yield big

    assert (await desk.ask("/api/v1/commands", "POST", data=endless()))[0] == 411
    assert (await desk.ask("/api/v1/records?limit=100000"))[0] == 422


async def test_every_answer_is_hardened(desk: Desk) -> None:
    """Refusals too: a browser decides by the headers of whatever it gets."""
    for path, host in (
        ("/", None), ("/healthz", None), ("/api/v1/nothing", None), ("/api/v1/status", None),
        ("/", "evil.test"), ("/../../etc/passwd", None), ("/assets/none.js", None),
    ):  # fmt: skip
        headers = {} if host is None else {"Host": host}
        async with desk.client.get(f"{desk.origin}{path}", headers=headers) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe-inline" not in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Server" not in answer.headers


async def test_no_answer_holds_the_token_or_repeats_what_was_sent(desk: Desk) -> None:
    secret = desk.keys.token(Scope.ADMIN)
    texts = []
    for method, path in routes(desk):
        address = re.sub(r"\{[^}]+\}", "1", path)
        async with desk.client.request(
            method, desk.origin + address, headers=desk.bearer()
        ) as answer:
            texts.append(await answer.text() + repr(answer.headers))
    canary = "canary" * 40
    for body in ({"token": canary}, {"kind": canary, "target": canary}):
        for path in ("/api/v1/session", "/api/v1/commands"):
            _, answer = await desk.ask(path, "POST", json=body, headers=KEY)
            texts.append(str(answer))
    assert secret not in "".join(texts)
    assert canary not in "".join(texts)


async def test_a_stranger_cannot_listen(desk: Desk) -> None:
    """Neither without a token, nor as another page in a browser that has one."""
    browser = await desk.log_in()
    address = f"{desk.origin}/api/v1/live"
    no_origin = {"Cookie": browser["Cookie"]}
    for headers in (
        {}, {"Origin": desk.origin}, no_origin, {**browser, "Origin": "http://evil.test"},
        {**browser, "Origin": "http://127.0.0.1:9999"}, {**browser, "Host": "evil.test"},
    ):  # fmt: skip
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await desk.client.ws_connect(address, headers=headers)
        assert refusal.value.status == 403
    async with desk.client.ws_connect(address, headers=browser) as socket:
        assert (await socket.receive_json())["cursor"] > 0


def test_the_token_is_drawn_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "surefoot.token"
    before = os.umask(0)
    try:
        Keys(path).ensure()
    finally:
        os.umask(before)
    token = Keys(path).token(Scope.ADMIN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(token) >= 22  # 128 bits
    Keys(path).ensure()
    assert Keys(path).token(Scope.ADMIN) == token
    path.chmod(0o640)
    with pytest.raises(TokenUnusable, match="chmod 600"):
        Keys(path).ensure()
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(TokenUnusable, match="--new"):
        Keys(path).token(Scope.READ)


def test_tokens_of_less_are_no_tokens_of_more(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "surefoot.token")
    keys.ensure()
    assert {keys.scope_of(keys.token(scope)) for scope in Scope} == set(Scope)
    assert keys.token(Scope.ADMIN) not in keys.token(Scope.OPERATE)
    assert keys.scope_of("") is None
    assert keys.scope_of("ünï") is None


def test_it_listens_to_this_machine_unless_told_and_then_says_what_that_means() -> None:
    host, port = read_listen(DEFAULT_LISTEN)
    assert WebSettings(enabled=True, host=host, port=port).exposure is None
    for text in ("0.0.0.0:8770", "[::]:8770", "192.168.1.2:1"):
        host, port = read_listen(text)
        exposure = WebSettings(enabled=True, host=host, port=port).exposure
        assert exposure is not None
        assert "unencrypted" in exposure
    for text in ("8770", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "example.org:80", ":80"):
        with pytest.raises(InvalidValue):
            read_listen(text)
