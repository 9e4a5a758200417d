"""What the commands of an operator answer: 0 only for what is done."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import START, D, Life, fill, report
from tests.unit.journal.test_review import MAIN, Served, held

from surefoot.cli import post as posting
from surefoot.cli.naming import find
from surefoot.cli.outcome import FAILED, FINE, REVIEW
from surefoot.cli.resolve import resolve
from surefoot.config import ConfigError
from surefoot.core.account_records import RecoveryFinished
from surefoot.core.errors import InvalidValue, SurefootError
from surefoot.core.health import HealthState
from surefoot.core.signals import Close, Freeze
from surefoot.journal.port import Append, Change, Command, Verdict, position_stream


class Obedient(Served):
    """A journal whose server answers every command as a test says, or never."""

    def __init__(self, status: str | None, *, server: bool = True) -> None:
        super().__init__(server=server)
        self.status = status
        self.obeyed: list[Command] = []
        self.then: list[Any] = []

    async def post(self, command: Command) -> bool:
        self.obeyed.append(command)
        await super().post(command)
        await self.take_commands(at=START)
        if self.status is not None:
            verdict = Verdict(command_id=command.command_id, status=self.status, result="so")
            await self.commit(Change(at=START, verdicts=(verdict,)))
        for act in self.then:
            await act
        return True


def options(journal: Served) -> Any:
    bot = SimpleNamespace(account=MAIN)
    settings = SimpleNamespace(bots={"dip-btc": bot, "new": bot})
    return SimpleNamespace(reader=lambda: journal, settings=lambda **_: settings, json=False)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_WAIT_S", "_RECOVERY_S", "_SETTLE_S"):
        monkeypatch.setattr(posting, name, 0.0)


async def place(journal: Served, life: Life | None = None) -> None:
    await journal.keep(life or held())
    await journal.stand(HealthState.OK, watched=True)


async def answer(journal: Served, kind: str, target: str = "dip-btc") -> int:
    return await posting._post(options(journal), kind, target, {})


@pytest.mark.parametrize(
    ("status", "server", "code", "said"),
    [
        ("done", True, FINE, "Done: so."),
        ("refused", True, FAILED, "Refused: so"),
        (None, True, FAILED, "NOT done yet: the server has not answered."),
        (None, False, FAILED, "NOT done: no server runs."),
    ],
)
async def test_what_was_only_heard_is_no_success(
    capsys: pytest.CaptureFixture[str], status: str | None, server: bool, code: int, said: str
) -> None:
    """A pause that nobody carried out answered 0, and the bot traded on."""
    journal = Obedient(status, server=server)
    await place(journal)
    assert await answer(journal, "pause") == code
    assert said in capsys.readouterr().out


async def test_close_is_done_when_nothing_is_held(capsys: pytest.CaptureFixture[str]) -> None:
    journal, life = Obedient("done"), held()
    await place(journal, life)
    assert await answer(journal, "close") == FAILED
    assert "NOT closed yet, 0.0016 BTC are still held." in capsys.readouterr().out
    before, version = life.position, len(life.records)
    life.tell(Close(by="ann"))
    life.tell(
        report(life.order, "FILLED", life.order.quantity), fill(life.order, "50000", trade="2")
    )
    append = Append(
        stream=position_stream(before.position_id),
        expected=version,
        records=tuple(life.records[version:]),
        position=life.position,
    )
    journal.then = [journal.commit(Change(at=START, appends=(append,)))]
    assert await answer(journal, "close") == FINE
    assert "Done: dip-btc-1 is closed." in capsys.readouterr().out


async def test_a_close_is_for_what_is_held_when_it_is_posted() -> None:
    """Two who close at once must not close what the bot bought in between."""
    journal = Obedient("done")
    await place(journal)
    await answer(journal, "close")
    assert journal.obeyed[-1].target == "dip-btc-1"


@pytest.mark.parametrize(
    ("outcome", "frozen", "code"),
    [("complete", False, FINE), ("complete", True, REVIEW), ("failed", False, FAILED)],
)
async def test_recover_waits_for_what_it_came_to(
    capsys: pytest.CaptureFixture[str], outcome: str, frozen: bool, code: int
) -> None:
    """That recovery is starting answered 0, whatever became of it."""
    journal, life = Obedient("done"), held()
    if frozen:
        life.tell(Freeze(reason="look"))
    await place(journal, life)
    assert await answer(journal, "recover") == FAILED
    finished = RecoveryFinished(
        at=START,
        account=MAIN,
        outcome=outcome,
        positions={},
        orders_cancelled=0,
        fills_booked=0,
        bots_restarted=1,
        bots_in_review={},
        requests=1,
        weight=1,
        seconds=D(1),
    )
    journal.then = [journal.add("account/main", finished)]
    assert await answer(journal, "recover") == code
    printed = capsys.readouterr().out
    assert f"main: Recovery {outcome}" in printed
    assert ("dip-btc-1 is frozen: look" in printed) == frozen


async def test_both_names_are_taken_and_a_typo_names_the_nearest() -> None:
    journal = Obedient("done")
    await place(journal)
    assert await answer(journal, "pause", "dip-btc-1") == FINE
    assert journal.obeyed[-1].target == "dip-btc"
    assert (await find(journal, "new", ("new",))).position is None
    with pytest.raises(InvalidValue, match=r"position dip-bct; did you mean dip-btc\?"):
        await answer(journal, "pause", "dip-bct")
    with pytest.raises(InvalidValue, match="no bot or position zzz; there are dip-btc, new, dip"):
        await answer(journal, "close", "zzz")


class TestResolve:
    """`--filled` shows what it would book, and asks."""

    def run(self, life: Life, **words: Any) -> tuple[int, list[Command]]:
        journal = Obedient("done")
        asyncio.run(place(journal, life))
        code = resolve("dip-btc", options=options(journal), **words)
        return code, journal.obeyed

    def doubt(self) -> Life:
        life = Life()
        life.enter()
        return life

    def test_what_does_not_fit_is_not_even_posted(self) -> None:
        with pytest.raises(SurefootError, match="refused: dip-btc-1 has no order in doubt"):
            self.run(held(), filled="0.001@50000", yes=True)

    def test_a_script_says_yes(self) -> None:
        with pytest.raises(ConfigError, match="say --yes in a script"):
            self.run(self.doubt(), filled="0.001@50000")
        code, (posted,) = self.run(self.doubt(), filled="0.001@50000", yes=True)
        assert code == FINE
        assert posted.target == "dip-btc-1"
        assert posted.arguments == {"how": "filled", "quantity": "0.001", "price": "50000"}

    @pytest.mark.parametrize(("said", "posted"), [("y", 1), ("", 0), ("no", 0)])
    def test_a_person_is_shown_what_would_be_booked(
        self,
        said: str,
        posted: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda _question: said)
        code, commands = self.run(self.doubt(), filled="0.001@50000")
        assert len(commands) == posted
        assert code == (FINE if posted else FAILED)
        printed = capsys.readouterr().out
        assert "a buy of 0.0016 BTC, would be booked as filled: 0.001 at 50000." in printed

    def test_adopt_asks_nothing(self) -> None:
        life = held()
        life.tell(Freeze(reason="look"))
        assert self.run(life, adopt=True)[0] == FINE
