"""From a file to settings: what is understood, what is refused, and in which words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any, Final

import pytest

from surefoot.config import Bot, ConfigError, Settings, load, strategy_file, template
from surefoot.config import strategies as make_strategies
from surefoot.config.load import BYTES_MAX
from surefoot.core.exits import ExitPlan
from surefoot.core.sizing import Amount, Pool, Risk, Share, Size
from surefoot.engine.limits import Caps, Limits
from surefoot.strategy.examples import DipBuyer

KEYS: Final = {"KEY": "the key", "SECRET": "the secret"}
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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "surefoot.toml"


@pytest.fixture(autouse=True)
def _same_imports_afterwards() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("surefoot_"):
            del sys.modules[name]


def loaded(file: Path, text: str) -> Settings:
    file.write_text(text)
    return load(file, KEYS)


def test_two_accounts_with_one_key_are_refused(file: Path) -> None:
    """They would be one login, and each would cancel the other's orders."""
    again = ACCOUNT.replace("accounts.main", "accounts.second")
    with pytest.raises(ConfigError, match=r"second: it has the key of accounts\.main") as refused:
        loaded(file, ACCOUNT + again + BOT)
    assert "the key" not in str(refused.value).replace("it has the key", "")


def test_a_bot_is_not_called_as_a_position_of_another(file: Path) -> None:
    """Catches a close of dip-btc's first position that sells what the bot dip-btc-1 holds."""
    (why,) = refused(file, ACCOUNT + BOT + BOT.replace("dip-btc", "dip-btc-1"))
    assert why.startswith("bots.dip-btc-1: a position of dip-btc may be called so")


def the_bot(file: Path, more: str) -> Bot:
    (bot,) = loaded(file, ACCOUNT + BOT + more).bots.values()
    return bot


def refused(file: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        loaded(file, text)
    return caught.value.problems


def refusal(file: Path, text: str) -> str:
    """Return the one problem; a second one would be noise to whoever reads it."""
    (problem,) = refused(file, text)
    return problem


# What is understood


def test_an_empty_file_is_all_defaults(file: Path) -> None:
    settings = loaded(file, "")
    assert settings.accounts == {}
    assert settings.bots == {}
    assert settings.recovery.lookback == timedelta(hours=24)
    assert settings.recovery.give_up_after == timedelta(minutes=10)
    assert (settings.log.format, settings.log.level) == ("console", "info")


def test_a_bot_has_everything_it_needs(file: Path) -> None:
    bot = the_bot(file, 'stop_loss = "2%"\ntrailing_stop = "off"\nparams = { dip = 0.003 }\n')
    assert bot.notional == Amount(notional=D(100))
    assert bot.max_slippage is None
    assert bot.plan == ExitPlan(stop_loss=D("0.02"))
    assert (bot.stop_at, bot.stop_step) == ("exchange", D("0.002"))
    assert bot.params == {"dip": D("0.003")}


@pytest.mark.parametrize(
    ("written", "fraction"),
    [
        ('"2%"', D("0.02")),
        ('" 2.5 % "', D("0.025")),
        ("0.02", D("0.02")),
        ('"0.02"', D("0.02")),
        ("0.1", D("0.1")),
        ('"off"', None),
    ],
)
def test_a_distance_is_a_percentage_a_fraction_or_off(
    file: Path, written: str, fraction: D | None
) -> None:
    """0.1 is exactly a tenth: a float on the way would show here."""
    for key in ("stop_loss", "take_profit", "break_even", "trailing_stop"):
        assert getattr(the_bot(file, f"{key} = {written}").plan, key) == fraction


@pytest.mark.parametrize(
    "written", ["2", "1", "0", "-0.02", '"-2%"', '"0%"', "nan", '"inf"', "true"]
)
def test_a_distance_that_may_mean_two_things_or_none_is_refused(file: Path, written: str) -> None:
    """A bare 2 might be two percent or two hundred."""
    problem = refusal(file, f"{ACCOUNT}{BOT}stop_loss = {written}")
    assert problem.startswith("bots.dip-btc.stop_loss: expected a")


def test_gains_may_be_taken_in_parts(file: Path) -> None:
    plan = the_bot(file, 'take_profit = [{ at = "3%", fraction = 0.5 }, { at = "6%" }]').plan
    assert [(part.at, part.fraction) for part in plan.parts] == [(D("0.03"), D("0.5"))]
    assert plan.take_profit == D("0.06")
    problem = refusal(file, f'{ACCOUNT}{BOT}take_profit = [{{ at = "3%", share = 1 }}]')
    assert problem.startswith("bots.dip-btc.take_profit: expected a table such as")
    problem = refusal(file, f"{ACCOUNT}{BOT}take_profit = []")
    assert problem.startswith('bots.dip-btc.take_profit: no take-profit is listed; "off"')


def test_a_stop_is_less_than_all_away_and_a_target_may_be_more(file: Path) -> None:
    assert the_bot(file, 'take_profit = "150%"').plan.take_profit == D("1.5")
    for key in ("stop_loss", "trailing_stop"):
        problem = refusal(file, f'{ACCOUNT}{BOT}{key} = "100%"')
        assert problem == f"bots.dip-btc.{key}: a stop is less than 100% away"


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("10 m", timedelta(minutes=10)),
        ("24h", timedelta(hours=24)),
        ("3d", timedelta(days=3)),
    ],
)
def test_a_duration_has_a_unit(file: Path, written: str, span: timedelta) -> None:
    assert loaded(file, f'[recovery]\nlookback = "{written}"').recovery.lookback == span


