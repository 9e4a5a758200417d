"""What has just struck is known to whoever asks right then, and not at the next look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.simulation.weather import Weather


@pytest.mark.parametrize("kind", ["fault", "trouble"])
def test_what_has_just_struck_is_no_fair_weather(kind: str) -> None:
    """An order that followed a lost answer within the same five seconds was judged as if calm."""
    fault = SimpleNamespace(
        name="lose_response", operation="order.send", fault_id=1, hits=0, number=lambda *_: 0.0
    )
    counts: dict[str, int] = {}
    armory = SimpleNamespace(outage=False, history=[fault], faults={1: fault})
    world: Any = SimpleNamespace(
        now=1000.0,
        up_since=0.0,
        story=SimpleNamespace(counts=counts),
        simulator=SimpleNamespace(armory=armory),
    )
    weather = Weather(world)
    weather.look()
    assert weather.fair_since == 0
    world.now += 1
    if kind == "fault":
        fault.hits = 1
    else:
        counts["trouble break"] = 1
    assert weather.fair_since > world.now
