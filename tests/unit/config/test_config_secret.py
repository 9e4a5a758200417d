"""Keys: where they may come from, where they may not stand, and a wrapper that hides them."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
from pathlib import Path
from typing import Final

import pytest

from surefoot.config import Account, ConfigError, Secret, keys, load
from surefoot.config.secret import BYTES_MAX
from surefoot.core.errors import InvalidValue
from surefoot.core.values import AccountName


def loopback(host: str) -> str:
    return f"""
        public = "http://{host}/api/v3"
        private = "http://{host}/api/v3"
        ws.spot = "ws://{host}/stream/ws"
        ws.ws-api.spot = "ws://{host}/ws-api/v3"
    """


LOOPBACK: Final = loopback("127.0.0.1:1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "surefoot.toml"


def account(
    file: Path,
    key: str,
    *,
    urls: str = "",
    ccxt: str = "",
    consent: bool = False,
    keys: bool = True,
) -> Account:
    """Load a file with one account; its second key is always as good as the first."""
    file.write_text(
        f"""
        [accounts.main]
        exchange = "binance"
        api_key = {json.dumps(key)}
        secret = {json.dumps(key)}
        allow_custom_host = {str(consent).lower()}
        [accounts.main.ccxt]
        {ccxt}
        [accounts.main.ccxt.urls.api]
        {urls}
        """,
    )
    (found,) = load(file, {"KEY": "opensesame", "EMPTY": " \n"}, keys=keys).accounts.values()
    return found


def refusal(file: Path, key: str, *, urls: str = "", ccxt: str = "") -> str:
    """Return what both keys are refused with."""
    with pytest.raises(ConfigError) as caught:
        account(file, key, urls=urls, ccxt=ccxt)
    first, second = caught.value.problems
    assert first.removeprefix("accounts.main.api_key: ") == second.removeprefix(
        "accounts.main.secret: "
    )
    return first.removeprefix("accounts.main.api_key: ")


def other_refusal(file: Path, *, urls: str = "", ccxt: str = "") -> str:
    """Return what an account with good keys is refused with."""
    with pytest.raises(ConfigError) as caught:
        account(file, "env:KEY", urls=urls, ccxt=ccxt)
    (problem,) = caught.value.problems
    return problem


# From the environment and from files


def test_a_key_from_the_environment(file: Path) -> None:
    assert account(file, "env:KEY").api_key.reveal() == "opensesame"
    assert account(file, "env:KEY").secret.reveal() == "opensesame"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("env:NOT_SET", "the environment variable NOT_SET is not set; export it and start again"),
        ("env:key", "the environment variable key is not set; export it and start again"),
        ("env:EMPTY", "env:EMPTY is empty"),
        ("env:", '"env:" must be followed by the name of an environment variable'),
        ("env: KEY", '"env:" must be followed by the name of an environment variable'),
        ("env:A-B", '"env:" must be followed by the name of an environment variable'),
    ],
)
def test_a_variable_that_gives_no_key(file: Path, key: str, problem: str) -> None:
    assert refusal(file, key) == problem


def key_file(file: Path, content: bytes = b"opensesame\n", mode: int = 0o600) -> Path:
    path = file.parent / "key.txt"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_from_a_file_beside_the_configuration(file: Path, mode: int) -> None:
    """Without the line end that every editor adds, which the exchange would refuse."""
    path = key_file(file, mode=mode)
    assert account(file, "file:key.txt").api_key.reveal() == "opensesame"
    assert account(file, f"file:{path}").api_key.reveal() == "opensesame"


def test_a_key_from_a_file_at_home(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file(file)
    monkeypatch.setenv("HOME", str(file.parent))
    assert account(file, "file:~/key.txt").api_key.reveal() == "opensesame"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o601, 0o660, 0o777])
def test_a_file_that_others_may_touch_is_refused(file: Path, mode: int) -> None:
    """Each of the six bits by itself: who may write a key may choose the account."""
    path = key_file(file, mode=mode)
    assert refusal(file, "file:key.txt") == f"others may read {path}; run: chmod 600 {path}"


def test_a_link_is_judged_by_what_it_leads_to(file: Path) -> None:
    path = key_file(file, mode=0o644)
    (file.parent / "link").symlink_to(path)
    assert refusal(file, "file:link").startswith("others may read ")
    path.chmod(0o600)
    assert account(file, "file:link").api_key.reveal() == "opensesame"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "file:key.txt is empty"),
        (b" \n\n", "file:key.txt is empty"),
        (b"\xff\xfe", "{} is not text"),
        (b"x" * (BYTES_MAX + 1), "{} is too large for a key"),
    ],
    ids=["empty", "blank", "bytes", "large"],
)
def test_a_file_that_holds_no_key(file: Path, content: bytes, problem: str) -> None:
    path = key_file(file, content)
    assert refusal(file, "file:key.txt") == problem.format(path)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("file:", '"file:" must be followed by a path'),
        ("file:a\0b", '"file:" must be followed by a path'),
        ("file:missing", "{}/missing cannot be read: No such file or directory"),
        ("file:.", "{} cannot be read: Is a directory"),
        ("file:~nobody-here/x", "~nobody-here/x starts with a home directory that is not known"),
    ],
)
def test_a_path_that_leads_to_no_file(file: Path, key: str, problem: str) -> None:
    """A zero byte and an unknown home once came out as tracebacks."""
    assert refusal(file, key) == problem.format(file.parent)


def test_a_named_pipe_is_refused_and_not_waited_for(file: Path) -> None:
    """Opening one blocks until somebody writes: a start would hang without a word."""
    os.mkfifo(file.parent / "pipe", 0o600)
    assert refusal(file, "file:pipe") == f"{file.parent}/pipe is not a file"


# Written into the configuration


@pytest.mark.parametrize("key", ["opensesame", "ENV:KEY", "environment:KEY", " env:KEY", "env", ""])
@pytest.mark.parametrize("urls", ["", 'public = "https://api.binance.com/api/v3"'])
def test_a_literal_key_is_refused_for_a_real_exchange(file: Path, key: str, urls: str) -> None:
    """Configurations are shown, shared and committed."""
    assert refusal(file, key, urls=urls).startswith("a key must not be written here; write ")


def test_a_literal_key_is_refused_for_a_host_that_was_consented_to(file: Path) -> None:
    """Consent is about where orders go; it makes the exchange no simulated one."""
    with pytest.raises(ConfigError, match="a key must not be written here"):
        account(file, "opensesame", urls='public = "https://proxy.example/"', consent=True)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.1:8765", "127.9.9.9"]
)
def test_a_literal_key_is_allowed_on_this_machine(file: Path, host: str) -> None:
    """A simulated exchange takes any key, so there is nothing to protect."""
    found = account(file, "a:b", urls=loopback(host))
    assert found.environment == "simulated"
    assert found.api_key.reveal() == "a:b"


def test_half_a_simulated_exchange_is_refused(file: Path) -> None:
    """Ccxt fills missing urls in with the real exchange: a "simulated" account would trade."""
    problem = other_refusal(file, urls='public = "http://127.0.0.1:1/api/v3"')
    assert "urls.api.private is not given, so ccxt would use the real exchange" in problem


def test_a_proxy_needs_consent(file: Path) -> None:
    """A proxy sees signed orders just as a url does."""
    problem = other_refusal(file, ccxt='httpsProxy = "http://127.0.0.1:9"')
    assert "httpsProxy sends signed orders through another host" in problem


def test_an_empty_key_is_refused_even_there(file: Path) -> None:
    assert refusal(file, " ", urls=LOOPBACK) == "the key is empty"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://binance.com.example/", "the url host binance.com.example is neither this machi"),
        ("https://evilbinance.com/", "the url host evilbinance.com is neither this machine nor"),
        ("https://127.0.0.1.example/", "the url host 127.0.0.1.example is neither this machine"),
        ("https://127.0.0.1@evil.example/", "the url host evil.example is neither this machine "),
        ("http://0.0.0.0/", "the url host 0.0.0.0 is neither this machine nor one of binance's"),
        ("https://", "expected urls such as https://HOST/PATH"),
        ("https://[x", "expected urls such as https://HOST/PATH"),
    ],
)
def test_a_host_that_is_neither_is_refused(file: Path, url: str, told: str) -> None:
    """Signed orders would go to whoever wrote that line."""
    problem = other_refusal(file, urls=f'private = "{url}"')
    assert problem.startswith(f"accounts.main.ccxt.urls: {told}")


def test_this_machine_and_the_real_exchange_do_not_mix(file: Path) -> None:
    """A literal key would otherwise be allowed on the way to the real one."""
    mixed = 'public = "http://127.0.0.1/api"\nprivate = "https://api.binance.com/api/v3"'
    problem = other_refusal(file, urls=mixed)
    assert "mix this machine and real hosts" in problem


# Credentials among ccxt's own settings


def test_ccxts_settings_may_name_keys_and_are_plain_numbers(file: Path) -> None:
    ccxt = 'password = "env:KEY"\noptions.note = "env:KEY"\noptions.window = 0.5\ntimeout = 9'
    found = account(file, "env:KEY", ccxt=ccxt).ccxt
    assert found["password"] == "opensesame"
    assert found["options"] == {"note": "opensesame", "window": 0.5}
    assert type(found["options"]["window"]) is float
    assert found["timeout"] == 9


@pytest.mark.parametrize("name", ["password", "privateKey", "token", "twofa", "options.password"])
@pytest.mark.parametrize("written", ['"opensesame"', '["opensesame"]'])
def test_a_literal_credential_among_them_is_refused(file: Path, name: str, written: str) -> None:
    problem = other_refusal(file, ccxt=f"{name} = {written}")
    assert problem.startswith(f"accounts.main.ccxt.{name}: a key must not be written here")


@pytest.mark.parametrize("written", ["123456", "12.5", "true", "2026-01-02"])
def test_a_credential_without_quotes_is_refused_too(file: Path, written: str) -> None:
    """A password of digits is a number to TOML, and once went through."""
    problem = other_refusal(file, ccxt=f"password = {written}")
    assert problem == "accounts.main.ccxt.password: expected text in quotes"


def test_a_password_of_digits_in_a_variable_is_refused(file: Path, tmp_path: Path) -> None:
    """A variable's value is read as TOML below ccxt: it would have become a number."""
    account(file, "env:KEY")
    more = {"KEY": "k", "SUREFOOT__ACCOUNTS__MAIN__CCXT__PASSWORD": "123456"}
    with pytest.raises(ConfigError, match=r"main\.ccxt\.password: expected text in quotes"):
        load(tmp_path / "surefoot.toml", more)


