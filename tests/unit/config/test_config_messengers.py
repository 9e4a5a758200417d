"""Messengers in the configuration: tokens are named, addresses are not shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from surefoot.config import ConfigError, Settings, load
from surefoot.notify.event import EventKind, Weight

WHOLE = """
[telegram]
token = "env:TOKEN"
allow = [7, 8, 7]

[[webhooks]]
url = "https://example.org/canary-path"
secret = "env:HOOK"
events = ["exit", "frozen"]
least = "warning"

[[apprise]]
url = "env:SERVICE"

[heartbeat]
url = "https://example.org/ping"
every = "30s"

[state]
file = "open_positions.json"
"""
TOKENS = {"TOKEN": "12:abc-canary", "HOOK": "hook-canary", "SERVICE": "json://canary"}


def settings(tmp_path: Path, text: str = WHOLE, **environment: str) -> Settings:
    path = tmp_path / "surefoot.toml"
    path.write_text(text)
    return load(path, TOKENS | environment, keys=False, messengers=True)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    return "\n".join(caught.value.problems)


def test_everybody_is_found(tmp_path: Path) -> None:
    notify = settings(tmp_path).notify
    assert notify.telegram is not None
    assert notify.telegram.token.reveal() == "12:abc-canary"
    assert notify.telegram.allow == (7, 8)
    (hook,) = notify.webhooks
    assert hook.events == {EventKind.EXIT, EventKind.FROZEN}
    assert hook.least is Weight.WARNING
    (service,) = notify.apprise
    assert service.url.reveal() == "json://canary"
    assert service.events == set(EventKind)
    assert notify.heartbeat is not None
    assert notify.heartbeat.every == timedelta(seconds=30)
    assert notify.state == tmp_path / "open_positions.json"
    assert notify.wanted
    assert {each.reveal() for each in notify.secrets} >= {"12:abc-canary", "hook-canary"}


def test_nothing_of_it_is_shown(tmp_path: Path) -> None:
    assert "canary" not in repr(settings(tmp_path))


def test_commands_that_tell_nobody_look_for_no_token(tmp_path: Path) -> None:
    path = tmp_path / "surefoot.toml"
    path.write_text(WHOLE)
    notify = load(path, {}, keys=False).notify
    assert notify.wanted
    assert [each.loaded for each in notify.secrets] == [()] * len(notify.secrets)


def test_without_any_nobody_is_told(tmp_path: Path) -> None:
    assert not settings(tmp_path, "").notify.wanted


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"env:TOKEN"', '"12:abc"', "telegram.token: a key must not be written here"),
        ('"env:HOOK"', '"in-the-open"', "webhooks[0].secret: a key must not be written here"),
        ('"env:SERVICE"', '"env:NOWHERE"', "apprise[0].url: the environment variable NOWHERE"),
        ("[7, 8, 7]", "[]", "telegram.allow: expected Telegram user ids"),
        ("[7, 8, 7]", '["me"]', "telegram.allow: expected Telegram user ids"),
        ('"exit", ', '"exits", ', "webhooks[0].events: expected a list of kinds of events: "),
        ('"warning"', '"loud"', "webhooks[0].least"),
        ('"30s"', "30", "heartbeat.every"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in WHOLE
    assert problem in refusal(tmp_path, WHOLE.replace(old, new))


def test_the_environment_reaches_a_table_that_may_be_missing(tmp_path: Path) -> None:
    found = settings(tmp_path, SUREFOOT__TELEGRAM__LEAST="alarm").notify.telegram
    assert found is not None
    assert found.least is Weight.ALARM
