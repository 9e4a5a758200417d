"""What bots have one each of, found by the bot's name and by its symbol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, MutableMapping, ValuesView
from typing import Generic, TypeVar

from typing_extensions import override

from surefoot.core.values import BotName, Symbol

T = TypeVar("T")


class BySymbol(MutableMapping[BotName, T], Generic[T]):
    """A mapping by bot that also answers, at no cost that grows with bots, who is on a symbol."""

    def __init__(self, symbol_of: Callable[[T], Symbol]) -> None:
        self._symbol_of = symbol_of
        self.count_of_changes = 0
        self._by_name: dict[BotName, T] = {}
        self._by_symbol: defaultdict[Symbol, dict[BotName, T]] = defaultdict(dict)

    @override
    def __getitem__(self, bot: BotName) -> T:
        return self._by_name[bot]

    @override
    def __setitem__(self, bot: BotName, each: T) -> None:
        if bot in self._by_name:
            del self[bot]
        self.count_of_changes += 1
        self._by_name[bot] = each
        self._by_symbol[self._symbol_of(each)][bot] = each

    @override
    def __delitem__(self, bot: BotName) -> None:
        self.count_of_changes += 1
        each = self._by_name.pop(bot)
        on_symbol = self._by_symbol[self._symbol_of(each)]
        del on_symbol[bot]
        if not on_symbol:
            del self._by_symbol[self._symbol_of(each)]

    @override
    def __iter__(self) -> Iterator[BotName]:
        return iter(self._by_name)

    @override
    def __len__(self) -> int:
        return len(self._by_name)

    @override
    def values(self) -> ValuesView[T]:
        """Return what is mapped; the inherited view looks each of them up by its name."""
        return self._by_name.values()

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Return every symbol that somebody is on."""
        return tuple(sorted(self._by_symbol))

    def of(self, symbol: Symbol) -> Collection[T]:
        """Return who is on one symbol."""
        return self._by_symbol[symbol].values() if symbol in self._by_symbol else ()
