"""Cut a small tape for the simulator out of recorded Binance spot streams.

    python benchmarks/cut_tape.py OUT.jsonl.gz SECONDS RECORDING.jsonl.gz...

A recording has one frame a line: the local receive time in ns, a space, the frame as Binance sent
it (`bookTicker`, `trade`; anything else is left out). The tape has a line that says what it is,
then rows of [ms, symbol, "b", bid, ask] and [ms, symbol, "t", price, quantity]. Every trade of the
stretch is kept; of the best bid and ask at most ten changes a second.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

BOOK_EVERY_MS = 100


def rows_of(path: Path, seconds: int) -> list[list[Any]]:
    """Return the rows of one recording's first seconds."""
    rows: list[list[Any]] = []
    first, last_book = 0, -BOOK_EVERY_MS
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            received, _, frame = line.partition(" ")
            first = first or int(received)
            at = (int(received) - first) // 1_000_000
            if at > seconds * 1000:
                break
            data = json.loads(frame)["data"]
            if data.get("e") == "trade":
                rows.append([at, data["s"], "t", short(data["p"]), short(data["q"])])
            elif (
                "b" in data and "a" in data and "e" not in data and at - last_book >= BOOK_EVERY_MS
            ):
                last_book = at
                rows.append([at, data["s"], "b", short(data["b"]), short(data["a"])])
    return rows


def short(amount: str) -> str:
    """Write an amount without the zeros at its end."""
    return amount.rstrip("0").rstrip(".")


def main() -> None:
    """Cut, merge by time, write."""
    out, seconds, *recordings = sys.argv[1:]
    rows = [row for name in recordings for row in rows_of(Path(name), int(seconds))]
    rows.sort(key=lambda row: row[0])
    symbols = sorted({row[1] for row in rows})
    about = {"source": "Binance spot streams, 2024-08-09", "symbols": symbols, "rows": len(rows)}
    # No name and no time in the header: the same input makes the same bytes.
    with Path(out).open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        for line in [about, *rows]:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    print(f"{out}: {len(rows)} rows, {Path(out).stat().st_size} bytes")


if __name__ == "__main__":
    main()
