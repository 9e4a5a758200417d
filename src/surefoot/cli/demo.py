"""`surefoot demo`: see bots die and come back."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators
from msgspec.structs import asdict

from surefoot.cli.outcome import FAILED, FINE
from surefoot.cli.output import say, show_json
from surefoot.core.values import counted
from surefoot.demo import Kill, Show, Stage, Verdict

# Kills of a demo that is watched: more than anybody has time for.
ENDLESS: Final = 10_000
# How long a life may be looked at before the next kill.
LOOK_S: Final = 15.0


def demo(
    *,
    kills: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))] = 6,
    seed: int = 1,
    keep: Annotated[bool, Parameter(negative="")] = False,
    watch: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Run bots on a simulated exchange and a recorded tape; kill them; count what went wrong.

    No keys and no network. Exits with 1 unless the exchange's own ledger shows nothing wrong.

    Parameters
    ----------
    kills
        How often to kill the server.
    seed
        Chooses the moments after the first eight, and when a random kill comes.
    keep
        Keep the directory with the journal and the logs.
    watch
        Go on playing, killing and recovering until Ctrl-C, with time to look at the dashboard.
    json_
        Print one JSON document instead of the story.
    """
    directory = Path(tempfile.mkdtemp(prefix="surefoot-demo-"))
    if watch:
        return _watched(directory, seed, keep=keep)
    deaths, verdict = asyncio.run(_run(directory, kills, seed, quiet=json_))
    if json_:
        show_json({"kills": [_document(each) for each in deaths], "verdict": asdict(verdict)})
    else:
        _sentence(verdict)
    if keep or not verdict.clean:
        say(f"journal and logs: {directory}") if not json_ else None
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return FINE if verdict.clean else FAILED


def _watched(directory: Path, seed: int, *, keep: bool) -> int:
    """Play until somebody has seen enough."""
    deaths: list[Kill] = []
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_watch(directory, seed, deaths))
    say(f"Stopped after {counted(len(deaths), 'kill')}.")
    if keep:
        say(f"journal and logs: {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return FINE


async def _watch(directory: Path, seed: int, deaths: list[Kill]) -> None:
    stage = Stage(directory)
    show = Show(stage, kills=ENDLESS, seed=seed)
    playing = asyncio.current_task()
    if playing is not None:
        # Ctrl-C reaches the processes of the stage too: what they do of it is no news any more.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    try:
        await show.open()
        say(f"Watch it: {await stage.open_dashboard()}", "bold")
        say("A simulated exchange plays a recorded tape; four bots trade on it.", "bold")
        say("Their server is killed and started again until you press Ctrl-C.")
        say("")
        async for kill in show.kills():
            deaths.append(kill)
            _tell(kill)
            await stage.clock.sleep(LOOK_S)
    finally:
        await stage.close()


async def _run(
    directory: Path, kills: int, seed: int, *, quiet: bool
) -> tuple[list[Kill], Verdict]:
    stage = Stage(directory)
    show = Show(stage, kills=kills, seed=seed)
    deaths: list[Kill] = []
    try:
        await show.open()
        if not quiet:
            say(f"Watch it: {await stage.open_dashboard()}", "bold")
            say("A simulated exchange plays a recorded tape; four bots trade on it.", "bold")
            say(f"Their server is killed {kills} times with SIGKILL and started again.")
            say("")
        async for kill in show.kills():
            deaths.append(kill)
            if not quiet:
                _tell(kill)
        return deaths, await show.verdict()
    finally:
        await stage.close()


def _tell(kill: Kill) -> None:
    say(f"{kill.number:>3}  killed {kill.moment}", "bold red")
    say(f"     believed  {kill.believed}")
    say(f"     true      {kill.true}")
    say(f"     done      {kill.done}", "green")
    say("")


def _sentence(verdict: Verdict) -> None:
    unexplained = ", ".join(f"{gap} {asset}" for asset, gap in verdict.unexplained.items()) or "0"
    say("Verdict, counted from the exchange's own ledger:", "bold")
    say(f"  orders                 {verdict.orders}")
    say(f"  fills                  {verdict.fills}")
    for name, count in (
        ("duplicates", str(verdict.duplicates)),
        ("orphans", str(verdict.orphans)),
        ("unbooked fills", str(verdict.unbooked)),
        ("unexplained exposure", unexplained),
    ):
        say(f"  {name:<22} {count}", "bold green" if count == "0" else "bold red")


def _document(kill: Kill) -> dict[str, object]:
    return {
        "number": kill.number,
        "moment": kill.moment,
        "believed": kill.believed,
        "true": kill.true,
        "done": kill.done,
    }
