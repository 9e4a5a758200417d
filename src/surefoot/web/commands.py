"""How a command is written: one shape for each kind, and what is no command fits none.

What fits here, the journal takes: its patterns are published as they are. Whether a command can be
done is no question of its shape.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from fastapi import Body
from fastapi.openapi.models import Example
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from surefoot.core.resolving import Answer
from surefoot.journal.commands import AMOUNT, LINE, NAME, ORDER


def _some(amount: str) -> str:
    if not amount.strip("0."):
        raise ValueError("expected more than nothing")
    return amount


Target: TypeAlias = Annotated[
    str, Field(pattern=NAME, description="A bot, or a position of it.", examples=["dip-btc"])
]
Account: TypeAlias = Annotated[
    str, Field(pattern=NAME, description="An account.", examples=["main"])
]
Everybody: TypeAlias = Annotated[Literal["all"], Field(description="Every bot, or it is nothing.")]
Confirm: TypeAlias = Annotated[
    str, Field(pattern=NAME, description="The target once more.", examples=["dip-btc"])
]
Some: TypeAlias = Annotated[
    str,
    Field(
        pattern=AMOUNT,
        description="More than nothing.",
        json_schema_extra={"not": {"pattern": "^[0.]+$"}},
        examples=["0.002"],
    ),
    AfterValidator(_some),
]
Doubted: TypeAlias = Annotated[
    str | None, Field(pattern=ORDER, description="Which order, if more than one is in doubt.")
]


class Shape(BaseModel):
    """Takes what it names, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class Told(Shape):
    """Why somebody wants it: one line that the journal keeps."""

    reason: Annotated[str | None, Field(pattern=LINE, examples=["lunch"])] = None


class Settled(Shape):
    """What is true of a position, in one word."""

    how: Literal[Answer.ADOPT, Answer.FLAT, Answer.IGNORE]


class Booked(Shape):
    """An order in doubt filled this."""

    how: Literal[Answer.FILLED]
    quantity: Some
    price: Some
    order: Doubted = None


class Unfilled(Shape):
    """An order in doubt filled nothing."""

    how: Literal[Answer.FILLED]
    quantity: Literal["0"]
    order: Doubted = None


class Pause(Shape):
    """Let a bot enter nothing more; what it holds is kept."""

    kind: Literal["pause"]
    target: Target
    arguments: Told = Told()


class Resume(Shape):
    """Let a bot enter again."""

    kind: Literal["resume"]
    target: Target
    arguments: Told = Told()


class Recover(Shape):
    """Compare the account of a bot with its exchange again, at once."""

    kind: Literal["recover"]
    target: Target


class StopAll(Shape):
    """Let no bot enter anything more; every stop is kept."""

    kind: Literal["stop-all"]
    target: Everybody


class ResumeAll(Shape):
    """Let those enter again that a `stop-all` paused."""

    kind: Literal["resume-all"]
    target: Everybody


class Close(Shape):
    """Sell what a bot holds at the market, now."""

    kind: Literal["close"]
    target: Target
    confirm: Confirm


class Lift(Shape):
    """Let an account lose as much once more today."""

    kind: Literal["lift"]
    target: Account
    confirm: Confirm


def _said(value: Any) -> str:
    """Return of which shape the arguments of a `resolve` mean to be."""
    found = value if isinstance(value, dict) else {"how": getattr(value, "how", None)}
    if found.get("how") != Answer.FILLED:
        return "settled"
    return "unfilled" if found.get("quantity") == "0" else "booked"


Resolution: TypeAlias = Annotated[
    Annotated[Settled, Tag("settled")]
    | Annotated[Booked, Tag("booked")]
    | Annotated[Unfilled, Tag("unfilled")],
    Discriminator(_said),
]


class Resolve(Shape):
    """Say what is true of a position that is frozen."""

    kind: Literal["resolve"]
    target: Target
    arguments: Resolution
    confirm: Confirm


EXAMPLES: Final[dict[str, Example]] = {
    "pause a bot": {
        "value": {"kind": "pause", "target": "dip-btc", "arguments": {"reason": "lunch"}}
    },
    "stop every entry on a bad day": {"value": {"kind": "stop-all", "target": "all"}},
    "sell what a bot holds": {
        "value": {"kind": "close", "target": "dip-btc", "confirm": "dip-btc"}
    },
    "say what a frozen position really filled": {
        "value": {
            "kind": "resolve",
            "target": "dip-btc-7",
            "arguments": {"how": "filled", "quantity": "0.002", "price": "61700"},
            "confirm": "dip-btc-7",
        }
    },
}
Wish: TypeAlias = Annotated[
    Pause | Resume | Recover | StopAll | ResumeAll | Close | Resolve | Lift,
    Body(discriminator="kind", openapi_examples=EXAMPLES),
]
