"""No key, secret or password is ever part of a refusal: one is planted wherever it could be.

A refusal is printed, logged and pasted into bug reports, and so is all that hangs on it.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

import pytest

from surefoot.config import ConfigError, Settings, load

CANARY: Final = "cAnArY7f3b"  # no part of it is a word that a message could hold by chance
MARK: Final = CANARY.lower()

ACCOUNT: Final = """
[accounts.main]
exchange = "binance"
api_key = "env:KEY"
secret = "env:SECRET"
"""
BOT: Final = """
[bots.dip-btc]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
"""
KEYS: Final = {"KEY": CANARY, "SECRET": CANARY}
LITERAL_KEY: Final = ACCOUNT.replace("env:KEY", CANARY)
LITERAL_SECRET: Final = ACCOUNT.replace("env:SECRET", CANARY)

# Every file is wrong in some way, and has the canary where a key or a password may be.
FILES: Final = {
    "literal key": LITERAL_KEY,
    "literal secret": LITERAL_SECRET,
    "literal key with a colon": ACCOUNT.replace("env:KEY", f"{CANARY}:x"),
    "key after a space": ACCOUNT.replace("env:KEY", f"env: {CANARY}"),
    "key with a sign": ACCOUNT.replace("env:KEY", f"env:{CANARY}/+="),
    "no quotes": ACCOUNT.replace('"env:KEY"', CANARY),
    "no closing quote": ACCOUNT.replace('"env:KEY"', f'"{CANARY}'),
    "a bad escape": ACCOUNT.replace('"env:KEY"', f'"{CANARY}\\q"'),
    "a line of its own": f"{ACCOUNT}\n{CANARY}\n",
    "written twice": f'{ACCOUNT}secret = "{CANARY}"',
    "no utf-8": ACCOUNT.replace("env:KEY", f"{CANARY}\udcff"),
    "in a list": ACCOUNT.replace('"env:KEY"', f'["{CANARY}"]'),
    "in a table": ACCOUNT.replace('"env:KEY"', f'{{ value = "{CANARY}" }}'),
    "misspelled key": f'{ACCOUNT}apikey = "{CANARY}"',
    "ccxt's name of it": f'{ACCOUNT}apiKey = "{CANARY}"',
    "on the bot": f'{ACCOUNT}{BOT}api_key = "{CANARY}"',
    "on top": f'api_key = "{CANARY}"\n{ACCOUNT}',
    "without a name": f'[accounts]\nexchange = "binance"\napi_key = "{CANARY}"',
    "instead of an account": f'[accounts]\nmain = "{CANARY}"',
    "instead of all accounts": f'accounts = "{CANARY}"',
    "beside an unknown exchange": LITERAL_KEY.replace("binance", "binanse"),
    "beside a bad url": f'{LITERAL_KEY}ccxt.urls.api = "https://evil.example"',
    "beside a wrong value": f"{LITERAL_KEY}visibility = 5",
    "ccxt itself": f'{ACCOUNT}ccxt = "{CANARY}"',
    "ccxt.apiKey": f'{ACCOUNT}ccxt.apiKey = "{CANARY}"',
    "ccxt.secret": f'{ACCOUNT}ccxt.secret = "{CANARY}"',
    "ccxt.password": f'{ACCOUNT}ccxt.password = "{CANARY}"',
    "ccxt.privateKey": f'{ACCOUNT}ccxt.privateKey = "{CANARY}"',
    "url with a password": f'{ACCOUNT}ccxt.urls.api = "https://me:{CANARY}@evil.example/"',
    "url without a scheme": f'{ACCOUNT}ccxt.urls.api = "://me:{CANARY}@evil.example/"',
    "url without a host": f'{ACCOUNT}ccxt.urls.api = "https:///{CANARY}"',
    "url that is refused": f'{ACCOUNT}ccxt.urls.api = "https://me:{CANARY}\u2100@evil.example/"',
    "url in brackets": f'{ACCOUNT}ccxt.urls.api = "https://[{CANARY}]/"',
    "urls that mix": f'{ACCOUNT}ccxt.urls = {{ a = "https://me:{CANARY}@api.binance.com/", '
    f'b = "http://me:{CANARY}@127.0.0.1/" }}',
    "journal of another kind": f'journal.url = "mysql://me:{CANARY}@db.example/x"',
    "journal that is refused": f'journal.url = "postgresql://me:{CANARY}\u2100@db.example/x"',
    "journal in a list": f'journal.url = ["postgresql://me:{CANARY}@db.example/x"]',
    "journal without a key": f'journal = "postgresql://me:{CANARY}@db.example/x"',
    "journal, misspelled": f'journal.ur = "postgresql://me:{CANARY}@db.example/x"',
    "journal beside a mistake": f'journal.url = "postgresql://me:{CANARY}@db.example/x"\nx = 1',
}
ACCOUNT_VARIABLES: Final = [
    "API_KEY",
    "SECRET",
    "CCXT",
    "CCXT__PASSWORD",
    "APIKEY",
    "",
    "SECRET__X",
]
VARIABLES: Final = [
    "SUREFOOT__JOURNAL__URL",
    "SUREFOOT__JOURNAL",
    "SUREFOOT__ACCOUNTS",
    "SUREFOOT__ACCOUNTS__MAIN",
    "SUREFOOT__ACCOUNTS__OTHER__API_KEY",
    "SUREFOOT__API_KEY",
    *(f"SUREFOOT__ACCOUNTS__MAIN__{name}" for name in ACCOUNT_VARIABLES),
]


def refusal(directory: Path, text: str, environment: dict[str, str]) -> ConfigError:
    path = directory / "surefoot.toml"
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        load(path, environment)
    return caught.value


def shown(error: BaseException | None) -> str:
    """Return all that an exception shows, and all that hangs on it, in small letters."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        texts += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(texts).lower()


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_no_refusal_of_a_file_shows_a_key(tmp_path: Path, text: str) -> None:
    error = refusal(tmp_path, text, KEYS)
    assert MARK not in shown(error)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_nothing_hangs_on_a_refusal(tmp_path: Path, text: str) -> None:
    """A driver's exception holds what it read, whatever its message says."""
    error = refusal(tmp_path, text, KEYS)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("value", ["{}", '["{}"]', '{{ x = "{}" }}', "mysql://me:{}@db.example/x"])
