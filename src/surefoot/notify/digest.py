"""Events as text for a phone: in order, several in one message, each with its number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from surefoot.notify.event import Event, Weight

# What makes somebody look, before they read.
SIGNS: Final = {Weight.WARNING: "⚠️ ", Weight.ALARM: "🔴 "}
_CUT: Final = " …"
# The name of an order: a venue's letters, and 32 digits. A bot's name of one long word is none.
_NAME: Final = re.compile(r"\b(\w{0,8}?[0-9a-f]{2})[0-9a-f]{26}([0-9a-f]{4})\b")


def short(text: str) -> str:
    """Return a text with the names of orders cut: nobody reads 34 letters of one on a phone."""
    return _NAME.sub(r"\1…\2", text)


def line(event: Event) -> str:
    """Write one event: a sign if it matters, what happened, when, and its number."""
    text = f"{SIGNS.get(event.weight, '')}{short(event.text)}"
    return f"{text}\n{event.at:%d %b %H:%M:%S} UTC · {event.id}"


def chunks(told: Sequence[Event], *, limit: int) -> Iterator[str]:
    """Return as few texts as hold all events in order, each within the limit."""
    return _filled((_fit(line(each), limit) for each in told), limit)


def text_chunks(text: str, *, limit: int) -> Iterator[str]:
    """Return a text in parts within the limit, cut at ends of lines."""
    lines = (each[start : start + limit] for each in text.split("\n")
             for start in range(0, max(len(each), 1), limit))  # fmt: skip
    return _filled(lines, limit, gap="\n")


def _filled(lines: Iterable[str], limit: int, gap: str = "\n\n") -> Iterator[str]:
    text = ""
    for each in lines:
        joined = f"{text}{gap}{each}" if text else each
        if len(joined) > limit:
            yield text
            joined = each
        text = joined
    if text:
        yield text


def _fit(text: str, limit: int) -> str:
    """Cut a text that is too long alone, but keep the line with its number."""
    if len(text) <= limit:
        return text
    body, _, end = text.rpartition("\n")
    return f"{body[: limit - len(end) - len(_CUT) - 1]}{_CUT}\n{end}"
