"""Write docs/api.md from what the server itself says of its routes; a test holds the two equal.

python benchmarks/api_reference.py
"""

from __future__ import annotations

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any

from surefoot.engine.clock import SystemClock
from surefoot.journal import open_browser
from surefoot.web import Keys
from surefoot.web.answers import SettingsAnswer
from surefoot.web.application import application
from surefoot.web.board import Board
from surefoot.web.wishes import NEEDED

PAGE = Path(__file__).parent.parent / "docs" / "api.md"
HEAD = """\
# The API

`surefoot web`, or `surefoot run` with `enabled = true` under `[web]`, serves this beside the dashboard.
This page is made from the server's own description, which is also at `/api/v1/openapi.json`.

    TOKEN=$(surefoot token read)
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8770/api/v1/status

- **Every address needs a token**, except the two for health checks. `surefoot token read` prints one
  that may look, `operate` one that may also {operate}, `admin` one that may also {admin}.
- **Amounts are decimal strings, times are RFC 3339 UTC.**
- **Pages**: `next` of an answer is the `cursor` of the following page; `null` is the end. A page may be
  short or empty and still have a `next`: one request looks at no more than 50,000 records.
- **Commands** carry an `Idempotency-Key` of your own. The same key again posts nothing and says what
  became of the first, so ask again until there is an answer. What moves money repeats its target in
  `confirm`. What the server refuses is an answer like any other: `status` is `refused`, `result` why.
- **Errors** are `{{"error": "…"}}`: 401 without a token, 403 without the right, 404 for what there is
  not, 409 for a command that what stands here is against (mistyped, no answer to this finding, a key
  of another command), 421 for a wrong host name, 422 for what is not written as its schema says,
  429 after too many wrong tokens, 503 while the journal cannot be read.

## Following

`/api/v1/live` is a WebSocket. `?after=SEQUENCE` goes on from a record, without it from now. Each message
has `at` (the server's time), `cursor` (the last record told), and what is new: `records` in sequence,
`bots` that changed, `status` without its bots; `problem` says why nothing can be read. Every two seconds
at least there is one. A reader that does not take a message within ten seconds is let go, and loses
nothing: it comes back with its cursor.
"""


def described() -> dict[str, Any]:
    """Return the server's own description; nothing is opened for it."""
    clock, here = SystemClock(), Path()
    board = Board(lambda: open_browser("sqlite:///none.db", here), clock)
    shown = SettingsAnswer(
        versions={}, journal="", listen="", exposure=None, accounts=[], bots=[], doctor=[]
    )
    guard: Any = application(
        board=board, keys=Keys(here / "none"), names=(), settings=lambda: shown, clock=clock
    )
    document: dict[str, Any] = guard._app.openapi()  # noqa: SLF001 (what stands behind the guard)
    return document


def reference(document: dict[str, Any]) -> str:
    """Return the page."""
    rights = {
        scope: ", ".join(kind for kind, needed in NEEDED.items() if needed == scope)
        for scope in ("operate", "admin")
    }
    parts = [HEAD.format(**rights), "## Addresses\n"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(method, path, operation))
    shapes = document["components"]["schemas"]
    parts.append("## What is sent\n")
    parts += [_shape(name, shapes[name]) for name in sorted(_sent(document["paths"], shapes))]
    parts.append("## Answers\n")
    named = {
        ref.rpartition("/")[2]
        for methods in document["paths"].values()
        for operation in methods.values()
        for ref in _answers(operation)
    }
    parts += [_shape(name, shapes[name]) for name in sorted(named)]
    return "\n".join(parts).rstrip() + "\n"


def _answers(operation: dict[str, Any]) -> list[str]:
    content = operation["responses"].get("200", {}).get("content", {})
    return [each["schema"]["$ref"] for each in content.values() if "$ref" in each.get("schema", {})]


def _sent(paths: dict[str, Any], shapes: dict[str, Any]) -> set[str]:
    """Return the names of all shapes that a body may have, and of their parts."""
    found: set[str] = set()
    bodies = [each["requestBody"] for methods in paths.values() for each in methods.values()
              if "requestBody" in each]  # fmt: skip
    waiting = _named(bodies)
    while waiting:
        found |= waiting
        waiting = _named([shapes[name] for name in waiting]) - found
    return found


def _named(part: Any) -> set[str]:
    if isinstance(part, list):
        return {name for each in part for name in _named(each)}
    if not isinstance(part, dict):
        return set()
    ref = part.get("$ref")
    own = set() if ref is None else {ref.rpartition("/")[2]}
    return own | _named([each for key, each in part.items() if key != "discriminator"])


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"### `{method.upper()} {path}`\n", operation["description"]]
    answers = [ref.rpartition("/")[2] for ref in _answers(operation)]
    lines += [f"Answers with [{name}](#{name.lower()})." for name in answers]
    given = operation.get("parameters", [])
    if given:
        lines += ["", "| Parameter | In | Values |", "|---|---|---|"]
        lines += [f"| `{each['name']}` | {each['in']} | {_values(each)} |" for each in given]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        shape = _type(content["schema"], link=True)
        lines += ["", f"Takes {shape}."]
        for title, example in content.get("examples", {}).items():
            lines += ["", f"To {title}:", "", f"    {json.dumps(example['value'])}"]
    own = {code: each for code, each in operation["responses"].items() if code in {"404", "409"}}
    if "requestBody" in operation and len(own) > 1:
        lines += ["", "| Refused with | If | Such as |", "|---|---|---|"]
        lines += [
            f"| {code} | {each['description']} | {_errors(each)} |" for code, each in own.items()
        ]
    return "\n".join(lines) + "\n"


def _errors(response: dict[str, Any]) -> str:
    examples = response["content"]["application/json"]["examples"].values()
    return "; ".join(f"`{each['value']['error']}`" for each in examples)


def _values(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    kind = kinds[0]
    words = ", ".join(f"`{each}`" for each in kind.get("enum", [])) or kind.get("type", "text")
    bounds = [f"{word} {kind[key]}" for key, word in BOUNDS.items() if key in kind]
    default = [f"default `{schema['default']}`"] if schema.get("default") is not None else []
    required = ["required"] if parameter.get("required") else []
    said = [f"{parameter['description']}"] if "description" in parameter else []
    return "; ".join([*said, ", ".join([words, *bounds, *default, *required])])


BOUNDS = {"minimum": "at least", "maximum": "at most", "maxLength": "at most characters"}


def _shape(name: str, schema: dict[str, Any]) -> str:
    about = cleandoc(schema.get("description", ""))
    lines = [f"### {name}\n", about, "", "| Field | Type |", "|---|---|"]
    needed = schema.get("required", [])
    for key, each in schema["properties"].items():
        optional = (
            "" if key in needed or schema.get("additionalProperties") is not False else "; optional"
        )
        about = f"; {each['description']}" if "description" in each else ""
        lines.append(f"| `{key}` | {_type(each)}{optional}{about} |")
    return "\n".join(lines) + "\n"


def _type(schema: dict[str, Any], *, link: bool = False) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"].rpartition("/")[2])
        return f"[{name}](#{name.lower()})" if link else name
    for words in ("anyOf", "oneOf"):
        if words in schema:
            return " or ".join(_type(each, link=link) for each in schema[words])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    if values:
        return " or ".join(f"`{each}`" for each in values)
    kind = str(schema.get("format") or schema.get("type") or "any")
    return f"{kind} `{schema['pattern']}`" if "pattern" in schema else kind


if __name__ == "__main__":
    PAGE.write_text(reference(described()), encoding="utf-8")
    print(PAGE)
