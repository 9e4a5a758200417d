"""ccxt's client for Binance, read in without its clients for a hundred other exchanges.

`import ccxt` reads all of them: most of the time that a start took, and half of its memory. Here
the packages stand empty at first and only Binance's modules are read. Whoever asks a package for
anything else (a strategy may) fills it then, and finds what `import ccxt` has always given.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, Final

from typing_extensions import override

__all__ = ["AuthenticationError", "BinanceClient"]

_PACKAGE: Final = "ccxt"
_CLIENT: Final = "binance"
# What ccxt's own modules ask the package for while they are read.
_BASE: Final = ("errors", "exchange")
_PARTS: Final = ("async_support", "pro")
_ASKED_OF_A_PACKAGE: Final = frozenset({"__all__", "__version__"})
_running: Final[ContextVar[tuple[ModuleType, ...]]] = ContextVar("running", default=())


class _Unfilled(ModuleType):
    """A package whose own code has not run yet: it runs when a name is missing."""

    @override
    def __getattr__(self, name: str) -> Any:
        running, spec = _running.get(), self.__spec__
        special = name.startswith("__") and name not in _ASKED_OF_A_PACKAGE
        if special or self in running or spec is None or spec.loader is None:
            raise AttributeError(name)
        # Two threads may both run it, at no harm: it binds what has been read once. A lock here
        # and the lock of an import could wait for each other.
        token = _running.set((*running, self))
        try:
            spec.loader.exec_module(self)
        finally:
            _running.reset(token)
        self.__class__ = ModuleType  # type: ignore[assignment]  # nothing is missing any more
        return getattr(self, name)


def _unfilled(name: str) -> ModuleType:
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"there is no {name} here", name=name)
    package = sys.modules[name] = module_from_spec(spec)
    package.__class__ = _Unfilled
    return package


def _read_one_client() -> None:
    top = _unfilled(_PACKAGE)
    for part in _BASE:
        found = vars(import_module(f"{_PACKAGE}.base.{part}"))
        vars(top).update((name, each) for name, each in found.items() if isinstance(each, type))
    for part in _PARTS:
        package = _unfilled(f"{_PACKAGE}.{part}")
        setattr(top, part, package)
        client = import_module(f"{package.__name__}.{_CLIENT}")
        setattr(package, _CLIENT, getattr(client, _CLIENT))  # the class, as `import ccxt` has it


if _PACKAGE not in sys.modules:
    _read_one_client()

from ccxt.base.errors import AuthenticationError  # noqa: E402 (not before the packages stand)
from ccxt.pro.binance import binance as BinanceClient  # noqa: E402, N812 (a class)
