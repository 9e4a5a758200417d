"""Strategies are tried in a process of their own, and what importing them does ends with it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from surefoot.config import ConfigError, Settings, load, strategies, trial, tried

HEAD = "from surefoot.strategy import Strategy\n"
KINDS = """
class One(Strategy):
    timeframe = "1h"
    history = 7

class Two(Strategy):
    pass
"""


def settings(directory: Path, code: str) -> Settings:
    (directory / "bots.py").write_text(HEAD + code + KINDS)
    file = directory / "surefoot.toml"
    file.write_text(
        '[accounts.main]\nexchange = "binance"\napi_key = "env:KEY"\nsecret = "env:KEY"\n'
        + "".join(
            f'[bots.{kind.lower()}]\naccount = "main"\nsymbol = "BTC/USDT"\n'
            f'strategy = "bots.py:{kind}"\nnotional = 100\n'
            for kind in ("One", "Two")
        )
    )
    return load(file, {"KEY": "some-key"})


def test_what_they_ask_for_comes_back_and_nothing_else(tmp_path: Path) -> None:
    """Neither the module nor what it printed. Catches a `check` that lives on as a bot does."""
    found = tried(settings(tmp_path, "print('hello from the author')\n"), serving=False)
    asked = {bot: (each.timeframe, each.history) for bot, each in found.asked.items()}
    assert asked == {"one": ("1h", 7), "two": (None, 0)}
    assert not any(getattr(each, "One", None) for each in tuple(sys.modules.values()))


def test_a_mistake_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"bots\.one\.strategy: bots\.py: ValueError: no"
    ) as refused:
        tried(settings(tmp_path, "raise ValueError('no')\n"), serving=False)
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [("import os\nos._exit(3)\n", "ended the process"), ("while True: pass\n", "took more than")],
)
def test_one_that_never_comes_back_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    if "while" in code:
        monkeypatch.setattr(trial, "LIMIT_S", 3.0)
    with pytest.raises(ConfigError, match=f"importing the strategies {said}"):
        tried(settings(tmp_path, code), serving=False)


def test_an_address_in_use_is_the_servers_while_one_runs(tmp_path: Path) -> None:
    """A strategy may listen: its own server is no reason to call it broken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wanting = settings(
            tmp_path, f"import socket\nsocket.create_server(('127.0.0.1', {port}))\n"
        )
        assert tried(wanting, serving=True).in_use == ("one", "two")
        with pytest.raises(ConfigError, match="an address it wants is in use"):
            tried(wanting, serving=False)


def test_two_bots_of_one_file_import_it_once(tmp_path: Path) -> None:
    """What it opens can be opened once. Catches "address in use" of a file's own making."""
    count = tmp_path / "count"
    code = f"file = open({str(count)!r}, 'a')\nfile.write('x')\nfile.close()\n"
    assert set(strategies(settings(tmp_path, code))) == {"one", "two"}
    assert count.read_text() == "x"
