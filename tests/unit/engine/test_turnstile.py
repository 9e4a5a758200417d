"""A few at a time: what comes in does not wait for all who want to do something."""

from __future__ import annotations

import asyncio

from tests.unit.engine.clock import turns

from surefoot.engine.turnstile import A_TURN, Turnstile


async def test_a_few_pass_in_a_turn_and_all_in_their_order() -> None:
    """Catches a thousand strategies asked in one turn, while prices wait for the last of them."""
    gate, passed = Turnstile(), list[int]()

    async def pass_through(number: int) -> None:
        await gate.come()
        passed.append(number)

    counts = []
    async with asyncio.TaskGroup() as tasks:
        for number in range(3 * A_TURN):
            tasks.create_task(pass_through(number))
        while len(passed) < 3 * A_TURN:
            before = len(passed)
            await turns(1)
            counts.append(len(passed) - before)
    assert max(counts) == A_TURN
    assert passed == list(range(3 * A_TURN))


async def test_whoever_is_gone_leaves_the_place_to_the_next() -> None:
    gate = Turnstile()
    for _ in range(A_TURN):
        await gate.come()
    async with asyncio.TaskGroup() as tasks:
        gone = tasks.create_task(gate.come())
        for _ in range(A_TURN):
            tasks.create_task(gate.come())
        await turns(1)
        gone.cancel()
