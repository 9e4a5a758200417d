"""Write docs/commands.md from what the command line says of itself; a test holds the two equal.

python benchmarks/command_reference.py
"""

from __future__ import annotations

import re
from pathlib import Path

from surefoot.cli import COMMANDS, application

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
HEAD = """\
# Commands

Every command, with what it takes; `surefoot COMMAND --help` says the same.
This page is made from the command line itself: `python benchmarks/command_reference.py`.

| Exit code | Meaning |
|---|---|
| 0 | fine |
| 1 | failed: no answer of the exchange, a journal that is in use, a command that was refused |
| 2 | usage, configuration or the journal: something that you have to change first |
| 3 | something wants somebody: [`review`](review.md) is not empty |

`--json` prints one document on stdout; logs and errors go to stderr.
What commands do to a running server, and which to use when, is in [how to](how-to.md).
"""


def reference() -> str:
    """Return the whole page."""
    table = ["| command | |", "|---|---|"]
    table += [f"| [`{name}`](#{name}) | {summary} |" for name, (_, summary) in COMMANDS.items()]
    app = application()
    chapters = [_chapter(name, app[name].generate_docs(heading_level=2)) for name in COMMANDS]
    return "\n".join([HEAD, *table, "", *chapters])


def _chapter(name: str, text: str) -> str:
    """Return one command's text under a heading that is its name, without what is said above."""
    body = text.split("\n", 1)[1]
    body = body.replace("```console\n", "```console\n$ surefoot ", 1)
    body = re.sub(r"^\* `([A-Z_-]+), --[a-z-]+", r"* `\1", body, flags=re.MULTILINE)
    return f"## {name}\n{body.rstrip()}\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