def test_ccxts_own_names_of_the_two_keys_are_refused(file: Path) -> None:
    """Two keys for one account: which of them signs would be anybody's guess."""
    problem = other_refusal(file, ccxt='apiKey = "env:KEY"')
    assert problem == "accounts.main.ccxt.apiKey: write it as accounts.main.api_key"
    problem = other_refusal(file, ccxt='secret = "env:KEY"')
    assert problem == "accounts.main.ccxt.secret: write it as accounts.main.secret"


def test_a_url_is_used_as_it_was_judged(file: Path) -> None:
    """A url read from a variable would be another one than the one whose host was checked."""
    found = account(file, "env:KEY", urls='other = "env:KEY"')
    assert found.ccxt["urls"]["api"]["other"] == "env:KEY"


def test_without_keys_none_is_looked_for(file: Path) -> None:
    """`surefoot status` works on a machine that has no keys at all."""
    found = account(file, "env:NOT_SET", ccxt='password = "file:missing"', keys=False)
    assert found.ccxt["password"] is None
    with pytest.raises(InvalidValue, match="the keys of this account were not loaded"):
        found.api_key.reveal()


# The wrapper


def test_a_secret_shows_nothing() -> None:
    secret = Secret("opensesame")
    assert {str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret} == {"***"}  # noqa: UP031  # every way to print it
    assert repr([secret]) == "[***]"
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == "opensesame"