@pytest.mark.parametrize(
    "written", ["30", '"30"', '"0s"', '"-1h"', '"1 week"', '"1.5h"', '"4000d"']
)
def test_a_duration_that_has_none_or_is_absurd_is_refused(file: Path, written: str) -> None:
    """A bare 30 would be seconds to one reader and minutes to the next."""
    problem = refusal(file, f"[recovery]\nlookback = {written}")
    assert problem.startswith("recovery.lookback: expected a duration ")


def test_the_journal_lies_beside_the_file_wherever_it_is_started_from(file: Path) -> None:
    assert loaded(file, "").journal_path == file.parent / "surefoot.db"
    other = loaded(file, '[journal]\nurl = "sqlite:////var/lib/surefoot.db"')
    assert other.journal_path == Path("/var/lib/surefoot.db")


def test_a_journal_on_a_server_is_shown_without_its_password(file: Path) -> None:
    url = "postgresql://someone:sesame@db.example/surefoot"
    settings = loaded(file, f'[journal]\nurl = "{url}"')
    assert settings.journal_url == url
    assert settings.journal_path is None
    assert settings.journal_shown == "postgresql://db.example/surefoot"


# Caps


def test_caps_come_from_the_bot_then_from_limits_then_from_the_notional(file: Path) -> None:
    limits = '[limits]\nposition_notional = 300\nprice_band = "1%"\n'
    own = "[bots.dip-btc.limits]\norders_per_minute = 5\nprice_band = 0.02\n"
    (bot,) = loaded(file, limits + ACCOUNT + BOT + own).bots.values()
    assert bot.limits == Limits(
        order_notional=D(200),  # twice the bot's notional
        position_notional=D(300),
        orders_per_minute=5,
        price_band=D("0.02"),
    )


@pytest.mark.parametrize("cap", ["order_notional", "position_notional"])
def test_a_bot_that_could_never_enter_is_refused(file: Path, cap: str) -> None:
    """Each of its entries would be refused by its own cap, one by one and for ever."""
    over = f"bots.dip-btc.notional: 100 is over the cap {cap} of 99.5"
    assert refusal(file, f"[limits]\n{cap} = 99.5\n{ACCOUNT}{BOT}") == over
    assert refusal(file, f"{ACCOUNT}{BOT}[bots.dip-btc.limits]\n{cap} = 99.5") == over
    loaded(file, f"[limits]\n{cap} = 100\n{ACCOUNT}{BOT}")


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ('"20%"', Share(fraction=D("0.2"))),
        ('"20% of free"', Share(fraction=D("0.2"))),
        ('"100% of total"', Share(fraction=D(1), pool=Pool.TOTAL)),
        ('"risk 1%"', Risk(fraction=D("0.01"))),
        ('"risk 1% to the stop"', Risk(fraction=D("0.01"))),
        ('"100"', Amount(notional=D(100))),
    ],
)
def test_a_size_is_an_amount_a_share_or_a_risk(file: Path, written: str, size: Size) -> None:
    bot = BOT.replace("notional = 100", f"notional = {written}")
    found = loaded(file, f"[limits]\norder_notional = 500\n{ACCOUNT}{bot}").bots["dip-btc"]  # type: ignore[index]
    assert found.notional == size
    assert (found.limits.order_notional, found.limits.position_notional >= D(200)) == (500, True)


