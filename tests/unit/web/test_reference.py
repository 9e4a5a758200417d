"""`docs/api.md` is what the server says of itself, and names every metric too."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from benchmarks.api_reference import PAGE, described, reference
from tests.architecture.tree import ROOT
from tests.unit.web.desk import Desk

from surefoot.web.application import SHAPES, examples


def test_the_page_is_what_the_server_says_of_itself() -> None:
    """After a change of the API: python benchmarks/api_reference.py."""
    assert PAGE.read_text(encoding="utf-8") == reference(described())


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
def test_every_answer_has_an_example_that_is_one(kind: Any) -> None:
    """Nothing is missing in it, and nothing is left of a field that is gone."""
    example = examples()[kind.__name__]
    assert msgspec.to_builtins(msgspec.convert(example, kind)) == example
    assert examples().keys() == {each.__name__ for each in SHAPES}


def test_everything_that_is_asked_is_described_with_an_example() -> None:
    """An address says by example what it is sent, what it answers, and how it refuses."""
    document = described()
    shapes = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            said = list(operation["responses"].values())
            if not path.endswith(("z", "/metrics")):
                refusals = [each for code, each in operation["responses"].items() if code > "400"]
                assert all(each["content"]["application/json"]["examples"] for each in refusals), (
                    method,
                    path,
                )
            for each in said:
                for content in each.get("content", {}).values():
                    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                    assert not name or shapes[name]["examples"], (method, path, name)
    sent = document["paths"]["/api/v1/commands"]["post"]["requestBody"]["content"]
    assert len(sent["application/json"]["examples"]) > 3


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
