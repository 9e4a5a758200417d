"""What a whole journal tells of a world that no single record of it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

# What has to have happened somewhere, and only a whole journal tells: what became of orders that
# a record of some kind speaks of.
SIGHTS: Final = {
    "doubt ended live": (
        "SELECT count(DISTINCT s.data ->> 'client_order_id') FROM records r JOIN records s "
        "ON s.stream = r.stream AND s.data ->> 'client_order_id' = r.data ->> 'client_order_id' "
        "WHERE r.kind = 'order-doubted' AND s.kind = 'order-reported' "
        "AND s.data ->> 'status' = 'OPEN'"
    ),
    "doubt ended filled": (
        "SELECT count(DISTINCT o.client_order_id) FROM records r JOIN orders o "
        "ON o.client_order_id = r.data ->> 'client_order_id' "
        "WHERE r.kind = 'order-doubted' AND o.status = 'FILLED'"
    ),
    "doubt ended part filled": (
        "SELECT count(DISTINCT o.client_order_id) FROM records r JOIN orders o "
        "ON o.client_order_id = r.data ->> 'client_order_id' "
        "WHERE r.kind = 'order-doubted' AND o.status != 'FILLED' AND CAST(o.filled AS REAL) > 0"
    ),
    "cancel lost to a fill": (
        "SELECT count(DISTINCT o.client_order_id) FROM records r JOIN orders o "
        "ON o.client_order_id = r.data ->> 'client_order_id' "
        "WHERE r.kind = 'cancel-intended' AND o.status = 'FILLED'"
    ),
    "position that grew": (
        "SELECT count(*) FROM (SELECT position_id FROM orders WHERE role = 'entry' "
        "AND CAST(filled AS REAL) > 0 GROUP BY position_id HAVING count(*) > 1)"
    ),
}


def seen(rows: Callable[[str], list[Any]]) -> dict[str, int]:
    """Return how often each kind of record stands in the journal, and what they tell of."""
    found = rows("SELECT kind, count(*) FROM records GROUP BY kind")
    counts = {f"record {kind}": count for kind, count in found}
    for sight, query in SIGHTS.items():
        ((count,),) = rows(query) or [(0,)]
        counts[f"sight {sight}"] = count
    return counts
