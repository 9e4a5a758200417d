"""What somebody may have meant: the end of a message about an unknown name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

LISTED_MAX: Final = 12


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?`, or the known names, or that there are none."""
    names = sorted(known)
    by_folded = {_folded(each): each for each in names}
    near = get_close_matches(_folded(name), by_folded, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{by_folded[near[0]]}"?'
    if not names:
        return "; there is none to choose from"
    more = ", …" if len(names) > LISTED_MAX else ""
    return f"; known: {', '.join(names[:LISTED_MAX])}{more}"


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
