"""The tables of a journal, as numbered migrations; each runs in one transaction of its own.

`records` is the authority; positions, orders and fills follow from it. A position and an order are
stored whole (`data`), sealed with the chain value of the record they follow from, so that nothing
has to be replayed to act upon them. The database defends itself: records cannot be changed, removed
or replaced, a position moves along the state table only, and an exchange trade of an order has room
for one row. What is frozen now it lists by itself, so that no table of positions hides it. Whoever
drops these guards is found out: a start holds the schema against the program's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import apsw
from msgspec import Struct

from surefoot.core.position import TRANSITIONS, State

APPLICATION_ID: Final = 0x53464F54  # "SFOT", so that `file` and we know what this is

_STATES = ", ".join(f"'{state}'" for state in State)
EDGES: Final = frozenset(
    (source.value, target.value) for source, targets in TRANSITIONS.items() for target in targets
)
_EDGES = ", ".join(f"('{source}', '{target}')" for source, target in sorted(EDGES))

# Whoever replaces a row removes one, and REPLACE asks no trigger of removal: so nothing is put
# where something is.
_RECORDS: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    sequence INTEGER PRIMARY KEY,
    stream   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    at       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    data     TEXT NOT NULL,
    chain    BLOB NOT NULL,
    UNIQUE (stream, version)
) STRICT;
CREATE INDEX records_by_kind ON records (stream, kind, sequence);
CREATE INDEX watermark_moves ON records (stream, data ->> 'symbol', at, sequence)
    WHERE kind = 'watermark-moved';
CREATE INDEX newest_watermarks ON records (stream, data ->> 'symbol', sequence)
    WHERE kind = 'watermark-moved';
CREATE INDEX intents_by_time ON records (at) WHERE kind = 'order-intended';
CREATE INDEX recoveries ON records (sequence) WHERE kind = 'recovery-finished';
CREATE INDEX nevers_by_time ON records (at)
    WHERE kind = 'order-never' AND data ->> 'may_have_left';
CREATE TRIGGER records_are_final BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER records_are_kept BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'records are never removed'); END;
CREATE TRIGGER records_are_not_replaced BEFORE INSERT ON records WHEN EXISTS (
    SELECT 1 FROM records WHERE sequence = NEW.sequence
    UNION ALL SELECT 1 FROM records WHERE stream = NEW.stream AND version = NEW.version)
BEGIN SELECT RAISE(ABORT, 'records are never replaced'); END;
"""

