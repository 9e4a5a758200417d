"""Environment variables over the file: `SUREFOOT__BOTS__DIP_BTC__NOTIONAL=50`.

Parts are separated by two underscores; case does not matter, and `_` stands for `-` too. A value
is read as TOML (`50`, `true`, `{ dip = 0.01 }`) and otherwise taken as text, so most need no
quotes. A variable that names nothing is an error: it was meant to change something.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, Final, get_origin

from surefoot.config.document import Document, is_free, is_table, within
from surefoot.config.problems import KeyPath, dotted
from surefoot.core.errors import InvalidValue
from surefoot.strategy.spelling import suggest

PREFIX: Final = "SUREFOOT__"
# What tomllib lets through of int, Decimal and the interpreter's own limits.
TOO_LARGE: Final = (ValueError, ArithmeticError, RecursionError)


def apply(
    document: dict[str, Any], environment: Mapping[str, str]
) -> tuple[dict[KeyPath, str], list[str]]:
    """Write the environment's values into a document; return what each variable set.

    The second result lists what is wrong with the others.
    """
    set_by: dict[KeyPath, str] = {}
    problems = []
    for variable in sorted(environment):
        if not variable.startswith(PREFIX):
            continue
        parts = variable.removeprefix(PREFIX).split("__")
        try:
            path, kind = _find(document, parts)
            _put(document, path, _value(environment[variable], kind))
        except InvalidValue as error:
            problems.append(f"the environment variable {variable}: {error}")
        else:
            set_by[path] = variable
    return set_by, problems


def _find(document: dict[str, Any], parts: list[str]) -> tuple[KeyPath, Any]:
    """Return the path that a variable's parts mean, and the type of what is there."""
    path: KeyPath = ()
    kind: Any = Document
    node: Any = document
    for part in parts:
        here = list(node) if isinstance(node, dict) else []
        key = _match(part, here, kind, dotted(path))
        path, kind = (*path, key), within(kind, key)
        node = node.get(key) if isinstance(node, dict) else None
    return path, kind


def _match(part: str, here: list[str], kind: Any, where: str) -> str:
    """Return the key that a part means in a table of this type, where `here` exist already."""
    known = list(kind.model_fields) if is_table(kind) else here
    for key in known:
        if _folded(key) == _folded(part):
            return key
    if part and is_free(kind):
        # Mixed case is meant as written: ccxt's options have names such as recvWindow.
        return part.lower() if part.isupper() else part
    if not (is_table(kind) or get_origin(kind) is dict):
        raise InvalidValue(f"{where} is a value and has no keys")
    raise InvalidValue(f'{where or "the file"} has no "{part.lower()}"{suggest(part, known)}')


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def _put(document: dict[str, Any], path: KeyPath, value: Any) -> None:
    node = document
    for part in path[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise InvalidValue(f"{dotted(path[:-1])} is not a table in the file")
    node[path[-1]] = value


def _value(text: str, kind: Any) -> Any:
    if kind is str:
        return text
    try:
        read = tomllib.loads(f"value = {text.strip()}", parse_float=Decimal)
    except tomllib.TOMLDecodeError:
        return text
    except TOO_LARGE:
        problem = "a number in it is too long, or its brackets are too deep"
        raise InvalidValue(problem) from None
    plain = list(read) == ["value"] and not isinstance(read["value"], date | time)
    return read["value"] if plain else text
