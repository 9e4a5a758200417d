"""What wants somebody, as text: what it is, what it means for the money, what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from surefoot.cli.output import say
from surefoot.journal.review import ReviewFinding

# Said of servers that are not there: whoever recovers by hand knows it.
UNWATCHED: Final = "unwatched"


def show_findings(findings: Sequence[ReviewFinding]) -> None:
    """Print every finding, the actions that fit it below."""
    alike: dict[tuple[str, str], list[ReviewFinding]] = {}
    for finding in findings:
        alike.setdefault((finding.kind, finding.true), []).append(finding)
    if not alike:
        return
    verb = "1 thing wants" if len(alike) == 1 else f"{len(alike)} things want"
    say(f"LOOK HERE: {verb} somebody.", "bold red")
    for group in alike.values():
        say("")
        _show(group)
    say("")


def _show(group: Sequence[ReviewFinding]) -> None:
    """Print what is true of one, or the same of many: thirty with one trouble are one trouble."""
    first = group[0]
    names = [_about(each) for each in group]
    verb = "is" if len(group) == 1 else "are"
    say(f"{', '.join(names)} {verb} {_kind(first)}: {first.true}", "bold")
    since = min(each.since for each in group)
    believed = f"; believed: {first.believed}" if len(group) == 1 else ""
    say(f"since {since:%F %T} UTC{believed}", indent="  ")
    meanings: dict[str, list[str]] = {}
    for name, finding in zip(names, group, strict=True):
        meanings.setdefault(finding.meaning, []).append(name)
    for meaning, whose in meanings.items():
        say(meaning if len(meanings) == 1 else f"{', '.join(whose)}: {meaning}", indent="  ")
    for number, action in enumerate(first.actions):
        say(f"{'do  ' if number == 0 else 'or  '}{action}", "cyan", indent="  ")
    if len(group) > 1 and first.actions:
        say("and the same for each of the others", indent="  ")


def _about(finding: ReviewFinding) -> str:
    """Return whom a finding is about, by the name that its commands take."""
    if finding.kind == "in-review":
        return finding.bot or ""
    return finding.subject


def _kind(finding: ReviewFinding) -> str:
    return {
        "order-in-doubt": "in doubt about an order",
        "fills-uncounted": "missing trades",
        "cancel-unfinished": "not rid of an order",
        "exit-stuck": "still held",
        "stop-missing": "without its stop",
        "read-unproven": "not read for certain",
        "price-stale": "without a price",
        "coins-bound": "locked by others' orders",
        "holding-unweighed": "not sure whose coins these are",
        "in-review": "in review",
        "not-told": "not told everything",
        UNWATCHED: "not watched",
    }.get(finding.kind, finding.kind)
