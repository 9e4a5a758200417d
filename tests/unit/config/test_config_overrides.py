"""The environment over the file: what a variable means, and what it cannot mean."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from surefoot.config import Bot, ConfigError, Settings, load
from surefoot.core.sizing import Amount

FILE: Final = """
[accounts.main]
exchange = "binance"
api_key = "env:KEY"
secret = "env:SECRET"

[bots.dip-btc]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
stop_loss = "2%"
params = { dip = 0.003, window = 5 }
"""
KEYS: Final = {"KEY": "k", "SECRET": "s"}
ON_BOT: Final = "SUREFOOT__BOTS__DIP_BTC__"
ON_ACCOUNT: Final = "SUREFOOT__ACCOUNTS__MAIN__"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "surefoot.toml"
    path.write_text(FILE)
    return path


def loaded(file: Path, **variables: str) -> Settings:
    return load(file, {**KEYS, **variables})


def the_bot(file: Path, **variables: str) -> Bot:
    (bot,) = loaded(file, **variables).bots.values()
    return bot


def refusal(file: Path, **variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(file, **variables)
    (problem,) = caught.value.problems
    return problem


def test_a_value_is_replaced_and_the_rest_stays(file: Path) -> None:
    bot = the_bot(file, SUREFOOT__BOTS__DIP_BTC__NOTIONAL="50.5")
    assert bot.notional == Amount(notional=D("50.5"))
    assert bot.plan.stop_loss == D("0.02")
    assert file.read_text() == FILE


def test_a_table_that_the_file_does_not_have_is_made(file: Path) -> None:
    settings = loaded(file, SUREFOOT__RECOVERY__LOOKBACK="2h", SUREFOOT__LOG__FORMAT="json")
    assert settings.recovery.lookback == timedelta(hours=2)
    assert settings.log.format == "json"
    assert the_bot(file, SUREFOOT__BOTS__DIP_BTC__LIMITS__PRICE_BAND="1%").limits.price_band == D(
        "0.01"
    )


@pytest.mark.parametrize(
    "variable",
    [
        "SUREFOOT__BOTS__DIP_BTC__STOP_LOSS",
        "SUREFOOT__bots__dip-btc__stop_loss",
        "SUREFOOT__Bots__Dip_btc__Stop_Loss",
    ],
)
def test_case_does_not_matter_and_an_underscore_is_also_a_dash(file: Path, variable: str) -> None:
    """A shell cannot export a name with a dash in it."""
    assert the_bot(file, **{variable: "3%"}).plan.stop_loss == D("0.03")


def test_the_prefix_is_not_a_way_to_miss(file: Path) -> None:
    """Only SUREFOOT__ is ours: SUREFOOT_HOME may be anybody's."""
    bot = the_bot(file, SUREFOOT_BOTS_DIP_BTC_NOTIONAL="5", surefoot__nothing="x")
    assert bot.notional == Amount(notional=D(100))


# How a value is read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("50", 50),
        (" 50 ", 50),
        ("0.1", D("0.1")),
        ("true", True),
        ("True", "True"),
        ('"50"', "50"),
        ("2%", "2%"),
        ("[1, 2]", [1, 2]),
        ("{ a = 1 }", {"a": 1}),
        ("", ""),
        ("2026-01-02", "2026-01-02"),
        ("1\nnotional = 5", "1\nnotional = 5"),
    ],
)
def test_a_value_is_toml_or_else_text(file: Path, text: str, value: object) -> None:
    """The last one must not write a second key; dates are text as no key takes one."""
    bot = the_bot(file, SUREFOOT__BOTS__DIP_BTC__PARAMS__DIP=text)
    assert bot.params == {"dip": value, "window": 5}
    assert type(bot.params["dip"]) is type(value)


def test_a_key_that_takes_text_takes_it_as_it_is(file: Path) -> None:
    """An account name of digits is not a number, and quotes would be part of it."""
    problem = refusal(file, SUREFOOT__BOTS__DIP_BTC__ACCOUNT="123")
    assert problem == ('bots.dip-btc.account: there is no account "123"; known: main')


def test_a_whole_table_is_replaced_not_merged(file: Path) -> None:
    bot = the_bot(file, SUREFOOT__BOTS__DIP_BTC__PARAMS="{ dip = 0.5 }")
    assert bot.params == {"dip": D("0.5")}


def test_a_table_and_a_key_in_it_may_both_be_set(file: Path) -> None:
    """The variables are read in the order of their names, so the shorter one comes first."""
    more = {f"{ON_BOT}PARAMS__WINDOW": "9", f"{ON_BOT}PARAMS": "{ dip = 0.5 }"}
    assert the_bot(file, **more).params == {"dip": D("0.5"), "window": 9}


def test_free_keys_in_capitals_become_small_and_mixed_ones_stay(file: Path) -> None:
    """A shell exports capitals, and ccxt's options have names such as recvWindow."""
    more = {f"{ON_ACCOUNT}CCXT__OPTIONS__recvWindow": "9", f"{ON_ACCOUNT}CCXT__TIMEOUT": "10"}
    (account,) = loaded(file, **more).accounts.values()
    assert account.ccxt == {"options": {"recvWindow": 9}, "timeout": 10}


