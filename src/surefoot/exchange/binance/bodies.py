"""Reading answers: bounded, and what is large beside the loop, piece by piece.

The interpreter's parser holds every thread until it is done: called once with fifteen megabytes it
stops the loop as surely as if it ran there. So a large body is taken apart first, and whatever
else runs has its turn between the pieces.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import aiohttp
from typing_extensions import override

# The list of all markets is some 15 MB; nothing else comes near a tenth of that.
BODY_MAX: Final = 8 * 1024 * 1024
MARKETS_MAX: Final = 64 * 1024 * 1024
# What is smaller is read in a millisecond, and a thread costs as much.
LARGE: Final = 256 * 1024

_DECODER: Final = json.JSONDecoder()
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class BodyTooLarge(aiohttp.ClientError):
    """An answer was longer than any real one, and was not read to its end."""


class Body(str):
    """The text of a large answer, and what it says; None: it is no JSON."""

    __slots__ = ("value",)
    value: Any


class BoundedResponse(aiohttp.ClientResponse):
    """An answer that is not read past its bound, however it is packed."""

    @override
    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body; if it is large, it has been parsed beside the loop.

        Raises:
            BodyTooLarge: it is longer than any real answer.
        """
        most = MARKETS_MAX if self.url.path.endswith("/exchangeInfo") else BODY_MAX
        body = bytearray()
        async for part in self.content.iter_any():
            body += part
            if len(body) > most:
                self.close()
                raise BodyTooLarge(f"more than {most} bytes")
        if len(body) < LARGE:
            return body.decode(encoding or "utf-8", errors)
        return await asyncio.to_thread(_body, body, encoding or "utf-8", errors)


def _body(raw: bytearray, encoding: str, errors: str) -> Body:
    body = Body(raw.decode(encoding, errors).strip())
    try:
        body.value = parsed(body)
    except ValueError:
        body.value = None
    return body


def parsed(text: str) -> Any:
    """Return what a text says in JSON; lists at its top, or one level down, are read item by item.

    Raises:
        ValueError: it is no JSON.
    """
    reader = _Reader(text)
    value = reader.top()
    if reader.peek():
        raise ValueError(f"something follows at {reader.at}")
    return value


class _Reader:
    """Where we are in a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def top(self) -> Any:
        """Read everything."""
        return dict(self._pairs()) if self.peek() == "{" else self._value()

    def _value(self) -> Any:
        """Read what comes next: a list item by item, anything else in one piece."""
        return list(self._items()) if self.peek() == "[" else self._piece()

    def _piece(self) -> Any:
        found, self.at = _DECODER.raw_decode(self._text, self.at)
        return found

    def peek(self) -> str:
        """Return the next character that is no space; none at the end."""
        space = _SPACE.match(self._text, self.at)
        self.at = self.at if space is None else space.end()
        return self._text[self.at : self.at + 1]

    def _items(self) -> Iterator[Any]:
        for _ in self._places("]"):
            yield self._piece()

    def _pairs(self) -> Iterator[tuple[str, Any]]:
        for _ in self._places("}"):
            key = self._piece()
            if not isinstance(key, str) or self.peek() != ":":
                raise ValueError(f"no key before {self.at}")
            self.at += 1
            self.peek()
            yield key, self._value()

    def _places(self, closing: str) -> Iterator[None]:
        """Go from opening to closing, stopping where the next part begins."""
        self.at += 1
        if self.peek() == closing:
            self.at += 1
            return
        while True:
            self.peek()
            yield
            mark = self.peek()
            self.at += 1
            if mark == closing:
                return
            if mark != ",":
                raise ValueError(f"neither a comma nor the end at {self.at - 1}")
