"""Writing into a journal as an intruder would: with another library, and past its guards."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def raw(path: Path) -> sqlite3.Connection:
    """Open the database with another library."""
    return sqlite3.connect(path)


def tamper(path: Path, *statements: str, guards: bool = True) -> None:
    """Take the guards away, run the statements, and put the guards back."""
    with closing(raw(path)) as connection, connection:
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        triggers = found.fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers if guards else ():
            connection.execute(sql)
