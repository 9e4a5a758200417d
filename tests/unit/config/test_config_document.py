"""`docs/configuration.md` and the code list the same keys and say the same about them.

The document is read, not generated: what fails here is a key, type, default or sentence that was
changed on one side only.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from surefoot.config import load
from surefoot.config.document import Document, is_table
from surefoot.config.written import Amount, Count, Distance, Fraction, Name, Span, StopDistance
from surefoot.core.exits import TakeProfit
from surefoot.core.sizing import Size

ROOT: Final = Path(__file__).resolve().parents[3]
TEXT: Final = (ROOT / "docs" / "configuration.md").read_text("utf-8")
COLUMNS: Final = "| Key | Type | Default | Meaning |"

# What the document calls each type. A type that is not here has no name yet: it fails below.
TYPES: Final[dict[Any, str]] = {
    str: "text",
    str | None: "text",
    list[str]: "list of text",
    list[int]: "list of whole numbers",
    bool: "true or false",
    dict[str, Any]: "table",
    dict[str, Amount]: "table of amounts",
    Amount: "amount",
    Amount | None: "amount",
    Count: "whole number",
    Count | None: "whole number",
    Fraction: "percentage",
    Fraction | None: "percentage",
    Distance: "percentage or off",
    StopDistance: "percentage or off",
    Span: "duration",
    Span | None: "duration",
    Size: "size",
    TakeProfit: "percentage, off or list of tables",
}


class Row(NamedTuple):
    """One key, as the document writes it."""

    type: str
    default: str
    meaning: str


def written() -> dict[str, dict[str, Row]]:
    """Return the rows of the document's tables of keys, by the heading above them."""
    found: dict[str, dict[str, Row]] = {}
    for part in re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n## ")[0].partition("\n")
        if COLUMNS not in body:
            continue
        rows = [line for line in body.splitlines() if line.startswith("| `")]
        cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
        keys = [key.strip("`") for key, *_ in cells]
        assert len(set(keys)) == len(keys), f"a key is listed twice under {heading}"
        found[heading.strip("`[]")] = {
            key: Row(*rest) for key, (_, *rest) in zip(keys, cells, strict=True)
        }
    return found


def tables(kind: Any = Document, name: str = "") -> dict[str, Any]:
    """Return the tables of the code by the names that the document gives them."""
    found = {} if name == "" else {name: kind}
    for key, hint in get_type_hints(kind, include_extras=True).items():
        if key not in kind.model_fields:
            continue
        path = f"{name}.{key}" if name else key
        if is_table(hint):
            found |= tables(hint, path)
        elif get_origin(hint) is dict and get_args(hint)[0] == Name:
            found |= tables(get_args(hint)[1], f"{path}.NAME")
        else:
            for part in get_args(hint):
                if is_table(part):  # a list of tables, or one that may be missing
                    found |= tables(part, path)
    return found


def fields() -> dict[tuple[str, str], tuple[Any, FieldInfo]]:
    """Return each key that is no table of its own, with its type as written in the code."""
    return {
        (table, key): (get_type_hints(kind, include_extras=True)[key], field)
        for table, kind in tables().items()
        for key, field in kind.model_fields.items()
        if not is_table(field.annotation) and not any(map(is_table, get_args(field.annotation)))
    }


def type_name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(f'`"{each}"`' for each in get_args(hint))
    if hint in TYPES:
        return TYPES[hint]
    return TYPES[get_args(hint)[0]]  # text with a rule of its own


EVERY_KEY: Final = pytest.mark.parametrize(
    ("table", "key"), list(fields()), ids=[".".join(each) for each in fields()]
)


def test_the_document_has_exactly_the_tables_and_keys_of_the_code() -> None:
    """In the same order too, so that either can be read beside the other."""
    in_code = list(fields())
    in_document = [(table, key) for table, rows in written().items() for key in rows]
    assert in_document == in_code
    assert len(in_code) > 20  # otherwise the two agreed on having found nothing


@EVERY_KEY
def test_the_meaning_is_the_one_in_the_code(table: str, key: str) -> None:
    _, field = fields()[table, key]
    assert field.description
    assert written()[table][key].meaning == field.description


@EVERY_KEY
def test_the_type_is_the_one_in_the_code(table: str, key: str) -> None:
    hint, _ = fields()[table, key]
    assert written()[table][key].type == type_name(hint)


@EVERY_KEY
def test_the_default_is_the_one_in_the_code(table: str, key: str) -> None:
    """Compared as a reader would use it: written into the file, it changes nothing."""
    hint, field = fields()[table, key]
    cell = written()[table][key].default
    if field.is_required():
        assert cell == "required"
    elif cell.startswith("`") and cell.endswith("`") and cell.count("`") == 2:
        toml = tomllib.loads(f"value = {cell.strip('`')}", parse_float=Decimal)
        read: object = TypeAdapter(hint).validate_python(toml["value"])
        assert read == field.get_default(call_default_factory=True)
    else:
        # Words, where the value is worked out from something else.
        assert field.default is None
        assert cell


def test_every_description_is_a_sentence() -> None:
    """It is shown alone when a key is missing, and in a table cell, where a bar would split it."""
    texts = [field.description or "" for _, field in fields().values()]
    texts += [field.description or "" for field in Document.model_fields.values()]
    for text in texts:
        assert text.endswith("."), text
        assert "|" not in text
        assert "\n" not in text


def test_the_types_are_explained() -> None:
    """A name used in a table has a row in the table of types."""
    explained = set(re.findall(r"^\| \*\*(.+?)\*\* \|", TEXT, re.MULTILINE))
    used = {row.type for rows in written().values() for row in rows.values()}
    assert {name for name in used if not name.startswith("`")} == explained


def test_the_example_is_a_configuration_that_loads(tmp_path: Path) -> None:
    (example,) = [each for each in toml_blocks() if "[bots." in each and "[accounts." in each]
    path = tmp_path / "surefoot.toml"
    path.write_text(example)
    environment = {"BINANCE_API_KEY": "k", "BINANCE_SECRET": "s"}
    assert list(load(path, environment).bots) == ["dip-btc"]


def test_every_piece_of_toml_is_toml() -> None:
    assert toml_blocks()
    for block in toml_blocks():
        tomllib.loads(block)


def toml_blocks() -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
