"""How a journal says no.

JournalError
├── RecordRefused      a change was left out, and harmed nothing else
│   ├── StaleAppend        the stream has moved on; read again and decide again
│   ├── DuplicateFill      this exchange trade is booked already
│   └── IllegalUpdate      the database's own rules refused it, such as a state transition
├── JournalPoisoned    a commit failed: nobody knows whether it happened; exit and recover
├── JournalLocked      another process holds the lease (the message names it)
├── InboxHeld          another client is writing to the inbox; the command was not stored
├── InboxFull          too many commands wait already; the command was not stored
└── JournalUnusable    truncated, damaged, newer than this program, or another account's
"""

from __future__ import annotations

from surefoot.core.errors import SurefootError


class JournalError(SurefootError):
    """Anything a journal raises."""


class RecordRefused(JournalError):
    """The journal left a change out, and nothing of it was written; all else goes on."""


class StaleAppend(RecordRefused):
    """An append expected another version of its stream; nothing was written."""


class DuplicateFill(RecordRefused):
    """A fill is in the journal already; nothing was written."""


class IllegalUpdate(RecordRefused):
    """The database refused what its rules forbid; nothing was written."""


class JournalPoisoned(JournalError):
    """A commit failed and its outcome is unknown; this process must not go on."""


class JournalLocked(JournalError):
    """Another process is running on this journal."""


class JournalUnusable(JournalError):
    """The journal cannot be trusted or understood; nothing was changed."""


class InboxHeld(JournalError):
    """Another client holds the inbox; the command was not stored."""


class InboxFull(JournalError):
    """Too many commands wait in the inbox; the command was not stored."""
