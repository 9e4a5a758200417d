"""Some works beside each other, as many as the exchange is asked about at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from surefoot.journal.errors import JournalError

# So many symbols are read at a time; what one of them waits for, the others do not.
AT_ONCE: Final = 8


async def abreast(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do works beside each other, each to its own end: none is broken off in a commit.

    Raises:
        JournalError | ExchangeError: what any of them raised, the journal's word first.
    """
    ends = await asyncio.gather(*works, return_exceptions=True)
    errors = [end for end in ends if end is not None]
    for error in sorted(errors, key=lambda each: not isinstance(each, JournalError)):
        raise error
