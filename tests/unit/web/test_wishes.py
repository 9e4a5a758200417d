"""A command is posted once, and its verdict comes back to whoever asks again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import START, Life
from tests.unit.web.desk import Desk, lived, status

from surefoot.core.signals import Adopt, Freeze
from surefoot.journal.port import Change, Journal, Verdict
from surefoot.web import Scope, wishes
from surefoot.web.answers import BotShown

FILLED: dict[str, Any] = {
    "kind": "resolve", "target": "a-1", "confirm": "a-1",
    "arguments": {"how": "filled", "quantity": "1", "price": "2"},
}  # fmt: skip
NEW = BotShown(
    bot="new", account="main", symbol="BTC/USDT", strategy="none", notional="1", stop_loss=None,
    take_profit=None, break_even=None, trailing_stop=None, stop_at="exchange",
)  # fmt: skip
PAUSE = {"kind": "pause", "target": "dip-btc", "arguments": {"reason": "lunch"}}


async def wish(desk: Desk, key: str, what: dict[str, Any]) -> tuple[int, Any]:
    return await desk.ask("/api/v1/commands", "POST", json=what, headers={"Idempotency-Key": key})


async def test_a_command_waits_in_the_inbox_and_nowhere_else(desk: Desk, journal: Journal) -> None:
    before = await journal.records()
    code, answer = await wish(desk, "first-key", PAUSE)
    assert (code, answer["status"], answer["serving"]) == (200, "posted", True)
    assert await journal.records() == before
    assert await journal.commands() == ()
    await journal.take_commands(at=START)
    (command,) = await journal.commands()
    assert (command.command_id, command.kind, command.target) == (
        "web-first-key", "pause", "dip-btc",
    )  # fmt: skip
    assert (command.actor, command.arguments) == ("dashboard (admin)", {"reason": "lunch"})


async def test_the_same_key_is_the_same_command(desk: Desk, journal: Journal) -> None:
    """A page that did not hear the answer asks again, before and after it was carried out."""
    for _ in range(2):
        await wish(desk, "same-key", PAUSE)
    await journal.take_commands(at=START)
    assert len(await journal.commands()) == 1
    verdict = Verdict(command_id="web-same-key", status="done", result="dip-btc is PAUSED")
    await journal.commit(Change(at=START, verdicts=(verdict,)))
    code, answer = await wish(desk, "same-key", PAUSE)
    assert (code, answer["status"], answer["result"]) == (200, "done", "dip-btc is PAUSED")
    await journal.take_commands(at=START)
    assert len(await journal.commands()) == 1
    assert (await desk.ask("/api/v1/commands/web-same-key"))[1]["status"] == "done"
    other = {**PAUSE, "kind": "resume"}
    assert (await wish(desk, "same-key", other))[0] == 409


async def test_a_close_is_for_what_is_held_when_it_is_posted(desk: Desk, journal: Journal) -> None:
    """Catches a close by a bot's name that sells what the bot bought after it was posted."""
    held = await journal.position("dip-eth")
    assert held is not None
    close = {"kind": "close", "target": "dip-eth", "confirm": "dip-eth"}
    await wish(desk, "close-key", close)
    await journal.take_commands(at=START)
    (command,) = await journal.commands()
    assert (command.kind, command.target) == ("close", held.position_id)
    assert (await wish(desk, "close-key", close))[0] == 200
    other = {"kind": "close", "target": "dip-btc", "confirm": "dip-btc"}
    assert (await wish(desk, "close-key", other))[0] == 409


async def test_the_button_of_a_bad_day_is_for_whoever_operates(
    desk: Desk, journal: Journal
) -> None:
    """It needs no typing, only the scope; and it is about every bot or it is nothing."""
    everybody = {"kind": "stop-all", "target": "all"}
    head = {"Idempotency-Key": "bad-day-1"}
    post = ("/api/v1/commands", "POST")
    assert (await desk.ask(*post, json=everybody, headers=head, scope=Scope.READ))[0] == 403
    assert (await desk.ask(*post, json=everybody, headers=head, scope=Scope.OPERATE))[0] == 200
    for target in ("dip-btc", "ALL"):
        code, answer = await wish(desk, f"bad-day-{target}", {**everybody, "target": target})
        assert (code, "'all'" in answer["error"]) == (422, True)
    await journal.take_commands(at=START)
    assert [(each.kind, each.target) for each in await journal.commands()] == [("stop-all", "all")]


async def test_lifting_the_loss_of_a_day_is_for_the_owner_and_is_confirmed(
    desk: Desk, journal: Journal
) -> None:
    """It lets an account lose as much once more."""
    lift = {"kind": "lift", "target": "main", "confirm": "main"}
    head = {"Idempotency-Key": "lift-once"}
    post = ("/api/v1/commands", "POST")
    assert (await desk.ask(*post, json=lift, headers=head, scope=Scope.OPERATE))[0] == 403
    assert (await wish(desk, "lift-once", {**lift, "confirm": "other"}))[0] == 409
    assert (await wish(desk, "lift-once", lift))[0] == 200
    await journal.take_commands(at=START)
    assert [(each.kind, each.target) for each in await journal.commands()] == [("lift", "main")]


