"""A strategy's memory: what of it would survive a restart, and nothing else.

`durable` is applied to memory before and after every call. So a strategy sees after each tick
exactly what it would see after a crash, and a bug of the kind "works until restarted" shows at
once. Tuples become lists, as in JSON, and NumPy's numbers and arrays the numbers that they are;
what JSON cannot hold is refused by its name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from surefoot.core.errors import InvalidValue
from surefoot.strategy.parse import plain_number, shown

DEPTH_MAX: Final = 16
BYTES_MAX: Final = 65_536  # every change of it is journaled
_INTEGER_MAX: Final = 2**63 - 1


def durable(memory: object) -> dict[str, Any]:
    """Return a deep copy that is plain JSON.

    Raises:
        InvalidValue: some of it is not, or it is too large; the message names the key.
    """
    if not isinstance(memory, dict):
        raise InvalidValue(f"memory must stay a table of names and values, got {shown(memory)}")
    plain = _table(memory, "memory", 0)
    try:
        size = len(msgspec.json.encode(plain))
    except UnicodeEncodeError:
        raise InvalidValue("memory holds text that is not valid Unicode") from None
    if size > BYTES_MAX:
        raise InvalidValue(
            f"memory is {size} bytes, over {BYTES_MAX}; keep a bounded window of what you need",
        )
    return plain


def _value(value: object, path: str, depth: int) -> Any:
    match plain_number(value):
        case None | bool() as plain:
            return plain
        case str() as text:
            return str.__str__(text)
        case int() as whole if -_INTEGER_MAX <= whole <= _INTEGER_MAX:
            return int(whole)
        case float() as real if math.isfinite(real):
            return float(real)
        case list() | tuple() as items:
            return _list(items, path, depth)
        case dict() as table:
            return _table(table, path, depth)
        case Decimal() as exact:
            advice = "keep str() of it and read it with Decimal(), or keep float() of it"
            raise InvalidValue(
                f"{path} is the Decimal {str(exact)[:40]}, which JSON cannot hold; {advice}"
            )
        case other:
            advice = "keep text, finite numbers, true/false, lists and tables"
            raise InvalidValue(f"{path} is {shown(other)}, which JSON cannot hold; {advice}")


def _list(items: Sequence[Any], path: str, depth: int) -> list[Any]:
    if depth >= DEPTH_MAX:
        raise InvalidValue(f"{path} is nested more than {DEPTH_MAX} deep, or contains itself")
    return [_value(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(items)]


def _table(table: dict[Any, Any], path: str, depth: int) -> dict[str, Any]:
    if depth >= DEPTH_MAX:
        raise InvalidValue(f"{path} is nested more than {DEPTH_MAX} deep, or contains itself")
    for key in table:
        if not isinstance(key, str):
            raise InvalidValue(f"{path} has the key {key!r}; keys must be text, as in JSON")
    return {
        str.__str__(key): _value(value, f'{path}["{key}"]', depth + 1)
        for key, value in table.items()
    }
