"""How far a long comparison has come, and how long it will still take: said now and then."""

from __future__ import annotations

from typing import Final

from surefoot.engine.login import Login

SAID_EVERY_S: Final = 10.0


class Progress:
    """Counts symbols, and says in log and health how far it is; a short comparison says nothing."""

    def __init__(self, login: Login, symbols: int) -> None:
        self._login = login
        self._symbols = symbols
        self._done = 0
        self._began = self._said = login.clock.monotonic()

    def step(self) -> None:
        """Count one symbol."""
        self._done += 1
        now = self._login.clock.monotonic()
        if now - self._said < SAID_EVERY_S or self._done == self._symbols:
            return
        self._said = now
        each_s = (now - self._began) / self._done
        left_s = round(each_s * (self._symbols - self._done))
        self._login.senses.come_so_far(
            f"compared {self._done} of {self._symbols} symbols, about {left_s} s left"
        )
        self._login.log.info(
            "recovery step",
            done="comparing symbols",
            compared=self._done,
            of=self._symbols,
            seconds_left=left_s,
        )
