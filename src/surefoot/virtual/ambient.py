"""What libraries read of the machine by themselves: the clock and luck, replaced for a while.

Surefoot itself is handed its clock. Others read `time` and draw from the system; here they read
the time of a virtual world and draw from its seed. What aiohttp does every two seconds for broken
TLS servers is left out: connections in memory are none, and it was a tenth of all steps.
Import them before: whoever does so inside keeps the replacement.
"""

from __future__ import annotations

import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from aiohttp import TCPConnector

_NS: Final = 1_000_000_000


@contextmanager
def ambient(now: Callable[[], float], luck: random.Random) -> Iterator[None]:
    """Replace the clock (`now`: seconds since 1970) and luck of the machine."""

    def token(size: int = 32) -> str:
        return luck.randbytes(size).hex()

    replaced: list[tuple[Any, Callable[..., Any]]] = [
        (time.time, now),
        (time.time_ns, lambda: round(now() * _NS)),
        (secrets.token_hex, token),
    ]
    before = random.getstate()
    with ExitStack() as stack:
        for original, instead in replaced:
            for module, name in list(_holders(original)):
                stack.enter_context(patch.object(module, name, instead))
        stack.enter_context(patch.object(TCPConnector, "_cleanup_closed", _nothing))
        random.seed(luck.getrandbits(64))
        try:
            yield
        finally:
            random.setstate(before)


def _nothing(_connector: TCPConnector) -> None:
    """Tidy nothing up."""


def _holders(function: object) -> Iterator[tuple[Any, str]]:
    """Yield every module that has a function, and by what name: some take it when imported."""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is function and module is not sys.modules[__name__]:
                yield module, name
