"""Making the tables of a journal anew from its records, where they say something else.

The records are the authority and are never touched: if their chain does not hold, nothing is
repaired. What is not sound is copied before it is changed, and every change is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import apsw

from surefoot.journal.codec import Tip
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.integrity import check_chain, check_schema, check_states
from surefoot.journal.lease import Lease
from surefoot.journal.opening import check_version, connect, copy, quick_check, unusable
from surefoot.journal.port import Repair
from surefoot.journal.projection import (
    INSERT_FILL,
    INSERT_ORDER,
    INSERT_POSITION,
    order_row,
    sealed_order,
    sealed_position,
)
from surefoot.journal.replay import differences, replays
from surefoot.journal.schema import (
    EDGES,
    MIGRATIONS,
    PROJECTIONS,
    own_schema,
    schema_objects,
    strayed,
)

# More differences than this are counted, not told one by one.
TOLD_MAX: Final = 1_000


def repair_sqlite(path: Path, *, at: datetime) -> Repair:
    """Make the tables of a journal follow from its records again; sound ones are left alone.

    Raises:
        JournalLocked: a server runs on it.
        JournalUnusable: its records do not hold, so that nothing can be made from them.
    """
    if not path.exists():
        raise JournalUnusable(f"there is no journal at {path}")
    lease = Lease(path.with_name(f"{path.name}.lock"))
    lease.take(at)
    try:
        with unusable(path):
            connection = connect(path)
            try:
                return _repair(connection, path, at)
            finally:
                connection.close()
    finally:
        lease.release()


def _repair(connection: apsw.Connection, path: Path, at: datetime) -> Repair:
    check_version(connection, path, len(MIGRATIONS), oldest=len(MIGRATIONS))
    quick_check(connection, path)
    tip = check_chain(connection)
    mended = tuple(_mistakes(connection))
    if not mended:
        return Repair(records=tip.sequence, mended=(), copy=None)
    kept = path.with_name(f"{path.name}.before-repair-{at:%Y%m%dT%H%M%S}")
    copy(connection, kept)
    _rebuild(connection, tip)
    return Repair(records=tip.sequence, mended=mended, copy=kept)


def _mistakes(connection: apsw.Connection) -> Iterator[str]:
    """Yield all that is wrong; rows only of tables that can be read.

    Raises:
        JournalUnusable: a table that does not follow from records is not this program's.
    """
    own, found = own_schema(MIGRATIONS), schema_objects(connection)
    names = strayed(found, own)
    for name in names:
        lost = name in own and own[name].kind == "table" and name not in PROJECTIONS
        if lost:
            raise JournalUnusable(f"the table {name} is not this program's; restore a backup")
        yield f"the schema was wrong about {name}"
    if any(found.get(name) != own[name] for name in PROJECTIONS):
        yield "its tables could not be read, and were made anew"
        return
    try:
        check_states(connection)
    except JournalUnusable as error:
        yield str(error)
    told = 0
    for told, sentence in enumerate(differences(connection), start=1):
        if told <= TOLD_MAX:
            yield sentence
    if told > TOLD_MAX:
        yield f"… and {told - TOLD_MAX} more"


def _rebuild(connection: apsw.Connection, tip: Tip) -> None:
    """Drop what follows from records and make it again, in one transaction.

    Raises:
        JournalUnusable: the outcome is not sound; nothing was changed.
    """
    connection.execute("PRAGMA foreign_keys = OFF")
    with connection:
        _drop(connection)
        _make(connection)
        check_schema(connection, MIGRATIONS)
        wrong = next(differences(connection), None)
        if wrong is not None or check_chain(connection) != tip:
            raise JournalUnusable(f"its records make no sound tables ({wrong}); restore a backup")


def _drop(connection: apsw.Connection) -> None:
    """Drop every guard and index, what follows from records, and what is not this program's."""
    for name, made in schema_objects(connection).items():
        if made.kind != "table":
            connection.execute(f'DROP {made.kind} IF EXISTS "{name}"')
    others = set(schema_objects(connection)).difference(own_schema(MIGRATIONS))
    for name in (*PROJECTIONS, *others):
        connection.execute(f'DROP TABLE IF EXISTS "{name}"')


def _make(connection: apsw.Connection) -> None:
    own = own_schema(MIGRATIONS)
    for name in PROJECTIONS:
        connection.execute(own[name].sql)
    connection.executemany("INSERT INTO transitions VALUES (?, ?)", sorted(EDGES))
    for replayed in replays(connection):
        position = replayed.position
        connection.execute(INSERT_POSITION, sealed_position(position, replayed.tip))
        if position.frozen is not None:
            connection.execute("INSERT INTO frozen VALUES (?)", (position.position_id,))
        for order, last in replayed.orders.values():
            row = order_row(position.position_id, order)
            connection.execute(INSERT_ORDER, sealed_order(row, last))
        connection.executemany(INSERT_FILL, replayed.fills)
    for made in own.values():
        if made.kind != "table":
            connection.execute(made.sql)
