"""Ten bots on paper over recorded prices: program, mirror and venue go and return.

In the end every cent and every satoshi of the paper account is explained by its trades, the journal
has booked exactly those, and `profit --check` says so. A week of it: `make paper-week`.
"""

from __future__ import annotations

import pytest
from tests.simulation.paper_week import DAY_S, live_through


def test_every_cent_on_paper_is_explained_whoever_was_away() -> None:
    """Red with a fill that is not booked, and with one that the account has forgotten."""
    lived = live_through(1, 5_400, 600)
    assert lived.wrong == ()
    # It was no quiet hour.
    assert sum(lived.happened.values()) >= 3
    assert lived.starts > 1
    assert lived.trades >= 3


@pytest.mark.slow
def test_every_cent_of_a_day_is_explained() -> None:
    """With everything that may go wrong, stops and limit orders that were filled meanwhile too."""
    lived = live_through(1, DAY_S, 1_800)
    assert lived.wrong == ()
    assert lived.happened.keys() == {"kill", "stop", "mirror", "outage", "both"}
    assert min(lived.stops_filled, lived.limits_filled, lived.positions) > 10
    assert lived.busy_bots >= 8
