"""An operator's answer is no answer to what was found only after it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import START
from tests.unit.engine.desk import DIP, PoisonableJournal
from tests.unit.engine.test_supervisor import House, serving
from typing_extensions import override

from surefoot.journal.port import Setback


class PutBack(PoisonableJournal):
    """A journal of which was found, a second after it began, that it went back in time."""

    @property
    @override
    def setback(self) -> Setback:
        why = "the journal went back in time"
        return Setback(at=START + timedelta(seconds=1), sequence=0, why=why, lost=True)


@pytest.mark.parametrize(
    ("kind", "target"), [("resume", DIP), ("resume-all", "all"), ("resolve", DIP)]
)
async def test_no_answer_is_older_than_its_question(kind: str, target: str) -> None:
    """World 192: a resume from before went through again on a journal that had been put back."""
    house = House(PutBack())
    name = await house.post(kind, target)
    async with serving(house):
        await house.clock.advance(2)
        status, result = await house.answer(name)
        assert (status, str(result)[:27]) == ("refused", "it was said before this was")
        assert (await house.done("resume"))[0] == "done"
        assert house.account.roster.refusal(DIP) is None
