"""Output: tables and colour on a terminal, plain aligned text in a pipe, JSON when asked."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from surefoot.core.values import one_line

# Between a number and the word that tells what it is: a line is not broken there.
TIE: Final = "\N{NO-BREAK SPACE}"
_NARROWEST: Final = 40
_STYLES: Final = {
    "RUNNING": "green",
    "PAUSED": "yellow",
    "REVIEW": "bold red",
    "STOPPED": "dim",
    "OPEN": "cyan",
    "OPENING": "blue",
    "CLOSING": "blue",
    "FROZEN": "bold red",
    "complete": "green",
    "partial": "yellow",
    "failed": "bold red",
    "ok": "green",
}


def console() -> Console:
    """Return the console of stdout as it is now."""
    return Console(highlight=False, soft_wrap=True)


def show_json(value: Any) -> None:
    """Print one JSON document."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(text.decode() + "\n")


def show_verbatim(text: str) -> None:
    """Print text of ours that is to be pasted somewhere: no line of it may be broken."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say(text: str, style: str | None = None, *, indent: str = "") -> None:
    """Print one line of text; on a terminal a long one goes on, indented, between two words."""
    # A tie is no printable character, and ours alone.
    text = TIE.join(one_line(each) for each in text.split(TIE))
    lines = [f"{indent}{text}"]
    if sys.stdout.isatty():
        lines = wrapped(text, Console().width, indent) or [""]
    for line in lines:
        console().print(escape(line.replace(TIE, " ")), style=style)


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Break a text between words only: a number or a name that is broken says something else."""
    return textwrap.wrap(
        text,
        max(width, _NARROWEST),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """Print rows: a table on a terminal, aligned columns without lines in a pipe."""
    cells = [[one_line(each or "") for each in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(header_style="bold", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells:
            table.add_row(*(_styled(each) for each in row))
        Console(highlight=False).print(table)
        return
    widths = [max(len(row[i]) for row in [columns, *cells]) for i in range(len(columns))]
    for row in [list(columns), *cells]:
        line = "  ".join(each.ljust(width) for each, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def _styled(text: str) -> str:
    style = _STYLES.get(text)
    return f"[{style}]{escape(text)}[/{style}]" if style else escape(text)
