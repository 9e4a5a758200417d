"""Parameters: a strategy's typed class attributes, filled in from `params`.

A value is taken only if it means what the annotation says. Nothing is guessed: true is not 1 and
"5" is not 5. A percentage in quotes is a number, a duration in quotes is a timedelta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, Union, get_args, get_origin, get_type_hints

from surefoot.core.errors import InvalidValue
from surefoot.strategy import parse
from surefoot.strategy.errors import InvalidParameters
from surefoot.strategy.spelling import suggest


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter; without a default it must be given."""

    name: str
    kind: type
    required: bool


def parameters(strategy: type) -> dict[str, Parameter]:
    """List the parameters of a strategy class: annotated, public, not `ClassVar`.

    Raises:
        InvalidParameters: an annotation is not one of the kinds that a configuration can hold.
    """
    try:
        hints = get_type_hints(strategy)
    except (NameError, TypeError) as error:
        raise InvalidParameters(strategy.__name__, [f"an annotation is wrong: {error}"]) from error
    found, problems = {}, []
    for name, hint in hints.items():
        if name.startswith("_") or hint is ClassVar or get_origin(hint) is ClassVar:
            continue
        kind = _kind(hint)
        if kind is None:
            kinds = ", ".join(each.__name__ for each in _READERS)
            problems.append(f"{name} is annotated {hint}; parameters are of type {kinds}")
        else:
            required = not hasattr(strategy, name)
            found[name] = Parameter(name=name, kind=kind, required=required)
    if problems:
        raise InvalidParameters(strategy.__name__, problems)
    return found


def read(strategy: type, given: Mapping[str, object]) -> dict[str, Any]:
    """Return the given values in the declared types.

    Raises:
        InvalidParameters: one is unknown, missing or of another type; all are listed.
    """
    known = parameters(strategy)
    values: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        if name not in known:
            problems.append(f"there is no parameter {name}{suggest(name, known)}")
            continue
        try:
            values[name] = _READERS[known[name].kind](value)
        except InvalidValue as error:
            problems.append(f"{name}: {error}")
    problems += [
        f"the parameter {each.name} has no default and must be given"
        for each in known.values()
        if each.required and each.name not in given
    ]
    if problems:
        raise InvalidParameters(strategy.__name__, problems)
    return values


def _kind(hint: object) -> type | None:
    if get_origin(hint) in {Union, UnionType}:
        rest = [each for each in get_args(hint) if each is not NoneType]
        hint = rest[0] if len(rest) == 1 else None
    return hint if isinstance(hint, type) and hint in _READERS else None


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue(f"expected true or false, got {parse.shown(value)}")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue(f"expected a whole number, got {parse.shown(value)}")
    return value


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str):
        return parse.number(value)
    if value.rstrip().endswith("%"):
        return parse.number(value.rstrip()[:-1].rstrip()) / 100
    raise InvalidValue(f"expected a number, got {parse.shown(value)}")


def _float(value: object) -> float:
    return float(_decimal(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"expected text in quotes, got {parse.shown(value)}")
    return value


_READERS: Final[dict[type, Callable[[object], Any]]] = {
    int: _integer,
    float: _float,
    str: _text,
    bool: _boolean,
    Decimal: _decimal,
    timedelta: parse.duration,
}