def test_no_refusal_of_a_variable_shows_its_value(
    tmp_path: Path, variable: str, value: str
) -> None:
    """With a mistake beside it, for those values that are fine."""
    environment = {**KEYS, variable: value.format(CANARY), "SUREFOOT__X": "1"}
    error = refusal(tmp_path, ACCOUNT, environment)
    assert MARK not in shown(error)


@pytest.mark.parametrize(
    ("content", "mode"),
    [(CANARY, 0o644), (CANARY * 9999, 0o600), (f"{CANARY}\udcff", 0o600)],
    ids=["open to others", "too large", "not text"],
)
def test_no_refusal_of_a_key_file_shows_what_is_in_it(
    tmp_path: Path, content: str, mode: int
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content.encode("utf-8", errors="surrogateescape"))
    path.chmod(mode)
    error = refusal(tmp_path, ACCOUNT.replace("env:KEY", "file:key"), KEYS)
    assert str(path) in str(error)
    assert MARK not in shown(error)


def test_good_keys_stay_out_of_a_refusal_of_something_else(tmp_path: Path) -> None:
    """By then they have been read, and lie beside what is refused."""
    error = refusal(tmp_path, f'{ACCOUNT}ccxt.password = "env:KEY"\n{BOT}x = 1\n[y]', KEYS)
    assert len(error.problems) == 2
    assert MARK not in shown(error)


def test_settings_do_not_show_their_keys(tmp_path: Path) -> None:
    settings = good(tmp_path)
    for each in (settings, *settings.accounts.values(), *settings.bots.values()):
        assert MARK not in f"{each} {each!r}".lower()
    assert MARK not in settings.journal_shown.lower()
    assert settings.accounts[next(iter(settings.accounts))].secret.reveal() == CANARY


def good(directory: Path) -> Settings:
    path = directory / "surefoot.toml"
    journal = f'journal.url = "postgresql://me:{CANARY}@db.example/x?password={CANARY}"'
    path.write_text(f'{journal}\n{ACCOUNT}ccxt.password = "env:KEY"\n{BOT}')
    return load(path, KEYS)


def test_the_canary_is_seen_where_it_may_be_shown(tmp_path: Path) -> None:
    """Otherwise all of the above would pass by looking in the wrong place."""
    assert MARK in shown(refusal(tmp_path, f'{ACCOUNT}{BOT}stop_loss = "{CANARY}"', KEYS))
    with pytest.raises(ConfigError) as caught:
        hang_the_canary_on_a_refusal()
    assert MARK not in str(caught.value).lower()
    assert MARK in shown(caught.value)


def hang_the_canary_on_a_refusal() -> None:
    try:
        int(CANARY)
    except ValueError:
        raise ConfigError("file", ["something else"])  # noqa: B904  # with its context
