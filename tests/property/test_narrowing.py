"""What one order may carry and what the account has change: the stop shrinks and grows.

Broken on purpose, and red here: a smaller order that nobody believes.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.narrowing import NARROWING, Narrowing
from tests.property.test_core_machine import CALM, adds_up, agrees, closed_by, nothing_new

from surefoot.core.position import State

STORIES = st.lists(
    st.tuples(st.sampled_from(range(len(NARROWING))), st.integers(0, 4095)),
    min_size=25,
    max_size=70,
)


def test_a_stop_that_shrinks_and_grows_is_the_truth_in_the_end() -> None:
    """S2 S3 S6 S13 S21, with amendments that are done, refused, lost, late or never asked again."""
    seen: set[str] = set()

    @settings(CALM, max_examples=250)
    @given(story=STORIES)
    def stories(story: list[tuple[int, int]]) -> None:
        world = Narrowing()
        for move, n in story:
            NARROWING[move](world, n)
            world.check()
        world.settle()
        world.check()
        for life in world.lives:
            agrees(world, life)
        adds_up(world)
        nothing_new(world)
        world.allow(None)
        closed_by(world, 6)
        assert world.life.position.state in {State.FLAT, State.CLOSED}
        adds_up(world)
        seen.update(world.seen)

    stories()
    wanted = {"amend-intended", "amend-refused", "order-amended", "amended", "not amended"}
    assert seen >= wanted, f"the stories never told of {sorted(wanted - seen)}"
