"""`python -m surefoot.simulator`: start the exchange, print its address, run on."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from surefoot.simulator.model import Origin, Settings
from surefoot.simulator.server import Simulator


def main() -> None:
    """Start with the arguments of the command line."""
    try:
        asyncio.run(_serve(settings_of(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(0)


def settings_of(arguments: Sequence[str]) -> Settings:
    """Return what the arguments of the command line ask for."""
    parser = argparse.ArgumentParser(prog="python -m surefoot.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    modes = ("tape", "random", "manual", "mirror")
    parser.add_argument("--market", choices=modes, default="manual")
    parser.add_argument("--from", dest="origin", default=None, help="whom to mirror, by address")
    parser.add_argument("--symbols", default="BTCUSDT", help="what to mirror")
    parser.add_argument("--state", type=Path, default=None, help="a file that outlives it")
    parser.add_argument("--fills", choices=("touch", "through"), default=None)
    parser.add_argument("--tape", type=Path, default=None, help="a tape instead of the bundled one")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast the tape is played")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fees", choices=("received", "quote", "bnb", "mixed"), default="received")
    parser.add_argument("--slices", type=int, default=1, help="trades that a market order makes")
    parser.add_argument("--key", default=Settings.key)
    parser.add_argument("--secret", default=Settings.secret)
    parser.add_argument("--usdt", type=Decimal, default=Decimal(100_000))
    given = parser.parse_args(arguments)
    how: dict[str, Any] = {
        "port": given.port,
        "key": given.key,
        "secret": given.secret,
        "tape": given.tape,
        "speed": given.speed,
        "seed": given.seed,
        "fee_mode": given.fees,
        "slices": given.slices,
        "state": given.state,
        "balances": {"USDT": given.usdt, "BNB": Decimal(10)},
    }
    if given.market == "mirror":
        settings = Settings.mirroring(Origin.at(given.origin, given.symbols.split(",")), **how)
    else:
        settings = Settings(market=given.market, **how)
    settings.fills = given.fills or settings.fills
    return settings


async def _serve(settings: Settings) -> None:
    async with Simulator(settings) as simulator:
        address = {"url": simulator.url, "pid": os.getpid()}
        sys.stdout.write(json.dumps(address) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
