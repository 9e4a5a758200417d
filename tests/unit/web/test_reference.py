"""`docs/api.md` is what the server says of itself, and names every metric too."""

from __future__ import annotations

import re

from benchmarks.api_reference import PAGE, described, reference
from tests.architecture.tree import ROOT
from tests.unit.web.desk import Desk


def test_the_page_is_what_the_server_says_of_itself() -> None:
    """After a change of the API: python benchmarks/api_reference.py."""
    assert PAGE.read_text(encoding="utf-8") == reference(described())


async def test_every_metric_is_explained_and_every_alert_asks_for_one_that_exists(
    desk: Desk,
) -> None:
    _, text = await desk.ask("/metrics")
    told = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(surefoot_\w+)", page, re.MULTILINE))
    assert explained == told
    asked = set(re.findall(r"surefoot_\w+", "\n".join(re.findall(r"expr: (.*)", page))))
    assert asked <= told
    assert len(asked) > 3
