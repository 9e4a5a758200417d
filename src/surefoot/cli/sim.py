"""`surefoot sim`: the simulated exchange alone."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from surefoot.cli.outcome import FINE
from surefoot.cli.output import say, show_json, show_table, show_verbatim
from surefoot.cli.simulated import account_at
from surefoot.simulator import Settings, Simulator
from surefoot.simulator.faults import FAULTS
from surefoot.simulator.model import MarketMode, Origin


def sim(
    *,
    port: int = 0,
    market: Literal["tape", "random", "manual", "mirror"] = "tape",
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    symbols: str = "BTCUSDT",
    speed: float = 1.0,
    seed: int = 1,
    fees: Literal["received", "quote", "bnb", "mixed"] = "received",
    slices: int = 1,
    fills: Literal["touch", "through"] | None = None,
    state: Path | None = None,
    faults: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Run an exchange on this machine that speaks Binance spot's wire, until stopped.

    Parameters
    ----------
    port
        Where to listen, on loopback; 0 takes a free port.
    market
        Prices from the bundled tape, a seeded walk, only by hand, or from another exchange.
    from_
        Of a mirror: the address of another simulator; without one, Binance's public prices.
    symbols
        Of a mirror: which symbols, such as BTCUSDT,ETHUSDT.
    speed
        How fast the tape is played.
    seed
        The seed of the walk and of the candles before the start.
    fees
        In which asset fees are taken.
    slices
        How many trades a market order makes.
    fills
        How orders fill: when the price touches them, or as pessimistic as paper trading.
    state
        A file that keeps orders, trades and balances; the next start goes on from there.
    faults
        List the faults that can be armed, and exit.
    json_
        Print one JSON document with the address.
    """
    if faults:
        show_json(FAULTS) if json_ else show_table(("FAULT", "WHAT HAPPENS"), list(FAULTS.items()))
        return FINE
    given: dict[str, Any] = {
        "port": port, "speed": speed, "seed": seed, "fee_mode": fees, "slices": slices,
        "state": state,
    }  # fmt: skip
    settings = _settings(market, given, Origin.at(from_, symbols.split(",")))
    if fills is not None:
        settings.fills = fills
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve(settings, as_json=json_))
    return FINE


def _settings(market: MarketMode, given: dict[str, Any], origin: Origin) -> Settings:
    if market == "mirror":
        return Settings.mirroring(origin, **given)
    return Settings(market=market, **given)


async def _serve(settings: Settings, *, as_json: bool) -> None:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
    async with Simulator(settings) as simulator:
        if as_json:
            show_json({"url": simulator.url, "pid": os.getpid()})
        else:
            _explain(simulator.url, settings)
        await asyncio.Event().wait()


def _explain(url: str, settings: Settings) -> None:
    say(f"A simulated exchange listens on {url}; stop it with Ctrl-C.", "bold")
    say(f"A configuration for it: surefoot init --sim {url}")
    say("Or put this into a surefoot.toml, in the place of [accounts.main]:")
    show_verbatim(f"\n{account_at(url, settings)}\n")
    show_verbatim(
        f'Faults: surefoot sim --faults, then e.g. curl -d \'{{"name": "lose_response", '
        f'"on": "order.send"}}\' {url}/sim/arm; the truth: curl {url}/sim/ledger'
    )
