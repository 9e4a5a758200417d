"""How talking to an exchange fails, sorted by what matters: whether it happened.

ExchangeError
├── NotSent      no: the request provably never left this machine
│   └── TooMany  or was turned away for what else was asked: later, and not for its own sake
├── Refused      no, and it never will: a code on the venue's list of definitive refusals
├── Unknown      nobody knows: ask, and keep asking
├── ReadFailed   a question was not answered; it proves nothing in either direction
│   └── Banned   the exchange will not talk to us before a certain time
└── Misconfigured   keys, symbol or account are wrong; retrying will not help
"""

from __future__ import annotations

from datetime import datetime

from surefoot.core.errors import SurefootError
from surefoot.core.reports import Grounds


class ExchangeError(SurefootError):
    """Anything an exchange adapter raises."""


class NotSent(ExchangeError):
    """The request never left: it was not accepted and never will be."""


class TooMany(NotSent):
    """The exchange counts too many requests or orders; it took this one for none of them."""


class Refused(ExchangeError):
    """The exchange answered with a code that proves that it did not accept the request."""

    def __init__(self, code: str, message: str, grounds: Grounds = Grounds.OTHER) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.grounds = grounds


class Unknown(ExchangeError):
    """The request may or may not have been accepted; only evidence can tell."""


class ReadFailed(ExchangeError):
    """A read gave no answer that can be believed; absence must not be concluded from it."""


class Banned(ReadFailed):
    """The exchange asked us to stay away; `until` is exchange time."""

    def __init__(self, until: datetime, message: str) -> None:
        super().__init__(f"{message} (until {until:%Y-%m-%d %H:%M:%S} UTC)")
        self.until = until


class Misconfigured(ExchangeError):
    """Keys, permissions, symbol or account are wrong; a person has to change something."""