_PROJECTIONS: Final = f"""
CREATE TABLE transitions (
    source TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (source, target)
) STRICT, WITHOUT ROWID;
INSERT INTO transitions VALUES {_EDGES};

CREATE TABLE positions (
    position_id  TEXT PRIMARY KEY,
    bot          TEXT NOT NULL,
    account      TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    number       INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ({_STATES})),
    phase        TEXT NOT NULL,
    frozen       TEXT,
    quantity     TEXT NOT NULL,
    entry_price  TEXT,
    realized_pnl TEXT NOT NULL,
    stop         TEXT,
    take_profit  TEXT,
    settled_at   TEXT,
    data         TEXT NOT NULL,
    seal         BLOB NOT NULL,
    UNIQUE (bot, number)
) STRICT;
CREATE INDEX positions_by_end ON positions (settled_at);
CREATE INDEX positions_frozen ON positions (bot, number) WHERE frozen IS NOT NULL;
CREATE TRIGGER positions_start_flat BEFORE INSERT ON positions WHEN NEW.state <> 'FLAT'
BEGIN SELECT RAISE(ABORT, 'illegal transition: a position starts FLAT'); END;
CREATE TRIGGER positions_follow_the_table BEFORE UPDATE OF state ON positions
WHEN NEW.state <> OLD.state AND NOT EXISTS (
    SELECT 1 FROM transitions WHERE source = OLD.state AND target = NEW.state)
BEGIN SELECT RAISE(ABORT, 'illegal transition: the state table has no such edge'); END;
CREATE TRIGGER positions_are_kept BEFORE DELETE ON positions
BEGIN SELECT RAISE(ABORT, 'positions are never removed'); END;
CREATE TRIGGER positions_are_not_replaced BEFORE INSERT ON positions WHEN EXISTS (
    SELECT 1 FROM positions WHERE position_id = NEW.position_id OR rowid = NEW.rowid
    UNION ALL SELECT 1 FROM positions WHERE bot = NEW.bot AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'positions are never replaced'); END;

CREATE TABLE frozen (position_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TRIGGER freezes_begin AFTER INSERT ON records WHEN NEW.kind = 'position-frozen'
BEGIN INSERT INTO frozen VALUES (substr(NEW.stream, 10)) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER freezes_end AFTER INSERT ON records
WHEN NEW.kind IN ('position-thawed', 'position-resolved')
BEGIN DELETE FROM frozen WHERE position_id = substr(NEW.stream, 10); END;
CREATE TRIGGER freezes_are_final BEFORE UPDATE ON frozen
BEGIN SELECT RAISE(ABORT, 'freezes are never changed'); END;
CREATE TRIGGER freezes_are_kept BEFORE DELETE ON frozen WHEN 'position-frozen' = (
    SELECT kind FROM records WHERE stream = 'position/' || OLD.position_id
    AND kind IN ('position-frozen', 'position-thawed', 'position-resolved')
    ORDER BY version DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'freezes are never removed but by a record'); END;

CREATE TABLE orders (
    client_order_id   TEXT PRIMARY KEY,
    position_id       TEXT NOT NULL REFERENCES positions,
    role              TEXT NOT NULL,
    attempt           INTEGER NOT NULL,
    side              TEXT NOT NULL,
    quantity          TEXT NOT NULL,
    limit_price       TEXT,
    trigger_price     TEXT,
    status            TEXT NOT NULL,
    exchange_order_id TEXT,
    filled            TEXT NOT NULL,
    not_after         TEXT NOT NULL,
    data              TEXT NOT NULL,
    sequence          INTEGER NOT NULL REFERENCES records,
    seal              BLOB NOT NULL
) STRICT;
CREATE INDEX orders_by_position ON orders (position_id, attempt);
CREATE INDEX orders_by_number ON orders (exchange_order_id) WHERE exchange_order_id IS NOT NULL;
CREATE TRIGGER orders_are_kept BEFORE DELETE ON orders
BEGIN SELECT RAISE(ABORT, 'orders are never removed'); END;

CREATE TABLE fills (
    client_order_id TEXT NOT NULL REFERENCES orders,
    trade_id        TEXT NOT NULL,
    account         TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL,
    price           TEXT NOT NULL,
    quantity        TEXT NOT NULL,
    fee             TEXT NOT NULL,
    fee_asset       TEXT,
    at              TEXT NOT NULL,
    PRIMARY KEY (client_order_id, trade_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_by_trade ON fills (account, symbol, trade_id);
CREATE INDEX fees_taken ON fills (account, fee_asset, at)
    WHERE NOT (side = 'buy' AND instr(symbol, fee_asset || '/') = 1);
CREATE TRIGGER fills_are_kept BEFORE DELETE ON fills
BEGIN SELECT RAISE(ABORT, 'fills are never removed'); END;
CREATE TRIGGER fills_are_not_replaced BEFORE INSERT ON fills WHEN EXISTS (
    SELECT 1 FROM fills WHERE client_order_id = NEW.client_order_id AND trade_id = NEW.trade_id)
BEGIN SELECT RAISE(ABORT, 'fills are never replaced'); END;
"""

_KEPT: Final = """
CREATE TABLE memories (bot TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE commands (
    command_id TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    target     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    posted_at  TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    arguments  TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('posted', 'done', 'refused')),
    result     TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX commands_open ON commands (posted_at) WHERE status = 'posted';
"""

# Tables that can be made again from records, in the order in which they can be dropped.
PROJECTIONS: Final = ("fills", "orders", "frozen", "positions", "transitions")
MIGRATIONS: Final[tuple[str, ...]] = (f"{_RECORDS}{_PROJECTIONS}{_KEPT}",)


class Made(Struct, frozen=True):
    """One thing in a schema: a table, an index or a trigger, and the SQL that made it."""

    kind: str
    table: str
    sql: str


def schema_objects(connection: apsw.Connection) -> dict[str, Made]:
    """Return what a database is made of, by name."""
    rows = connection.execute("SELECT name, type, tbl_name, sql FROM sqlite_schema WHERE sql <> ''")
    return {str(name): Made(str(kind), str(table), str(sql)) for name, kind, table, sql in rows}


@cache
def own_schema(migrations: tuple[str, ...]) -> Mapping[str, Made]:
    """Return what these migrations make."""
    database = apsw.Connection(":memory:")
    for migration in migrations:
        database.execute(migration)
    return schema_objects(database)


def strayed(found: Mapping[str, Made], wanted: Mapping[str, Made]) -> Sequence[str]:
    """Return the names of what is missing, is not the program's own, or should not be there."""
    return sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
