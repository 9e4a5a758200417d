"""One POST or GET to somebody outside: bounded, never redirected, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp

from surefoot.notify.errors import Later, Parked

TIMEOUT_S: Final = 10.0
# An answer matters by its status; more of it than this is not read.
_ANSWER_MAX: Final = 2_000
_RETRY_AFTER_MAX_S: Final = 3_600.0
# The receiver has read the message and will never take it. A wrong address or key is not this:
# it can be mended, and then nothing shall be lost.
_FOR_GOOD: Final = frozenset({400, 410, 413, 415, 422})


def session() -> aiohttp.ClientSession:
    """Return a new session; whoever opens it closes it."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))


async def send(
    session: aiohttp.ClientSession, url: str, *, body: bytes | None, headers: Mapping[str, str]
) -> None:
    """Send, and return if the receiver took it.

    Raises:
        Later: no answer, or one that says that it may work another time.
        Parked: the receiver refuses this body for good.
    """
    method = "GET" if body is None else "POST"
    try:
        async with session.request(
            method, url, data=body, headers=dict(headers), allow_redirects=False
        ) as answer:
            await answer.content.read(_ANSWER_MAX)
            status, wait = answer.status, answer.headers.get("Retry-After", "")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise Later(f"no answer ({type(error).__name__})") from None  # it may name the URL
    if status in range(200, 300):
        return
    if status in _FOR_GOOD:
        raise Parked(f"HTTP {status}")
    raise Later(f"HTTP {status}", after_s=_seconds(wait))


def _seconds(text: str) -> float | None:
    """Return a wait that was asked for, within reason; dates are not understood."""
    if not (text.isascii() and text.isdigit()):
        return None
    return min(float(text[:6]), _RETRY_AFTER_MAX_S)
