"""What a journal database is asked, as SQL."""

from __future__ import annotations

from typing import Final

from surefoot.journal.projection import ORDER_OF, POSITION_OF

ORDERS: Final = f"""
SELECT {ORDER_OF}, orders.seal, chain, bot FROM orders
JOIN positions USING (position_id) JOIN records USING (sequence)"""  # noqa: S608
AMONG: Final = "IN (SELECT value FROM json_each(?))"
ORDERS_OF: Final = f"{ORDERS} WHERE position_id {AMONG} ORDER BY position_id, attempt"
# Attempts are numbered without a gap.
NEWEST_ORDERS_OF: Final = f"""{ORDERS}
WHERE (position_id, attempt) IN (
    SELECT value, attempt FROM json_each(?2) CROSS JOIN orders ON position_id = value
    AND attempt > (SELECT max(attempt) FROM orders WHERE position_id = value) - ?1)
ORDER BY position_id, attempt"""  # noqa: S608
ORDERS_NAMED: Final = f"{ORDERS} WHERE client_order_id {AMONG} AND account = ? AND symbol = ?"
HELD_ORDERS: Final = f"SELECT client_order_id, data FROM orders WHERE client_order_id {AMONG}"  # noqa: S608
HELD_FILLS: Final = f"SELECT client_order_id, trade_id FROM fills WHERE client_order_id {AMONG}"  # noqa: S608
ORDERS_NUMBERED: Final = f"{ORDERS} WHERE exchange_order_id {AMONG} AND account = ? AND symbol = ?"
COLUMNS: Final = "sequence, stream, version, at, CAST(data AS BLOB)"
NEWEST: Final = f"SELECT {COLUMNS} FROM records ORDER BY sequence DESC LIMIT ?"  # noqa: S608
LAST: Final = f"""
SELECT {COLUMNS} FROM records WHERE stream = ? AND kind = ?
AND sequence < ifnull(?, 9223372036854775807) ORDER BY sequence DESC LIMIT 1"""  # noqa: S608
KNOWN_COMMANDS: Final = f"SELECT command_id FROM commands WHERE command_id {AMONG}"  # noqa: S608


# Each of these has an index that answers it; a test holds the query plans.
# With the newest record of its stream, which a position must follow from.
POSITIONS: Final = f"""
SELECT {POSITION_OF}, seal, records.version, chain FROM positions
LEFT JOIN records ON sequence = (SELECT sequence FROM records AS newest
    WHERE newest.stream = 'position/' || position_id ORDER BY newest.version DESC LIMIT 1)"""  # noqa: S608
POSITION: Final = f"{POSITIONS} WHERE position_id = ?"
POSITIONS_NAMED: Final = f"{POSITIONS} WHERE position_id {AMONG}"
NEWEST_POSITION: Final = f"{POSITIONS} WHERE bot = ? ORDER BY number DESC LIMIT 1"
# Names are few and rows are many: an index is asked for the next name, again and again.
BOTS: Final = """
WITH RECURSIVE names (stream) AS (
    SELECT min(stream) FROM records WHERE stream >= 'bot/' AND stream < 'bot0'
    UNION ALL
    SELECT (SELECT min(stream) FROM records WHERE stream > names.stream AND stream < 'bot0')
    FROM names WHERE names.stream IS NOT NULL)"""
BOT_NAMES: Final = f"{BOTS} SELECT substr(stream, 5) FROM names WHERE stream <> ''"  # noqa: S608
WORDS: Final = f"""{BOTS}
SELECT sequence, records.stream, version, at, CAST(data AS BLOB) FROM names CROSS JOIN records
ON sequence = (SELECT max(sequence) FROM records AS words
    WHERE words.stream = names.stream AND words.kind = 'bot-status-changed')"""  # noqa: S608
NEWEST_NUMBERS: Final = """
WITH RECURSIVE names (bot) AS (
    SELECT min(bot) FROM positions
    UNION ALL
    SELECT (SELECT min(bot) FROM positions WHERE bot > names.bot)
    FROM names WHERE names.bot IS NOT NULL)
SELECT bot, (SELECT max(number) FROM positions WHERE positions.bot = names.bot)
FROM names WHERE bot <> ''"""
NEWEST_POSITIONS: Final = f"{POSITIONS} WHERE (bot, number) IN ({NEWEST_NUMBERS})"
# Put in order afterwards: SQLite would copy every row once more, or walk the index of names, which
# has every position ever.
UNSETTLED: Final = f"{POSITIONS} WHERE settled_at IS NULL OR settled_at > ?"
FROZEN_OF: Final = (
    "SELECT position_id FROM positions WHERE bot = ? AND frozen IS NOT NULL ORDER BY number"
)
FROZEN_BY_BOT: Final = (
    "SELECT bot, position_id FROM positions WHERE frozen IS NOT NULL ORDER BY bot, number"
)
FROZEN: Final = "SELECT position_id FROM frozen"
SOUGHT: Final = """
SELECT DISTINCT substr(stream, 10) FROM records INDEXED BY nevers_by_time
WHERE kind = 'order-never' AND data ->> 'may_have_left' AND at > ?"""
THERE: Final = (
    "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM records WHERE stream = value)"
)
WRITTEN: Final = """
SELECT at FROM records INDEXED BY intents_by_time WHERE kind = 'order-intended' AND at >= ?
    AND data ->> '$.order.role' <> 'stop'
    AND (SELECT bot FROM positions WHERE position_id = substr(stream, 10)) = ?
ORDER BY at"""
# The same words as those of its index: without them it is not used.
FEES: Final = """
SELECT fee FROM fills INDEXED BY fees_taken WHERE account = ? AND fee_asset = ? AND at >= ?
    AND NOT (side = 'buy' AND instr(symbol, fee_asset || '/') = 1)"""
MOVES: Final = """
SELECT data ->> 'trade_id' FROM records
WHERE kind = 'watermark-moved' AND stream = ? AND data ->> 'symbol' = ?"""
WATERMARK_BEFORE: Final = f"{MOVES} AND at <= ? ORDER BY at DESC, sequence DESC LIMIT 1"
FIRST_WATERMARK: Final = f"{MOVES} ORDER BY at, sequence LIMIT 1"
WATERMARK: Final = f"{MOVES} ORDER BY sequence DESC LIMIT 1"
NEWEST_OF_BOT: Final = """
WITH streams (stream) AS (
    SELECT ? UNION ALL SELECT 'position/' || position_id FROM positions WHERE bot = ?),
newest (sequence) AS (
    SELECT sequence FROM streams CROSS JOIN records INDEXED BY records_by_kind USING (stream)
    ORDER BY sequence DESC LIMIT ?)
SELECT sequence, stream, version, at, CAST(data AS BLOB)
FROM newest CROSS JOIN records USING (sequence)
ORDER BY sequence DESC"""
LAST_RECOVERY: Final = """
SELECT sequence, stream, version, at, CAST(data AS BLOB) FROM records
WHERE kind = 'recovery-finished'
ORDER BY sequence DESC LIMIT 1"""
# From one account's stream to the next, however many records each of them has.
ACCOUNTS: Final = """
WITH RECURSIVE found (stream) AS (
    SELECT min(stream) FROM records WHERE stream > 'account/' AND stream < 'account0'
    UNION ALL
    SELECT (SELECT min(stream) FROM records WHERE stream > found.stream AND stream < 'account0')
    FROM found WHERE found.stream IS NOT NULL)
SELECT substr(stream, 9) FROM found WHERE stream IS NOT NULL"""