def test_a_secret_does_not_travel() -> None:
    """Pickled, copied or turned into JSON it would leave the process, or the wrapper."""
    secret = Secret("opensesame")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="a secret cannot be copied or pickled"):
            pickle.dumps(secret, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a secret cannot be copied or pickled"):
            duplicate(secret)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(secret)


def test_secrets_are_not_compared() -> None:
    """Equality would let a key be guessed, and a test of it would show both sides."""
    assert Secret("opensesame") != Secret("opensesame")


def test_an_account_neither_shows_nor_gives_away_its_keys(file: Path) -> None:
    found = account(file, "env:KEY", ccxt='password = "env:KEY"')
    assert "api_key=***, secret=***" in repr(found)
    assert "opensesame" not in repr(found)
    with pytest.raises(TypeError, match="a secret cannot be copied or pickled"):
        dataclasses.asdict(found)
    with pytest.raises(TypeError, match="a secret cannot be copied or pickled"):
        pickle.dumps(found)


def test_corrected_keys_are_read_again_and_the_old_ones_stay_blacked_out(file: Path) -> None:
    """While the file is half written, or means another place, the known ones stay."""

    def write(key: str, exchange: str = "binance") -> None:
        file.write_text(
            f'[accounts.main]\nexchange = "{exchange}"\napi_key = "{key}"\nsecret = "hush-hush"\n'
            f"[accounts.main.ccxt.urls.api]\n{LOOPBACK}"
        )

    write("first-key")
    settings = load(file, {})
    name = AccountName("main")
    write("second-key")
    assert keys(settings, name) == ("second-key", "hush-hush")
    assert set(settings.accounts[name].api_key.loaded) == {"first-key", "second-key"}
    file.write_text("[accounts.main")
    assert keys(settings, name) == ("second-key", "hush-hush")
    write("third-key")
    text = file.read_text().replace("127.0.0.1:1", "127.0.0.1:2")
    file.write_text(text)
    assert keys(settings, name) == ("second-key", "hush-hush")
