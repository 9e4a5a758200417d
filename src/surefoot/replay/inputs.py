"""What is replayed: recorded candles and tapes, brought into one recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from heapq import merge
from pathlib import Path
from typing import Final

from surefoot.simulator.candle_files import Unreadable, length_of, read_candles
from surefoot.simulator.model import Hole, RecordedCandle, Recording, Tick
from surefoot.simulator.recorded import holes_in, prices, tape

# When a tape, which has no date, is taken to begin.
_TAPE_BEGIN_MS: Final = 1_767_225_600_000

CandlesBySymbol = Mapping[str, Sequence[RecordedCandle]]


def candles_of(files: Iterable[str]) -> CandlesBySymbol:
    """Read every SYMBOL=FILE.

    Raises:
        Unreadable: one is none.
    """
    found: dict[str, Sequence[RecordedCandle]] = {}
    for each in files:
        symbol, equals, name = each.partition("=")
        if not equals:
            raise Unreadable(f"{each}: expected SYMBOL=FILE, such as BTC/USDT=btc.csv")
        if wire_name(symbol) in found:
            raise Unreadable(f"{symbol} is given twice")
        found[wire_name(symbol)] = read_candles(Path(name))
    return found


def recording_of(
    candles: CandlesBySymbol,
    tape_: Path | None,
    *,
    spread: Decimal,
    since: datetime | None,
    until: datetime | None,
) -> Recording:
    """Bring everything into one order of time; what was before `since` is shown, not played.

    Raises:
        Unreadable: nothing is left to be played.
    """
    begin, end = _ms(since, 0), _ms(until, 1 << 62)
    lengths = {symbol: length_of(rows) for symbol, rows in candles.items()}
    played = {
        symbol: [row for row in rows if begin <= row.at_ms < end]
        for symbol, rows in candles.items()
    }
    empty = [symbol for symbol, rows in played.items() if not rows]
    if empty:
        raise Unreadable(f"between --from and --to nothing of {', '.join(empty)} is recorded")
    sources: list[Iterable[Tick]] = [
        prices(symbol, rows, lengths[symbol]) for symbol, rows in played.items()
    ]
    if tape_ is not None:
        sources.append(tape(tape_, _TAPE_BEGIN_MS))
    holes: list[Hole] = []
    for symbol, rows in candles.items():
        holes += (h for h in holes_in(symbol, rows, lengths[symbol]) if begin < h.end_ms < end)
    found = Recording(
        ticks=tuple(merge(*sources)),
        spread=spread,
        holes=tuple(sorted(holes, key=lambda hole: hole.begin_ms)),
        lengths=lengths,
        before={
            symbol: [row for row in rows if row.at_ms < begin] for symbol, rows in candles.items()
        },
    )
    if not found.ticks:
        raise Unreadable("there is nothing to replay: give SYMBOL=FILE, --fetch or --tape FILE")
    return found


def wire_name(symbol: str) -> str:
    """Return how the exchange writes a symbol: without its slash."""
    return symbol.replace("/", "")


def _ms(at: datetime | None, otherwise: int) -> int:
    """Return milliseconds of a time, which is UTC unless it says otherwise."""
    if at is None:
        return otherwise
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1_000)
