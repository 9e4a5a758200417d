"""Whether a journal is what it says: a schema of the program's own, and a chain without a break."""

from __future__ import annotations

from typing import Final

import apsw

from surefoot.journal.codec import Tip, link
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.schema import EDGES, own_schema, schema_objects, strayed

# What a person does about a table that does not follow from its records.
REBUILD: Final = "stop the server, and `surefoot repair` makes the tables anew from the records"
_ROWS: Final = """
SELECT sequence, version, CAST(stream AS BLOB), CAST(at AS BLOB), CAST(kind AS BLOB),
    CAST(data AS BLOB), chain
FROM records WHERE sequence > ? ORDER BY sequence"""


def check_chain(connection: apsw.Connection, *, newest: int | None = None) -> Tip:
    """Walk the hash chain (only the newest rows, if asked) and return its end.

    Raises:
        JournalUnusable: a row was changed, removed or put in between.
    """
    start = 0
    if newest is not None:
        start = max(0, (connection.execute("SELECT max(sequence) FROM records").get or 0) - newest)
    tip = Tip()
    if start:
        chain = connection.execute("SELECT chain FROM records WHERE sequence = ?", (start,)).get
        tip = Tip(start, chain or b"")
    for sequence, version, *texts, stored in connection.execute(_ROWS, (start,)):
        tip = link(tip, version, *(text or b"" for text in texts))
        if tip != Tip(sequence, stored):
            raise JournalUnusable(
                f"journal row {sequence} does not follow from the rows before it: it was changed "
                f"or something was removed; restore a backup",
            )
    return tip


def check_schema(connection: apsw.Connection, migrations: tuple[str, ...]) -> None:
    """Hold tables, indexes and triggers against the program's own.

    Raises:
        JournalUnusable: something is missing, changed, or should not be there.
    """
    names = strayed(schema_objects(connection), own_schema(migrations))
    if names:
        what = ", ".join(names)
        raise JournalUnusable(f"the journal's schema is not this program's ({what}); {REBUILD}")
    check_states(connection)


def check_states(connection: apsw.Connection) -> None:
    """Hold the table of states, which a trigger reads, against the program's own.

    Raises:
        JournalUnusable: it has other edges.
    """
    if set(connection.execute("SELECT source, target FROM transitions")) != EDGES:
        raise JournalUnusable(f"the journal's table of states is not this program's; {REBUILD}")