async def test_a_reason_that_forges_a_line_is_none(desk: Desk, journal: Journal) -> None:
    """It was a broken answer (500). What people write in any language is one."""
    for number, reason in enumerate(("lunch\nFROZEN", "a\u2028b", "\u202eb", "", "a" * 201)):
        forged = {**PAUSE, "arguments": {"reason": reason}}
        code, answer = await wish(desk, f"two-lines-{number}", forged)
        assert (code, "reason" in answer["error"]) == (422, True), reason
    for number, reason in enumerate(
        ("Mittagspause \u2013 gleich zur\u00fcck", "\u5348\u98ef\u3000\U0001f35c")
    ):
        meant = {**PAUSE, "arguments": {"reason": reason}}
        assert (await wish(desk, f"any-language-{number}", meant))[0] == 200
    await journal.take_commands(at=START)
    assert len(await journal.commands()) == 2


async def test_what_is_plainly_refused_is_not_posted(desk: Desk) -> None:
    """A command that is one, and is about nothing, mistyped, or no answer to how things are."""
    held = "dip-eth-1"
    flat = {"kind": "resolve", "target": held, "arguments": {"how": "flat"}, "confirm": held}
    close = {"kind": "close", "target": "dip-eth", "confirm": "dip-eth"}
    for what, expected, said in (
        ({"kind": "pause", "target": "dip-bct"}, 404, "no bot or position dip-bct"),
        ({**close, "target": "nobody", "confirm": "nobody"}, 404, "no bot or position nobody"),
        ({"kind": "lift", "target": "mian", "confirm": "mian"}, 404, "no account mian"),
        ({**close, "confirm": "dip-et"}, 409, "repeating dip-eth"),
        (flat, 409, "dip-eth-1 is not frozen"),
    ):
        code, answer = await wish(desk, "not-posted", what)
        assert (code, said in answer["error"]) == (expected, True), answer
    assert not (desk.directory / "surefoot.db.inbox").exists()


async def test_a_bot_that_is_only_configured_can_be_paused(desk: Desk) -> None:
    """Its account was never reached, so the journal has not heard of it."""
    await wish(desk, "unheard-of", {"kind": "pause", "target": "new"})
    desk.shown = replace(desk.shown, bots=[NEW])
    code, answer = await wish(desk, "unheard-of", {"kind": "pause", "target": "new"})
    assert (code, answer["target"]) == (200, "new")


async def test_who_asks_again_hears_what_was_done_although_it_no_longer_fits(
    desk: Desk, journal: Journal
) -> None:
    """Its own effect is no reason to refuse a command."""
    frozen = Life(bot="dip-sol")
    frozen.opened("50000")
    frozen.tell(Freeze(reason="the books differ"))
    await journal.commit(Change(at=START, appends=(status("dip-sol"), lived(frozen))))
    name = frozen.position.position_id
    word = {"kind": "resolve", "target": name, "arguments": {"how": "adopt"}, "confirm": name}
    assert (await wish(desk, "resolve-it", word))[0] == 200
    await journal.take_commands(at=START)
    known = len(frozen.records)
    frozen.tell(Adopt(by="operator"))
    verdict = Verdict(command_id="web-resolve-it", status="done", result=f"{name} is resolved")
    after = replace(lived(frozen), expected=known, records=tuple(frozen.records[known:]))
    await journal.commit(Change(at=START, appends=(after,), verdicts=(verdict,)))
    assert (await wish(desk, "resolve-it", word))[1]["status"] == "done"
    assert (await wish(desk, "once-more", word))[0] == 409


async def test_a_refusal_says_why(
    desk: Desk, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wishes, "PATIENCE_S", 30.0)
    asking = asyncio.get_running_loop().create_task(wish(desk, "wrong-one", PAUSE))
    async with asyncio.timeout(10):
        while not await journal.commands():
            await journal.take_commands(at=START)
            await asyncio.sleep(0.02)
    verdict = Verdict(command_id="web-wrong-one", status="refused", result="there is no bot")
    await journal.commit(Change(at=START, verdicts=(verdict,)))
    code, answer = await asking
    assert (code, answer["status"], answer["result"]) == (200, "refused", "there is no bot")


async def test_nonsense_is_not_posted(desk: Desk) -> None:
    for what in (
        {"kind": "sell-everything", "target": "dip-btc"},
        {"kind": "pause", "target": "../dip"},
        {"kind": "pause", "target": "dip-btc", "extra": 1},
        {"kind": "resolve", "target": "a-1", "confirm": "a-1", "arguments": {"how": "guess"}},
        {"kind": "resolve", "target": "a-1", "confirm": "a-1", "arguments": {"quantity": "-1"}},
        {"kind": "resolve", "target": "a-1", "confirm": "a-1"},
        {"kind": "resolve", "target": "a-1", "confirm": "a-1", "arguments": {"how": "filled"}},
        {**FILLED, "arguments": {**FILLED["arguments"], "price": "0.0"}},
        {**FILLED, "arguments": {**FILLED["arguments"], "quantity": "0"}},
        {"kind": "close", "target": "dip-btc"},
        {"kind": "stop-all", "target": "all", "arguments": {"reason": "lunch"}},
    ):
        assert (await wish(desk, "some-key-1", what))[0] == 422
    code, _ = await desk.ask("/api/v1/commands", "POST", json=PAUSE)
    assert code == 422  # without a key a repeat would be a second command
    assert not (desk.directory / "surefoot.db.inbox").exists()
