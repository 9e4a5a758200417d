"""Large answers are read piece by piece, beside the loop, and say what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.exchange.binance.bodies import parsed

SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON, indent=st.sampled_from([None, 0, 2]))
def test_it_says_the_same_as_read_at_once(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert parsed(text) == json.loads(text) == value


def read(by: Callable[[str], Any], text: str) -> Any:
    try:
        return by(text)
    except ValueError:
        return ValueError


@given(value=JSON, place=st.integers(0), instead=st.sampled_from("[]{},: 1"))
def test_what_is_no_json_is_refused_as_it_is_at_once(value: Any, place: int, instead: str) -> None:
    """Cut off, with something behind, with a character changed: never half of an answer."""
    text = json.dumps(value)
    place %= len(text)
    changed = f"{text[:place]}{instead}{text[place + 1 :]}"
    for broken in (text[:place], changed, f"{text} {text}"):
        assert read(parsed, broken) == read(json.loads, broken)
