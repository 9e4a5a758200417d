"""One account, put together: every part is made once, and knows only those before it."""

from __future__ import annotations

from surefoot.engine.account import Account
from surefoot.engine.books import Books
from surefoot.engine.clock import Clock
from surefoot.engine.comparing import Comparing
from surefoot.engine.feed import Feed
from surefoot.engine.inspection import Inspection
from surefoot.engine.login import Login
from surefoot.engine.prices import Prices
from surefoot.engine.questions import Questions
from surefoot.engine.recovery import Recovery
from surefoot.engine.roster import MakeAdvisor, Roster
from surefoot.engine.rounds import Rounds
from surefoot.engine.specs import AccountSpec
from surefoot.engine.supervision import Spawn, Supervision
from surefoot.engine.tempo import Tempo
from surefoot.engine.vitals import Vitals
from surefoot.engine.voice import Log
from surefoot.exchange.port import Exchange
from surefoot.journal.port import Journal


def assemble(  # noqa: PLR0913 (the one place where an account's parts meet)
    spec: AccountSpec,
    *,
    exchange: Exchange,
    journal: Journal,
    clock: Clock,
    make_advisor: MakeAdvisor,
    spawn: Spawn,
    log: Log,
    tempo: Tempo | None = None,
) -> Account:
    """Put one account together."""
    login = Login(spec, exchange=exchange, journal=journal, clock=clock, log=log, tempo=tempo)
    supervision = Supervision(spawn, clock, login.log)
    questions = Questions.within(exchange, login.tempo.resting_s)
    roster = Roster(
        login,
        journal=journal,
        make_advisor=make_advisor,
        questions=questions,
        supervision=supervision,
    )
    books = Books(login, roster.keepers, journal)
    comparing = Comparing(spec, exchange=exchange, reader=journal, clock=clock)
    inspection = Inspection(login, keepers=roster.keepers, books=books, comparing=comparing)
    rounds = Rounds(
        login, roster=roster, inspection=inspection, questions=questions, supervision=supervision
    )
    feed = Feed(
        login,
        keepers=roster.keepers,
        journal=journal,
        runners=roster.runners,
        windows=roster.windows,
        gap=rounds.want,
        is_ours=books.is_ours,
    )
    prices = Prices(login, keepers=roster.keepers, feed=feed)
    recovery = Recovery(
        login,
        journal=journal,
        roster=roster,
        inspection=inspection,
        watch=rounds.watch,
        feed=feed,
        prices=prices,
        supervision=supervision,
    )
    return Account(
        login=login,
        roster=roster,
        rounds=rounds,
        recovery=recovery,
        vitals=Vitals(login, roster, journal),
        prices=prices,
        supervision=supervision,
    )
