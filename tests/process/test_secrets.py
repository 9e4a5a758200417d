"""A canary secret is planted and searched for in every byte that was written or said (S18)."""

from __future__ import annotations

from tests.process.play import Play

CANARY = "canary-7f3a91c2-never-to-be-seen"


async def test_the_secret_appears_nowhere(play: Play) -> None:
    """Through a whole life: entry, lost answers, an outage, a refusal, every command."""
    await play.open(secret=CANARY)
    play.stage.cold = True  # what a module does with the environment when it is read in counts too
    file = play.stage.directory / "surefoot.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f'"{CANARY}"', '"env:THE_SECRET"'), encoding="utf-8")
    keys = {"THE_SECRET": CANARY}
    play.control.arm("truncated_body", on="order.send")
    play.control.arm("error_before", on="openOrders", status=500, message="down")
    play.say("buy", "sell")
    server = await play.stage.start(environment=keys)
    await play.state_is("CLOSED", server=server)
    play.control.arm("reject", on="account", code=-1022, message="Signature is not valid.")
    said = []
    for command in (
        ("status",),
        ("status", "--json"),
        ("check",),
        ("check", "--json"),
        ("log", "--json"),
        ("explain", "bot-1"),
        ("recover", "--dry-run", "--json"),
        ("export",),
        ("backup", "copy.db"),
        ("pause", "bot", "--json"),
    ):
        _, output, errors = await play.stage.run(*command, environment=keys)
        said.append(output + errors)
    await server.stop()
    written = [path for path in play.stage.directory.rglob("*") if path.is_file()]
    assert {"surefoot.db", "copy.db", "server-1.log"} <= {path.name for path in written}
    needles = (CANARY.encode(), CANARY[:16].encode())
    found = [path.name for path in written if any(n in path.read_bytes() for n in needles)]
    assert found == []
    assert not any(CANARY[:16] in each for each in said)


async def test_the_search_would_find_it(play: Play) -> None:
    """The same search, with the canary left in the configuration: it is seen."""
    await play.open(secret=CANARY)
    written = [path for path in play.stage.directory.rglob("*") if path.is_file()]
    found = [path.name for path in written if CANARY.encode() in path.read_bytes()]
    assert found == ["surefoot.toml"]
