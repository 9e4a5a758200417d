"""An operator in a world: what he types is carried out in its time, and what he reads is judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.simulation.judge import Judge
from tests.simulation.machine import simulate, story_of
from tests.simulation.plan import draw
from tests.simulation.reader import Reader
from tests.simulation.terminal import Answer, Terminal
from tests.simulation.test_situations import bot, lived
from tests.simulation.words import Words
from tests.simulation.world import World


def test_a_command_line_is_answered_in_the_time_of_its_world() -> None:
    """Reading takes no time; what a server has to do takes its time."""
    answers: list[Answer] = []
    took: list[float] = []

    async def play(world: World) -> None:
        terminal = Terminal(world)
        world.start()
        await world.sleep(20)
        for words in (["status"], ["close", "bot"], ["close", "bot"], ["status"]):
            began = world.now
            answers.append(await terminal.type(*words))
            took.append(world.now - began)
            if words[0] == "close":
                world.kill()
                await world.sleep(0)

    lived(bot("bot"), play)
    assert [each.code for each in answers] == [0, 0, 1, 0], answers
    assert "at the exchange" in answers[0].out
    assert "Done: bot-1 is closed." in answers[1].out
    assert "NOT done: no server runs." in answers[2].out
    assert took[0] == took[3] == 0
    assert 0 < took[1] < 10


@pytest.mark.parametrize(
    ("answer", "harm"),
    [
        ({"crash": "Traceback"}, "an operator was answered by a traceback"),
        ({"code": 7}, "an exit code means nothing"),
        ({"code": 1}, "it failed, and nobody was told"),
        ({"out": "fine\x1b[2J"}, "a line may be forged"),
        ({"out": '{"why": "a\\nb"}', "words": ("status", "--json")}, "a line may be forged"),
        ({"err": "signature=00"}, "a secret was told"),
    ],
)
def test_what_is_unfit_to_be_read_is_a_harm(answer: dict[str, object], harm: str) -> None:
    """Red without each of the rules."""
    harms: list[str] = []

    async def play(world: World) -> None:
        journal = world.directory / "surefoot.db"
        judge = Judge(journal, world.simulator.exchange, lambda: world.now)
        heard = Answer(words=("status",), code=0, out="", err="")
        Words(world, judge).heard(replace(heard, **answer))  # type: ignore[arg-type]
        harms.extend(each.kind for each in judge.harms)

    lived(bot("bot"), play)
    assert harms == [harm]


def test_what_others_said_while_somebody_waited_is_not_his_nonsense() -> None:
    """The terminal was taken, and an operator's command came into the inbox meanwhile."""
    harms: list[str] = []

    async def play(world: World) -> None:
        judge = Judge(world.directory / "surefoot.db", world.simulator.exchange, lambda: world.now)
        reader = Reader(world, draw(1), judge)
        world.start()
        await world.sleep(20)
        async with reader.terminal.free:
            waiting = asyncio.create_task(reader.talk_nonsense("bot"))
            await world.sleep(1)
            await world.post("one", "pause", "bot", {})
        await waiting
        harms.extend(each.kind for each in judge.harms)

    lived(bot("bot"), play)
    assert not harms


def test_a_world_with_somebody_at_a_terminal_ends_without_harm() -> None:
    verdict = simulate(draw(4, {"reads": 20.0, "types": 15.0, "crash": 60.0}).only(None, 120.0))
    assert not verdict.harms, story_of(verdict)
    assert verdict.counts["trouble reads"] > 1
    assert verdict.counts["trouble types"] > 1
