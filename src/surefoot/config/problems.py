"""pydantic's errors as sentences: the key, what is expected, what came.

What came is shown only where it cannot be a key: never under an account or a messenger, except for
the few plain settings there, and never for the journal's URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from surefoot.config.document import Document, is_table, within
from surefoot.strategy.parse import shown
from surefoot.strategy.spelling import suggest

KeyPath: TypeAlias = tuple[str, ...]

_EXPECTED: Final = {
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_LISTS: Final = {("webhooks",), ("apprise",)}
_SECRETIVE: Final = {"accounts", "journal", "telegram", "webhooks", "apprise", "heartbeat"}
_SHOWN: Final = {"exchange", "ownership", "visibility", "allow_custom_host", "least", "every"}


def sentences(error: ValidationError, set_by: Mapping[KeyPath, str]) -> dict[KeyPath, list[str]]:
    """Return what is wrong, by the key it is wrong with.

    `set_by` names the environment variable that a key's value came from.
    """
    found: dict[KeyPath, list[str]] = {}
    for each in error.errors(include_url=False):
        path = _path(each)
        variable = set_by.get(path)
        source = f" (set by {variable})" if variable else ""
        found.setdefault(path, []).append(_sentence(each, path) + source)
    return found


def _path(error: ErrorDetails) -> KeyPath:
    path = tuple(str(part) for part in error["loc"])
    # pydantic's mark for a bot or an account whose name is wrong; it could be a key just as well.
    marked = len(path) == len(("bots", "name", "[key]")) and path[-1] == "[key]"
    return path[:-1] if marked and error["type"] == "value_error" else path


def dotted(path: KeyPath) -> str:
    """Write a key as it would be written in the file; `webhooks[0]` is the first of a list."""
    if path[:1] in _LISTS and len(path) > 1:
        return ".".join([f"{path[0]}[{path[1]}]", *path[2:]])
    return ".".join(part if part.replace("-", "_").isidentifier() else f'"{part}"' for part in path)


def _sentence(error: ErrorDetails, path: KeyPath) -> str:
    name = dotted(path)
    match error["type"]:
        case "extra_forbidden":
            return f"{name} is not a known key{suggest(path[-1], _known(path[:-1]))}"
        case "missing":
            return f"{name} is missing. {_description(path)}"
        case "value_error":
            return f"{name}: {error['ctx']['error']}"
        case "literal_error":
            return f"{name}: expected {error['ctx']['expected']}, got {_came(error, path)}"
        case kind:
            return f"{name}: expected {_EXPECTED.get(kind, kind)}, got {_came(error, path)}"


def _came(error: ErrorDetails, path: KeyPath) -> str:
    value = error["input"]
    secret = path[0] in _SECRETIVE and path[-1] not in _SHOWN
    if not secret:
        return shown(value)
    match value:
        case str():
            return "text"
        case dict() | list():
            return shown(value)  # by its kind only
        case _:
            return "something else"


def _table(path: KeyPath) -> Any:
    kind: Any = Document
    for part in path:
        kind = within(kind, part)
    return kind


def _known(path: KeyPath) -> list[str]:
    kind = _table(path)
    return list(kind.model_fields) if is_table(kind) else []


def _description(path: KeyPath) -> str:
    kind = _table(path[:-1])
    return (kind.model_fields[path[-1]].description or "") if is_table(kind) else ""