@pytest.mark.parametrize("written", ['"101%"', '"0%"', '"20% of me"', '"risk it"', '"risk 2"'])
def test_a_size_that_nobody_can_mean_is_refused(file: Path, written: str) -> None:
    bot = BOT.replace("notional = 100", f"notional = {written}")
    assert "bots.dip-btc.notional: " in refusal(file, f"{ACCOUNT}{bot}")


def test_a_share_needs_a_cap(file: Path) -> None:
    """Nobody knows what a fifth comes to. Catches an entry with all that there is."""
    bot = BOT.replace("notional = 100", 'notional = "20%"')
    assert "bots.dip-btc.limits.order_notional is missing" in refusal(file, f"{ACCOUNT}{bot}")


def test_the_caps_of_an_account_are_its_own(file: Path) -> None:
    caps = "[accounts.main.caps]\nexposure = 1000\npositions = 3\ndaily_loss = 50\n"
    (account,) = loaded(file, f"{ACCOUNT}{caps}{BOT}").accounts.values()
    assert account.caps == Caps(exposure=D(1000), positions=3, daily_loss=D(50))
    (account,) = loaded(file, f"{ACCOUNT}{BOT}").accounts.values()
    assert account.caps is None


@pytest.mark.parametrize("written", ["0", "-1", "1.5", "true", '"20"'])
def test_a_rate_is_a_whole_number(file: Path, written: str) -> None:
    """True is an int to Python: it would allow one order a minute."""
    problem = refusal(file, f"[limits]\norders_per_minute = {written}")
    assert problem.startswith("limits.orders_per_minute: expected a whole number of 1 or more")


# Unknown names, with the nearest known one


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[journl]", 'journl is not a known key; did you mean "journal"?'),
        (
            f'{ACCOUNT}{BOT}stop_los = "2%"',
            'bots.dip-btc.stop_los is not a known key; did you mean "stop_loss"?',
        ),
        (
            f'{ACCOUNT}{BOT}Stop-Loss = "2%"',
            'bots.dip-btc.Stop-Loss is not a known key; did you mean "stop_loss"?',
        ),
        (
            f"{ACCOUNT}api_keys = 1",
            'accounts.main.api_keys is not a known key; did you mean "api_key"?',
        ),
        (
            f"{ACCOUNT}{BOT}limits.order_notionl = 5",
            'bots.dip-btc.limits.order_notionl is not a known key; did you mean "order_notional"?',
        ),
        ("log.zzz = 1", "log.zzz is not a known key; known: format, level"),
        (
            ACCOUNT.replace("binance", "binanse"),
            'accounts.main.exchange: the exchange "binanse" is not supported; did you mean "binan',
        ),
        (
            ACCOUNT + BOT.replace('"main"', '"mian"'),
            'bots.dip-btc.account: there is no account "mian"; did you mean "main"?',
        ),
        (
            BOT,
            'bots.dip-btc.account: there is no account "main"; there is none to choose from',
        ),
    ],
)
def test_an_unknown_name_names_the_nearest(file: Path, text: str, problem: str) -> None:
    """A misspelled stop_loss must not start a bot without a stop."""
    assert refusal(file, text).startswith(problem)


@pytest.mark.parametrize("name", ["Dip", "dip_btc", "x" * 41, "dip btc", "ä", "", "[key]"])
def test_a_name_that_would_not_fit_everywhere_is_refused(file: Path, name: str) -> None:
    """Names are part of order ids, addresses and variables."""
    bad = BOT.replace("[bots.dip-btc]", f'[bots."{name}"]')
    problem = refusal(file, ACCOUNT + bad)
    assert problem.startswith("bots.")
    assert problem.endswith(": names are 1 to 40 of the characters a-z, 0-9 and -")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('"[key]" = 1', '"[key]" is not a known key; known: accounts, apprise, '),
        ('[log]\n"[key]" = 1', 'log."[key]" is not a known key; known: format, level'),
        (f'{ACCOUNT}{BOT}"[key]" = 1', 'bots.dip-btc."[key]" is not a known key; known: account'),
    ],
)
def test_a_key_that_looks_like_the_validators_own_mark(file: Path, text: str, problem: str) -> None:
    """The validator marks a wrong name with [key]; a key of that name once crashed the report."""
    assert refusal(file, text).startswith(problem)


