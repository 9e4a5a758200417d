"""The command row: what an operator's wish looks like, whoever posts it, and how it is stored.

The command line, the dashboard, a messenger and whoever writes into the inbox by hand come through
here, twice: when they post, and when the server takes what was posted. What does not fit is no
command. Whether it can be done is the engine's question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from surefoot.core.errors import InvalidValue
from surefoot.journal.codec import encode_json, stamp, unstamp
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.port import Command

COLUMNS: Final = "command_id, kind, target, actor, posted_at, expires_at, arguments"
SETTLED_COLUMNS: Final = f"{COLUMNS}, status, result"
# Markets move on: nobody means a wish of yesterday.
VALIDITY_MAX: Final = timedelta(days=1)
# What may stand in a command, as patterns that every dialect reads alike: the API publishes them.
NAME: Final = r"^[A-Za-z0-9._-]{1,100}$"
AMOUNT: Final = r"^[0-9]{1,20}(\.[0-9]{1,18})?$"
ORDER: Final = r"^[A-Za-z0-9._:/-]{1,64}$"
# One line: nothing that ends it, moves a cursor, hides, or turns the direction of what follows.
LINE: Final = (
    r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"{1,200}$"
)
# The target of a command that is about every bot, and the commands that are.
EVERYBODY: Final = "all"
_OF_EVERYBODY: Final = frozenset({"stop-all", "resume-all"})
_KINDS: Final = (
    frozenset({"pause", "resume", "close", "recover", "resolve", "lift"}) | _OF_EVERYBODY
)
_ARGUMENTS: Final[Mapping[str, str]] = {
    "how": "adopt|flat|filled|ignore",
    "quantity": AMOUNT,
    "price": AMOUNT,
    "order": ORDER,
    "reason": LINE,
}


def validate(command: Command) -> None:
    """Make sure that a command is one.

    Raises:
        InvalidValue: it is not, and why.
    """
    if command.kind not in _KINDS:
        known = ", ".join(sorted(_KINDS))
        raise InvalidValue(f"{command.kind!r} is no command: say one of {known}")
    if not re.fullmatch(NAME, command.target):
        raise InvalidValue(f"{command.target!r} can be no bot and no position")
    if command.kind in _OF_EVERYBODY and command.target != EVERYBODY:
        raise InvalidValue(f"{command.kind} is about every bot: its target is {EVERYBODY}")
    if not timedelta(0) <= command.expires_at - command.posted_at <= VALIDITY_MAX:
        raise InvalidValue("a command is void after it was posted, and a day later at the latest")
    _check_line("id", command.command_id)
    _check_line("actor", command.actor)
    for name, text in command.arguments.items():
        _check_argument(name, text)


def _check_argument(name: str, text: str) -> None:
    if name not in _ARGUMENTS:
        raise InvalidValue(f"no command has an argument {name!r}")
    if _ARGUMENTS[name] == LINE:
        _check_line(name, text)
    elif not re.fullmatch(_ARGUMENTS[name], text):
        raise InvalidValue(f"{text!r} can be no {name}")


def _check_line(name: str, text: str) -> None:
    if not re.fullmatch(LINE, text) or any("\ud800" <= each <= "\udfff" for each in text):
        raise InvalidValue(f"the {name} of a command is one line of at most 200 characters")


def row_of(command: Command) -> tuple[str, ...]:
    """Return the columns of a command, without what became of it."""
    return (
        command.command_id,
        command.kind,
        command.target,
        command.actor,
        stamp(command.posted_at),
        stamp(command.expires_at),
        encode_json(command.arguments),
    )


def read_row(row: tuple[Any, ...]) -> Command:
    """Read a row of the inbox, or of the journal with what became of it.

    Raises:
        InvalidValue: it is no command.
    """
    status, result = row[7:] or ("posted", None)
    try:
        command = Command(
            command_id=row[0],
            kind=row[1],
            target=row[2],
            actor=row[3],
            posted_at=unstamp(row[4]),
            expires_at=unstamp(row[5]),
            arguments=msgspec.json.decode(row[6], type=dict[str, str]),
            status=status,
            result=result,
        )
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidValue(f"{row[0]!r} is no command ({error})") from error
    validate(command)
    return command


def read_settled_row(row: tuple[Any, ...]) -> Command:
    """Read a row of the journal.

    Raises:
        JournalUnusable: somebody wrote past the door.
    """
    try:
        return read_row(row)
    except InvalidValue as error:
        raise JournalUnusable(
            f"the command {row[0]!r} in the journal is damaged: {error}"
        ) from error
