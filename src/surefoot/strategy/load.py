"""From a name in a configuration to a strategy: find it, check it, make it.

    "surefoot.strategy.examples:DipBuyer"    a class in an importable module
    "my_bots.py:MyStrategy"                  a class in a file beside the configuration

Importing runs the author's code, with the rights of this process; a file outside the
configuration's directory is refused. Whatever goes wrong is one `StrategyNotLoaded`.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from pathlib import Path, PurePosixPath
from types import CodeType, ModuleType
from typing import Final

from typing_extensions import override

from surefoot.strategy.contract import Strategy
from surefoot.strategy.errors import InvalidParameters, StrategyNotLoaded
from surefoot.strategy.spelling import suggest
from surefoot.strategy.workers import Abandoned

_MODULE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
# What an indicator may need; each is read in pages of some hundred at every start.
HISTORY_MAX: Final = 5_000
_TIMEFRAME: Final = re.compile(r"[1-9][0-9]{0,3}[smhdwM]")


def load_strategy(
    spec: str, directory: Path, files: dict[str, ModuleType] | None = None
) -> type[Strategy]:
    """Return the class that a configuration in this directory means.

    A file that is among `files` already is not imported again; a new one is put there.

    Raises:
        StrategyNotLoaded: there is none, or it is no strategy; the message says which.
    """
    source, _, name = spec.rpartition(":")
    if not (source and name.isidentifier()):
        raise StrategyNotLoaded(
            f'"{spec}" is no strategy; write "package.module:Class" or "my_bots.py:Class"',
        )
    home = directory.resolve()
    if source.endswith(".py"):
        known = {} if files is None else files
        module = known[source] = known.get(source) or _from_file(source, home)
    elif _MODULE.fullmatch(source):
        module = _from_module(source, home)
    else:
        raise StrategyNotLoaded(f'"{source}" is neither a module nor the name of a .py file')
    return _pick(module, name, source)


def make_strategy(kind: type[Strategy], params: Mapping[str, object]) -> Strategy:
    """Make a strategy with these parameters.

    Raises:
        InvalidParameters: they do not fit.
        StrategyNotLoaded: its own constructor fails.
    """
    try:
        strategy = kind(**params)
    except (InvalidParameters, Abandoned):
        raise
    except BaseException as error:
        raise StrategyNotLoaded(f"{kind.__name__} cannot be made: {_told(error)}") from error
    problems = list(_problems(strategy))
    if problems:
        raise InvalidParameters(kind.__name__, problems)
    return strategy


def _problems(strategy: Strategy) -> Iterator[str]:
    """Yield what is wrong with the candles that a strategy asks for."""
    frames = [] if strategy.timeframe is None else [("timeframe", strategy.timeframe)]
    for name in ("timeframes", "symbols"):
        if not isinstance(getattr(strategy, name), tuple | list):
            yield f'{name}: expected several, such as ("1h", "4h")'
            return
    frames += [("timeframes", frame) for frame in strategy.timeframes]
    for name, frame in frames:
        if not _TIMEFRAME.fullmatch(str(frame)):
            yield f'{name}: expected a time frame such as "1m" or "1h", got {frame!r}'
    if not 0 <= strategy.history <= HISTORY_MAX:
        yield f"history: expected 0 to {HISTORY_MAX} candles, got {strategy.history}"
    if not frames and (strategy.history or strategy.symbols):
        yield 'history and symbols are of candles: say of which, such as timeframe = "1h"'


class _AsWritten(SourceFileLoader):
    """Compile the text that is there, and leave no cache behind."""

    @override
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _from_file(source: str, home: Path) -> ModuleType:
    parts = PurePosixPath(source)
    if parts.is_absolute() or ".." in parts.parts or "\\" in source:
        raise StrategyNotLoaded(f"{source}: name a file beside the configuration, without ..")
    path = (home / parts).resolve()
    if not path.is_relative_to(home):
        raise StrategyNotLoaded(f"{source} leads out of {home}, to {path}; copy the file there")
    if not path.is_file():
        raise StrategyNotLoaded(f"{home / parts} does not exist")
    # Named after its path, so that two files of one name never meet in sys.modules.
    name = f"surefoot_{path.stem}_{sha256(bytes(path)).hexdigest()[:12]}"
    loader = _AsWritten(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise StrategyNotLoaded(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    _let_import_neighbours(home)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)
        if isinstance(error, Abandoned):
            raise
        raise StrategyNotLoaded(f"{source}: {_told(error)}") from error
    return module


def _from_module(source: str, home: Path) -> ModuleType:
    _let_import_neighbours(home)
    try:
        return importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{source}.".startswith(f"{error.name}."):
            raise StrategyNotLoaded(
                f"there is no module {error.name}; install it beside Surefoot, or write "
                f'"{source.rpartition(".")[2]}.py:…" for a file beside the configuration',
            ) from error
        raise StrategyNotLoaded(f"{source}: {_told(error)}") from error
    except Abandoned:
        raise
    except BaseException as error:
        raise StrategyNotLoaded(f"{source}: {_told(error)}") from error


def _let_import_neighbours(home: Path) -> None:
    """Let a strategy import what lies beside it; last, so that it can shadow nothing."""
    if str(home) not in sys.path:
        sys.path.append(str(home))


def _pick(module: ModuleType, name: str, source: str) -> type[Strategy]:
    found = vars(module).get(name)
    if isinstance(found, type) and issubclass(found, Strategy) and found is not Strategy:
        return found
    if found is not None:
        raise StrategyNotLoaded(f"{source}: {name} is not a class that extends Strategy")
    offered = [
        each.__name__
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Strategy) and each is not Strategy
    ]
    raise StrategyNotLoaded(f"{source} has no strategy {name}{suggest(name, offered)}")


def _told(error: BaseException) -> str:
    """Say in one line what was raised, and the file and line it came from."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} ({error.filename}, line {error.lineno})"
    text = "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if not each.filename.startswith("<frozen ")]
    return f"{text} ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else text