# Wrong types


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("journal = 5", "journal: expected a table, got something else"),
        ("log = 5", "log: expected a table, got the number 5"),
        ("bots = []", "bots: expected a table, got a list"),
        ("log.level = 3", "log.level: expected 'debug', 'info', 'warning' or 'error', got the "),
        ("log.format = 'xml'", "log.format: expected 'console' or 'json', got the text \"xml\""),
        ("journal.url = 'mysql://x'", 'journal.url: expected "sqlite:///FILE" or "postgresql://'),
        ("journal.url = 'postgresql://[x'", "journal.url: its host cannot be read"),
        (f"{ACCOUNT}allow_custom_host = 'yes'", "accounts.main.allow_custom_host: expected true "),
        (f"{ACCOUNT}allow_custom_host = 1", "accounts.main.allow_custom_host: expected true or "),
        (f"{ACCOUNT}ownership = 'mine'", "accounts.main.ownership: expected 'shared' or 'exclu"),
        (f"{ACCOUNT}visibility = 60", "accounts.main.visibility: expected a duration such as"),
        (f"{ACCOUNT}ccxt = 'x'", "accounts.main.ccxt: expected a table, got text"),
        ("bots.a = 'x'", 'bots.a: expected a table, got the text "x"'),
        (f"{ACCOUNT}{BOT}params = 1", "bots.dip-btc.params: expected a table, got the number 1"),
        (f"{ACCOUNT}{BOT}stop_at = 'here'", "bots.dip-btc.stop_at: expected 'exchange', 'local' "),
        (ACCOUNT + BOT.replace("100", '"a lot"'), "bots.dip-btc.notional: expected a number, got"),
        (ACCOUNT + BOT.replace("100", "0"), "bots.dip-btc.notional: expected an amount greater "),
        (ACCOUNT + BOT.replace("100", "inf"), "bots.dip-btc.notional: expected a finite number"),
        (ACCOUNT + BOT.replace("100", "true"), "bots.dip-btc.notional: expected a number, got tr"),
        (ACCOUNT + BOT.replace("BTC/USDT", "BTCUSDT"), "bots.dip-btc.symbol: expected a symbol "),
    ],
)
def test_a_wrong_type_says_what_is_expected(file: Path, text: str, problem: str) -> None:
    assert refusal(file, text).startswith(problem)


@pytest.mark.parametrize(
    ("line", "described"),
    [
        ('account = "main"', "The account it trades on"),
        ('symbol = "BTC/USDT"', "The market in ccxt's unified spelling"),
        ("notional = 100", "How large each entry is"),
    ],
)
def test_a_missing_key_is_explained(file: Path, line: str, described: str) -> None:
    """What an order is worth, and where it goes, has no default."""
    key = line.partition(" ")[0]
    problem = refusal(file, ACCOUNT + BOT.replace(line, ""))
    assert problem.startswith(f"bots.dip-btc.{key} is missing. {described}")


# All at once


def test_all_problems_are_listed_at_once(file: Path) -> None:
    """One run shows all there is to change, whichever step of the reading finds it."""
    text = f"""
        log.level = "loud"
        limits.order_notional = 10
        {ACCOUNT.replace("env:KEY", "env:NOT_SET")}
        [accounts.other]
        exchange = "kraken"
        {BOT}stop_los = "2%"
        {BOT.replace("dip-btc", "too-big")}
        {BOT.replace("dip-btc", "nowhere").replace('"main"', '"man"').replace("100", "9")}
    """
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, {**KEYS, "SUREFOOT__RECOVERY__LOOKBAK": "1h"})
    problems = caught.value.problems
    expected = [
        "the environment variable SUREFOOT__RECOVERY__LOOKBAK: ",
        "accounts.other.exchange: ",
        "accounts.other.api_key is missing",
        "accounts.other.secret is missing",
        "bots.dip-btc.stop_los is not a known key",
        "log.level: ",
        "accounts.main.api_key: ",
        "bots.too-big.notional: 100 is over the cap order_notional of 10",
        "bots.nowhere.account: there is no account",
    ]
    for start in expected:
        assert [each for each in problems if each.startswith(start)], (start, problems)
    assert len(problems) == len(expected)
    assert str(caught.value) == "\n  - ".join([f"{file} has 9 problems:", *problems])