# What a variable cannot mean


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ("SUREFOOT__BOTS__DIP_BTC__NOTIONL", 'bots.dip-btc has no "notionl"; did you mean "noti'),
        ("SUREFOOT__BOTS__DIP_ETH__NOTIONAL", 'bots has no "dip_eth"; did you mean "dip-btc"?'),
        ("SUREFOOT__BOT__DIP_BTC__NOTIONAL", 'the file has no "bot"; did you mean "bots"?'),
        ("SUREFOOT__BOTS__DIP_BTC__NOTIONAL__X", "bots.dip-btc.notional is a value and has no k"),
        ("SUREFOOT__BOTS__DIP_BTC__PARAMS__DIP__X", "bots.dip-btc.params.dip is not a table in "),
        ("SUREFOOT__BOTS__DIP_BTC__PARAMS__", 'bots.dip-btc.params has no ""'),
        ("SUREFOOT__BOTS__DIP__BTC__NOTIONAL", 'bots has no "dip"; '),
        ("SUREFOOT__", 'the file has no ""; known: accounts, apprise, bots'),
    ],
)
def test_a_variable_that_names_nothing_is_an_error(file: Path, variable: str, problem: str) -> None:
    """It was meant to change something: a smaller amount, perhaps."""
    told = refusal(file, **{variable: "50"})
    assert told.startswith(f"the environment variable {variable}: {problem}")


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("SUREFOOT__BOTS__DIP_BTC__NOTIONAL", "a lot", "bots.dip-btc.notional: expected a number"),
        ("SUREFOOT__BOTS__DIP_BTC__NOTIONAL", "", "bots.dip-btc.notional: expected a number, got"),
        ("SUREFOOT__BOTS__DIP_BTC__STOP_LOSS", "2", "bots.dip-btc.stop_loss: expected a percent"),
        ("SUREFOOT__LOG__LEVEL", "loud", "log.level: expected 'debug', 'info', 'warning' or "),
        ("SUREFOOT__LOG", "json", "log: expected a table, got the text"),
        ("SUREFOOT__BOTS", "5", "bots: expected a table, got the number 5"),
    ],
)
def test_a_bad_value_is_blamed_on_its_variable(
    file: Path, variable: str, text: str, problem: str
) -> None:
    """Otherwise one would look for it in the file, where all is well."""
    told = refusal(file, **{variable: text})
    assert told.startswith(problem)
    assert told.endswith(f" (set by {variable})")


@pytest.mark.parametrize("text", ["9" * 5000, "1e99999999999999999999", "[" * 9999])
def test_a_value_past_the_limits_of_the_reader_is_refused(file: Path, text: str) -> None:
    """These once came out as tracebacks from Python itself."""
    told = refusal(file, SUREFOOT__BOTS__DIP_BTC__PARAMS__DIP=text)
    assert told.endswith(": a number in it is too long, or its brackets are too deep")


def test_a_value_that_is_good_cannot_hide_one_that_is_bad(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(file, SUREFOOT__LOG__LEVEL="debug", SUREFOOT__LOG__LEVL="debug", SUREFOOT__X="1")
    assert len(caught.value.problems) == 2


# Whatever is set, the answer is settings or a ConfigError

PARTS: Final = [
    *("ACCOUNTS", "MAIN", "EXCHANGE", "API_KEY", "CCXT", "URLS", "API", "OPTIONS", "PASSWORD"),
    *("VISIBILITY", "BOTS", "DIP_BTC", "NOTIONAL", "STOP_LOSS", "PARAMS", "LIMITS", "JOURNAL"),
    *("URL", "RECOVERY", "LOOKBACK", "LOG", "LEVEL", "[key]", ""),
]
VALUES: Final = [
    *("1", "-1", "true", "nan", "1e400", "2%", "off", "1h", "{}", "[]", "[{}]", "env:KEY", "env:"),
    *("file:", "file:~nobody-here/x", "file:a\0b", "sqlite:///x", "postgresql://[", "https://[x"),
    *("{ api_key = 5 }", "{ main = { exchange = 5 } }", '{ "[key]" = { } }', "'''a\nb'''"),
]


@given(
    st.dictionaries(
        st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map(
            lambda parts: "__".join(["SUREFOOT", *parts])
        ),
        st.sampled_from(VALUES) | st.text(max_size=20),
        max_size=4,
    )
)
@example({"SUREFOOT__ACCOUNTS__MAIN__API_KEY": "file:~nobody-here/x"})
@example({"SUREFOOT__ACCOUNTS__MAIN__API_KEY": "file:a\0b"})
@example({"SUREFOOT__BOTS": '{ "[key]" = { account = 5 } }'})
def test_nothing_that_is_set_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(FILE)
    try:
        told = [load(path, {**KEYS, **variables}).journal_shown]
    except ConfigError as error:
        told = list(error.problems)
    assert told
    assert all(each.strip() for each in told)
