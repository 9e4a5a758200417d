"""Keys: where they come from, and a wrapper that does not show them.

A key comes from the environment (`env:NAME`) or from a file that only its owner can read
(`file:PATH`). Written into the configuration it is refused, unless the exchange is simulated:
configurations are shown, shared and committed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from typing_extensions import override

from surefoot.core.errors import InvalidValue

BYTES_MAX: Final = 65_536
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class Secret:
    """A value that prints as `***` and cannot be pickled, compared or turned into JSON."""

    __slots__ = ("_former", "_value", "source")

    def __init__(self, value: str | None, setting: str = "") -> None:
        self._value = value
        self._former: frozenset[str] = frozenset()
        # Where it comes from, for people: the name of a variable or a file, never the value.
        self.source = setting if setting.startswith(("env:", "file:")) else "in the configuration"

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return every value that it ever had, to be blacked out wherever one appears."""
        return (*self._former, *(() if self._value is None else (self._value,)))

    def renew(self, value: str) -> None:
        """Stand for another value from now on: it was corrected."""
        self._former |= frozenset(self.loaded)
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one call that signs with it.

        Raises:
            InvalidValue: the configuration was loaded without its keys.
        """
        if self._value is None:
            raise InvalidValue("the keys of this account were not loaded")
        return self._value

    @override
    def __repr__(self) -> str:
        return "***"

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be copied or pickled")


def resolve(
    text: str, *, environment: Mapping[str, str], directory: Path, allow_literal: bool
) -> str:
    """Return what a key's setting stands for.

    Raises:
        InvalidValue: the variable or file is missing, readable by others or empty, or the key
            itself was written here. The message never holds a key.
    """
    kind, colon, name = text.partition(":")
    match kind if colon else "":
        case "env":
            value = _variable(name, environment)
        case "file":
            value = _file(_path(name, directory))
        case _ if allow_literal:
            value = text
        case _:
            raise InvalidValue(
                'a key must not be written here; write "env:NAME" for an environment variable or '
                '"file:PATH" for a file that only you can read',
            )
    value = value.strip()
    if not value:
        raise InvalidValue(f"{'the key' if kind not in {'env', 'file'} else text} is empty")
    return value


def _variable(name: str, environment: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise InvalidValue('"env:" must be followed by the name of an environment variable')
    if name not in environment:
        raise InvalidValue(f"the environment variable {name} is not set; export it and start again")
    return environment[name]


def _path(name: str, directory: Path) -> Path:
    if not name or "\0" in name:
        raise InvalidValue('"file:" must be followed by a path')
    try:
        return directory / Path(name).expanduser()
    except RuntimeError:
        raise InvalidValue(f"{name} starts with a home directory that is not known") from None


def _open_at_once(path: str, flags: int) -> int:
    # A named pipe would be waited for, and a start would hang before it could be refused.
    return os.open(path, flags | os.O_NONBLOCK)


def _file(path: Path) -> str:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InvalidValue(f"{path} is not a file")
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InvalidValue(f"others may read {path}; run: chmod 600 {path}")
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise InvalidValue(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > BYTES_MAX:
        raise InvalidValue(f"{path} is too large for a key")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InvalidValue(f"{path} is not text") from None