def test_an_account_with_a_mistake_of_its_own_is_not_unknown_too(file: Path) -> None:
    """The second message would send its reader to the wrong place."""
    problem = refusal(file, ACCOUNT.replace("env:KEY", "env:NOT_SET") + BOT)
    assert problem.startswith("accounts.main.api_key: ")
    problem = refusal(file, f'{ACCOUNT}ownership = "mine"\n{BOT}')
    assert problem.startswith("accounts.main.ownership: ")


# The file itself


def test_a_file_that_is_not_there_says_how_to_get_one(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(file, KEYS)
    assert str(caught.value) == f"{file}: there is no such file; `surefoot init` writes one"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it cannot be read: Is a directory"):
        load(tmp_path, KEYS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "it is not UTF-8 text (byte 0)"),
        (b"[log", "it is not valid TOML: "),
        (b"log = {}\nlog = {}", "it is not valid TOML: "),
        (b"#" * (BYTES_MAX + 1), "it is larger than 1048576 bytes"),
        (b"x = " + b"9" * 5000, "a number in it is too long, or its brackets are too deep"),
        (b"x = 1e99999999999999999999", "a number in it is too long, or its brackets are too deep"),
        (b"x = " + b"[" * 9999, "a number in it is too long, or its brackets are too deep"),
    ],
    ids=["bytes", "open", "twice", "large", "digits", "exponent", "deep"],
)
def test_a_file_that_is_no_toml(file: Path, content: bytes, problem: str) -> None:
    """The last three once came out as tracebacks from Python's own limits."""
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, KEYS)
    assert caught.value.problems[0].startswith(problem)


# Strategies, and what `surefoot init` writes


def test_strategies_are_made_with_their_parameters(file: Path) -> None:
    settings = loaded(file, f"{ACCOUNT}{BOT}params = {{ dip = 0.01 }}")
    ((name, strategy),) = make_strategies(settings).items()
    assert name == "dip-btc"
    assert isinstance(strategy, DipBuyer)
    assert strategy.dip == 0.01


def test_every_strategy_that_cannot_be_made_is_listed(file: Path) -> None:
    broken = BOT.replace("dip-btc", "gone").replace("DipBuyer", "DipBuyr")
    settings = loaded(file, f"{ACCOUNT}{BOT}params = {{ dpi = 1 }}\n{broken}")
    with pytest.raises(ConfigError) as caught:
        make_strategies(settings)
    first, second = caught.value.problems
    assert first.startswith("bots.dip-btc.params: there is no parameter dpi")
    assert 'did you mean "dip"' in first
    assert second.startswith("bots.gone.strategy: ")
    assert 'did you mean "DipBuyer"' in second


def test_the_template_loads_and_so_does_its_strategy(file: Path) -> None:
    """What a newcomer starts from, with nothing changed and no keys: it is on paper."""
    (file.parent / "my_bots.py").write_text(strategy_file())
    file.write_text(template())
    settings = load(file, {})
    [account] = settings.accounts.values()
    assert (account.environment, account.ccxt) == ("paper", {})
    assert settings.journal_url == "sqlite:///surefoot-paper.db"
    strategy: Any = make_strategies(settings)[next(iter(settings.bots))]
    assert type(strategy).__name__ == "RoundTrip"
    assert strategy.rounds == 3


def test_every_key_that_the_template_hints_at_exists(file: Path) -> None:
    """Its commented lines are meant to be uncommented."""
    hints = [line for line in template().splitlines() if line.startswith("# ") and " = " in line]
    assert len(hints) == 2
    text = "\n".join(
        line.removeprefix("# ") if line in hints else line for line in template().split("\n")
    )
    file.write_text(text)
    settings = load(file, {"BINANCE_API_KEY": "k", "BINANCE_SECRET": "s"})
    assert settings.bots[next(iter(settings.bots))].limits.order_notional == D(200)
