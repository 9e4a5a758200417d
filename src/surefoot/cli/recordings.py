"""Options that say what is replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from surefoot.cli.outcome import Failed
from surefoot.config import Settings
from surefoot.replay.fetched import Fetched, kept_at, public_side
from surefoot.replay.inputs import CandlesBySymbol, candles_of, recording_of
from surefoot.simulator import Origin
from surefoot.simulator.candle_files import Unreadable
from surefoot.simulator.model import RecordedCandle, Recording


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Recordings:
    """What is replayed, beside the files.

    Parameters
    ----------
    since
        Where to begin; the candles before it are the `history` of the strategies.
    until
        Where to end.
    fetch
        Symbols whose candles are read from the venue, between --from and --to, and kept.
    timeframe
        Of what is fetched.
    tape_
        A tape of the simulator, beside or instead of candles.
    spread
        Between bid and ask, as a part of the price.
    """

    since: Annotated[datetime | None, Parameter(name="--from")] = None
    until: Annotated[datetime | None, Parameter(name="--to")] = None
    fetch: Annotated[str | None, Parameter(name="--fetch")] = None
    timeframe: str = "1m"
    tape_: Annotated[Path | None, Parameter(name="--tape")] = None
    spread: Annotated[Decimal, Parameter(validator=validators.Number(gte=0, lt=1))] = Decimal(
        "0.0002"
    )

    def read(self, files: tuple[str, ...], settings: Settings) -> Recording:
        """Bring everything together.

        Raises:
            Failed: it cannot be read, or there is nothing.
        """
        try:
            candles = dict(candles_of(files))
            if self.fetch is not None:
                candles |= asyncio.run(self._fetched(self.fetch.split(","), settings))
            return recording_of(
                candles, self.tape_, spread=self.spread, since=self.since, until=self.until
            )
        except Unreadable as error:
            raise Failed(str(error)) from error

    async def _fetched(self, symbols: Iterable[str], settings: Settings) -> CandlesBySymbol:
        name, origin = _source(settings)
        cache = kept_at(settings.directory / "surefoot.candles", name, origin)
        found: dict[str, Sequence[RecordedCandle]] = {}
        async with public_side(name, origin) as exchange:
            source = Fetched(exchange, self.timeframe, cache)
            for symbol in symbols:
                found |= await source.candles(symbol, self.since, self.until)
        return found


def _source(settings: Settings) -> tuple[str, Origin]:
    """Return a venue and where it is read: as paper accounts do, or else its public side."""
    name = "binance"
    for account in settings.accounts.values():
        name, paper = account.exchange, account.paper
        if paper is not None and paper.rest is not None and paper.streams is not None:
            return name, Origin(rest=paper.rest, streams=paper.streams, symbols=())
    return name, Origin.at(None, ())
