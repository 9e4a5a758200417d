"""The tables of a journal, as numbered migrations; each runs in one transaction of its own.

`records` is the authority; positions, orders, fills and watermarks follow from it. A position and
an order are stored whole (`data`), sealed with the chain value of the record they follow from, so
that nothing has to be replayed to act upon them. The database
defends itself: records cannot be changed or removed, a position moves along the state table only,
and an exchange trade has room for one row.
"""

from __future__ import annotations

from typing import Final

from surefoot.core.position import TRANSITIONS, State

APPLICATION_ID: Final = 0x53464F54  # "SFOT", so that `file` and we know what this is

_STATES = ", ".join(f"'{state}'" for state in State)
_EDGES = ", ".join(
    f"('{source}', '{target}')" for source, targets in TRANSITIONS.items() for target in targets
)

VERSION_1: Final = f"""
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
CREATE INDEX intents_by_time ON records (at) WHERE kind = 'order-intended';
CREATE INDEX recoveries ON records (sequence) WHERE kind = 'recovery-finished';
CREATE TRIGGER records_are_final BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER records_are_kept BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'records are never removed'); END;

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
    past         INTEGER NOT NULL,
    data         TEXT NOT NULL DEFAULT '',
    seal         BLOB NOT NULL DEFAULT x'',
    UNIQUE (bot, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX positions_not_past ON positions (bot, number) WHERE past = 0;
CREATE INDEX positions_frozen ON positions (bot, number) WHERE frozen IS NOT NULL;
CREATE TRIGGER positions_start_flat BEFORE INSERT ON positions WHEN NEW.state <> 'FLAT'
BEGIN SELECT RAISE(ABORT, 'illegal transition: a position starts FLAT'); END;
CREATE TRIGGER positions_follow_the_table BEFORE UPDATE OF state ON positions
WHEN NEW.state <> OLD.state AND NOT EXISTS (
    SELECT 1 FROM transitions WHERE source = OLD.state AND target = NEW.state)
BEGIN SELECT RAISE(ABORT, 'illegal transition: the state table has no such edge'); END;

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
    sequence          INTEGER NOT NULL REFERENCES records,
    data              TEXT NOT NULL,
    seal              BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_by_position ON orders (position_id, attempt);
CREATE INDEX orders_by_number ON orders (exchange_order_id) WHERE exchange_order_id IS NOT NULL;

CREATE TABLE fills (
    account         TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    trade_id        TEXT NOT NULL,
    client_order_id TEXT NOT NULL REFERENCES orders,
    side            TEXT NOT NULL,
    price           TEXT NOT NULL,
    quantity        TEXT NOT NULL,
    fee             TEXT NOT NULL,
    fee_asset       TEXT,
    at              TEXT NOT NULL,
    PRIMARY KEY (account, symbol, trade_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bots (
    bot TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE watermarks (
    account TEXT NOT NULL, symbol TEXT NOT NULL, trade_id TEXT NOT NULL,
    PRIMARY KEY (account, symbol)
) STRICT, WITHOUT ROWID;
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

MIGRATIONS: Final[tuple[str, ...]] = (VERSION_1,)
