"""From a name to a strategy: found and made, or refused with a reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from surefoot.strategy import Strategy
from surefoot.strategy.errors import InvalidParameters, StrategyNotLoaded
from surefoot.strategy.examples import Breakout, DipBuyer, MovingAverageCross
from surefoot.strategy.load import load_strategy, make_strategy

BOT = """
from surefoot.strategy import Strategy

class Mine(Strategy):
    size: int = 1

class Other(Strategy):
    pass

number = 5
"""


@pytest.fixture(autouse=True)
def _same_imports_afterwards() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("surefoot_") or name in {"neighbour", "broken_neighbour"}:
            del sys.modules[name]


def refused(spec: str, directory: Path) -> str:
    with pytest.raises(StrategyNotLoaded) as caught:
        load_strategy(spec, directory)
    return str(caught.value)


def test_a_class_in_a_module(tmp_path: Path) -> None:
    assert load_strategy("surefoot.strategy.examples:DipBuyer", tmp_path) is DipBuyer


def test_a_class_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots" / "my_bots.py").write_text(BOT)
    kind = load_strategy("bots/my_bots.py:Mine", tmp_path)
    strategy: Any = make_strategy(kind, {"size": 3})
    assert strategy.size == 3


def test_loading_reads_the_file_as_it_is_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A cache once served the old text when a file was changed within the same second."""
    file = tmp_path / "my_bots.py"
    file.write_text(BOT)
    load_strategy("my_bots.py:Mine", tmp_path)
    file.write_text(BOT.replace("= 1", "= 2"))
    kind: Any = load_strategy("my_bots.py:Mine", tmp_path)
    assert kind.size == 2
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text(BOT)
    (tmp_path / "my_bots.py").write_text("from neighbour import Mine")
    assert load_strategy("my_bots.py:Mine", tmp_path).__module__ == "neighbour"
    assert load_strategy("neighbour:Mine", tmp_path).__name__ == "Mine"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("DipBuyer", "is no strategy; write"),
        ("os.system('x'):y", "neither a module nor the name of a .py file"),
        ("a:b()", "is no strategy; write"),
        ("../my_bots.py:Mine", "without .."),
        ("/etc/my_bots.py:Mine", "without .."),
        ("absent.py:Mine", "absent.py does not exist"),
        ("absent_package.bots:Mine", "there is no module absent_package; install it"),
        ("surefoot.strategy.exampels:DipBuyer", "no module surefoot.strategy.exampels"),
        ("surefoot.strategy.examples:DipBuyr", 'did you mean "DipBuyer"?'),
        ("surefoot.strategy:View", "View is not a class that extends Strategy"),
        ("surefoot.strategy:Strategy", "Strategy is not a class that extends Strategy"),
    ],
)
def test_what_is_no_strategy(spec: str, told: str, tmp_path: Path) -> None:
    assert told in refused(spec, tmp_path)


def test_classes_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "my_bots.py").write_text(BOT)
    assert "has no strategy Xyz; known: Mine, Other" in refused("my_bots.py:Xyz", tmp_path)
    assert "number is not a class" in refused("my_bots.py:number", tmp_path)


def test_a_link_out_of_the_directory_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "my_bots.py").write_text(BOT)
    (inside / "my_bots.py").symlink_to(tmp_path / "my_bots.py")
    assert "leads out of" in refused("my_bots.py:Mine", inside)


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "my_bots.py").write_text("x = 1\ndef broken(:\n")
    assert "my_bots.py, line 2)" in refused("my_bots.py:Mine", tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n1 / 0", "ZeroDivisionError: division by zero ("),
        ("import absent_package", "No module named 'absent_package' ("),
        ("import sys; sys.exit(1)", "SystemExit: 1 ("),
        ("raise KeyboardInterrupt", "KeyboardInterrupt ("),
        ("class Rude(BaseException): ...\nraise Rude", "Rude ("),
        ("from surefoot.strategy import Nothing", "cannot import name 'Nothing'"),
    ],
)
def test_a_file_that_fails_is_told_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "broken_neighbour.py").write_text(text)
    for spec in ("broken_neighbour.py:Mine", "broken_neighbour:Mine"):
        message = refused(spec, tmp_path)
        assert told in message
        assert "broken_neighbour.py, line" in message


class Typed(Strategy):
    count: int = 1
    ratio: float = 0.5
    name: str = "x"
    active: bool = False
    amount: Decimal = Decimal(1)
    window: timedelta = timedelta(minutes=1)
    maybe: int | None = None
    shared: ClassVar[list[str]] = []
    _private: list[str] = []  # noqa: RUF012 (that it is ignored is the point)


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("count", 5, 5),
        ("ratio", 5, 5.0),
        ("ratio", Decimal("0.003"), 0.003),
        ("ratio", "0.3%", 0.003),
        ("name", "abc", "abc"),
        ("active", True, True),
        ("amount", 0.1, Decimal("0.1")),
        ("amount", Decimal("-2.50"), Decimal("-2.50")),
        ("window", "5m", timedelta(minutes=5)),
        ("maybe", 7, 7),
        ("timeframe", "1h", "1h"),
    ],
)
def test_parameters_are_set_in_their_type(name: str, given: object, taken: object) -> None:
    value = getattr(make_strategy(Typed, {name: given}), name)
    assert value == taken
    assert type(value) is type(taken)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("cuont", 5, 'there is no parameter cuont; did you mean "count"?'),
        ("shared", [], "there is no parameter shared"),
        ("_private", [], "there is no parameter _private"),
        ("count", 1.5, "count: expected a whole number, got the number 1.5"),
        ("count", True, "count: expected a whole number, got true"),
        ("count", "5", 'count: expected a whole number, got the text "5"'),
        ("ratio", "much", 'ratio: expected a number, got the text "much"'),
        ("ratio", Decimal("NaN"), "ratio: expected a finite number"),
        ("name", 5, "name: expected text in quotes, got the number 5"),
        ("active", 1, "active: expected true or false, got the number 1"),
        ("window", 60, 'window: expected a duration such as "30s"'),
        ("timeframe", "often", 'timeframe: expected a time frame such as "1m"'),
    ],
)
def test_parameters_that_do_not_fit(name: str, given: object, told: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        make_strategy(Typed, {name: given})
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(told)


def test_every_wrong_parameter_is_listed() -> None:
    with pytest.raises(InvalidParameters) as caught:
        make_strategy(Typed, {"count": "x", "nmae": 1, "active": 0})
    assert len(caught.value.problems) == 3


def test_a_parameter_without_a_default_must_be_given() -> None:
    class Needy(Strategy):
        size: int

    with pytest.raises(InvalidParameters, match="size has no default"):
        make_strategy(Needy, {})
    assert vars(make_strategy(Needy, {"size": 2})) == {"size": 2}


def test_a_parameter_of_a_kind_that_no_file_holds() -> None:
    class Odd(Strategy):
        levels: list[float] = []  # noqa: RUF012 (the mistake under test)

    with pytest.raises(InvalidParameters, match=r"levels is annotated list\[float\]"):
        make_strategy(Odd, {})


def test_a_constructor_that_fails_is_told() -> None:
    with pytest.raises(StrategyNotLoaded, match="MovingAverageCross cannot be made: ValueError"):
        make_strategy(MovingAverageCross, {"fast": 21, "slow": 9})
    with pytest.raises(StrategyNotLoaded, match="must be 1 or more"):
        make_strategy(Breakout, {"length": 0})
