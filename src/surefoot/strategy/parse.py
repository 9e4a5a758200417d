"""Amounts, fractions and durations as people write them, made exact.

The one place where a float becomes a `Decimal`: through its shortest decimal notation, so that
0.1 is 0.1. NaN, infinities, signs and magnitudes that no market has are refused.
"""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from surefoot.core.errors import InvalidValue
from surefoot.core.exits import Part, TakeProfit
from surefoot.core.sizing import Amount, Pool, Risk, Share, Size

LARGEST: Final = Decimal("1e18")
SMALLEST: Final = Decimal("1e-18")
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_DURATION: Final = re.compile(r"([0-9]{1,9})\s*(ms|s|m|h|d)")
DURATION_MAX: Final = timedelta(days=3650)


def number(value: object) -> Decimal:
    """Return a finite number, exactly as it was written.

    Raises:
        InvalidValue: it is none.
    """
    value = plain_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise InvalidValue(f"expected a number, got {shown(value)}")
    try:
        # float() first: a subclass (NumPy's) may print itself differently.
        exact = Decimal(str(float(value)) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError) as error:
        raise InvalidValue(f"expected a number, got {shown(value)}") from error
    if not exact.is_finite():
        raise InvalidValue(f"expected a finite number, got {shown(value)}")
    return exact


def plain_number(value: object) -> object:
    """Return NumPy's scalars and arrays as Python's own numbers and lists; all else as it is."""
    numpy = sys.modules.get("numpy")  # if nobody has imported it, nobody has one
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
        return value.tolist()
    return value


def amount(value: object) -> Decimal:
    """Return a positive amount.

    Raises:
        InvalidValue: it is not a number, not finite, not positive, or absurd.
    """
    exact = number(value)
    if not SMALLEST <= exact <= LARGEST:
        raise InvalidValue(f"expected an amount greater than zero, got {shown(value)}")
    return exact


def fraction(value: object) -> Decimal:
    """Return a positive fraction: "2%" and 0.02 are the same.

    Raises:
        InvalidValue: it is no fraction, or a bare number of 1 or more, which may mean either.
    """
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return amount(value.rstrip()[:-1].rstrip()) / 100
    exact = amount(value)
    if exact >= 1:
        raise InvalidValue(f'expected a percentage such as "2%" or a fraction, got {shown(value)}')
    return exact


def take_profit(value: object) -> TakeProfit:
    """Return where gains are taken: "4%", or a list of {at = "3%", fraction = "50%"}.

    The last one of a list may go without a fraction: there all that is left goes.

    Raises:
        InvalidValue: it is neither, or the parts are not in order, or more than all.
    """
    if not isinstance(value, list | tuple):
        return TakeProfit(rest=fraction(value))
    if not value:
        raise InvalidValue('no take-profit is listed; "off" (in a signal None) means none')
    parts = [_part(each) for each in value]
    if any(share is None for _, share in parts[:-1]):
        raise InvalidValue("every take-profit but the last one needs a fraction")
    distances = [at for at, _ in parts]
    if distances != sorted(set(distances)):
        raise InvalidValue("take-profits are listed from the nearest to the furthest")
    total = sum((share for _, share in parts if share is not None), Decimal(0))
    if total > 1 or (total == 1 and parts[-1][1] is None):
        raise InvalidValue("the fractions of all take-profits are more than there is")
    rest = parts.pop()[0] if parts[-1][1] is None or total == 1 else None
    return TakeProfit(
        rest=rest, parts=tuple(Part(at=at, fraction=share or Decimal(0)) for at, share in parts)
    )


def _part(value: object) -> tuple[Decimal, Decimal | None]:
    if not isinstance(value, dict) or "at" not in value or value.keys() - {"at", "fraction"}:
        form = '{at = "3%", fraction = "50%"}'
        raise InvalidValue(f"expected a table such as {form}, got {shown(value)}")
    share = None if value.get("fraction") is None else fraction(value["fraction"])
    return fraction(value["at"]), share


def size(value: object) -> Size:
    """Return how large an entry is: an amount, "20%", "20% of total" or "risk 1%".

    Raises:
        InvalidValue: it is none of these.
    """
    if not isinstance(value, str):
        return Amount(notional=amount(value))
    written = " ".join(value.split()).removesuffix(" to the stop")
    if written.startswith("risk "):
        return Risk(fraction=_share(written.removeprefix("risk ")))
    share, _, pool = written.partition(" of ")
    if not share.endswith("%") or pool not in {"", *Pool}:
        return Amount(notional=amount(written))
    return Share(fraction=_share(share), pool=Pool(pool or Pool.FREE))


def _share(text: str) -> Decimal:
    if not text.endswith("%"):
        raise InvalidValue(f'expected a percentage such as "1%", got {shown(text)}')
    share = fraction(text)
    if share > 1:
        raise InvalidValue(f"nobody has more than 100%, got {shown(text)}")
    return share


def duration(value: object) -> timedelta:
    """Return a positive duration, written as "500ms", "30s", "10m", "24h" or "3d".

    Raises:
        InvalidValue: it is not written so, or it is zero, negative or over ten years.
    """
    span = value if isinstance(value, timedelta) else _written(value)
    if not timedelta(0) < span <= DURATION_MAX:
        raise InvalidValue(f"expected a duration between 1ms and 3650d, got {shown(value)}")
    return span


def _written(value: object) -> timedelta:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue(f'expected a duration such as "30s" or "10m", got {shown(value)}')
    return int(match[1]) * _UNITS[match[2]]


def shown(value: object) -> str:
    """Describe a value in an error message, shortly and by its kind."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'the text "{value[:60]}"'
        case int() | float() | Decimal():
            return f"the number {str(value)[:60]}"
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case _:
            return f"a {type(value).__name__}"
