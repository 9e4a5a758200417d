"""A command that fits its published shape is one for the journal, and the other way round."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from tests.builders import START

from surefoot.core.errors import InvalidValue
from surefoot.journal.commands import AMOUNT, LINE, NAME, ORDER, validate
from surefoot.journal.port import Command
from surefoot.web.commands import Wish

WISH: TypeAdapter[Any] = TypeAdapter(Wish)
PATTERNS = {"target": NAME, "reason": LINE, "quantity": AMOUNT, "order": ORDER}


def written(field: str, text: str) -> dict[str, Any]:
    """Return a command with this text in one place."""
    if field in {"target", "reason"}:
        wish: dict[str, Any] = {"kind": "pause", "target": "dip", "arguments": {"reason": "lunch"}}
    else:
        filled = {"how": "filled", "quantity": "1", "price": "2", "order": "sf1"}
        wish = {"kind": "resolve", "target": "dip", "arguments": filled, "confirm": "dip"}
    place = wish if field == "target" else wish["arguments"]
    place[field] = text
    return wish


def fits(wish: dict[str, Any]) -> bool:
    try:
        WISH.validate_python(wish)
    except ValidationError:
        return False
    return True


def is_taken(wish: dict[str, Any]) -> bool:
    try:
        validate(
            Command(
                command_id="web-1", kind=wish["kind"], target=wish["target"], actor="dashboard",
                posted_at=START, expires_at=START + timedelta(minutes=10),
                arguments=wish["arguments"],
            )
        )  # fmt: skip
    except InvalidValue:
        return False
    return True


@pytest.mark.parametrize("field", PATTERNS)
@given(data=st.data())
def test_two_readers_of_one_pattern_agree(field: str, data: st.DataObject) -> None:
    """Red while the journal asked whether a text is printable: a newer Unicode was a 422."""
    near = st.from_regex(PATTERNS[field]) | st.text(max_size=210)
    text = data.draw(near)
    wish = written(field, text)
    nothing = field == "quantity" and not text.strip("0.")  # A journal takes it, of no price.
    assert fits(wish) == (is_taken(wish) and not nothing)
