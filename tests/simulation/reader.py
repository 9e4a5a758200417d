"""Somebody at a terminal: he reads now and then, and types what is right, wrong or hostile."""

from __future__ import annotations

from contextlib import closing
from random import Random
from typing import Any, Final

import apsw
from tests.simulation.judge import Judge
from tests.simulation.plan import Plan
from tests.simulation.terminal import Answer, Terminal
from tests.simulation.words import FINE, Words
from tests.simulation.world import World

# What is no name, no amount and no word, whatever is asked for.
_NONSENSE: Final = (
    "\x1b[2Jbot1", "bot1\nall is well", "bot\u202e1", "BOT1", "bot1-999", "../bot1", "--", "",
    "1e400", "sNaN", "bot1'; DROP TABLE records; --",
)  # fmt: skip
_AMOUNTS: Final = ("sNaN@1", "1@sNaN", "-1@60000", "1e30@60000", "0.001@Infinity", "1@1@1", "@", "")
# What somebody writes past the command line's own checks: kind, target, actor, times, arguments.
_FORGED_ROWS: Final = (
    ("resolve", "bot1-1", "somebody", '{"how": "filled", "quantity": "sNaN", "price": "1"}'),
    ("resolve", "bot1-1", "somebody", '{"how": "filled", "quantity": "1e-99", "price": "NaN"}'),
    ("close", "bot1\nall is well", "some\x1b[2Jbody", "{}"),
    ("pause", "bot1", "somebody", "[]"),
    ("pause", "bot1", "somebody", '{"reason": "\\u001b[2J\\nfine"}'),
    ("nothing", "", "", "not even json"),
)
_DECLARES: Final = frozenset({"resume", "resolve", "resume-all"})


class Reader:
    """One person; what he is told, `Words` judges."""

    def __init__(self, world: World, plan: Plan, judge: Judge) -> None:
        self._world = world
        self._judge = judge
        self._luck = Random(f"{plan.seed} reader")
        self._bots = [bot.name for bot in plan.bots]
        self.terminal = Terminal(world)
        self._words = Words(world, judge)
        self._copies = 0
        self._banned = "ban" in plan.kinds
        # Somebody is at the files: what they are is no news then.
        self._upset = bool(
            set(plan.kinds) & {"restore", "deleted", "log-lost", "snapshot", "moved", "forged"}
        )

    async def _typed(self, *words: str) -> Answer:
        async with self.terminal.free:
            return await self._at_once(*words)

    async def _at_once(self, *words: str) -> Answer:
        """Type while nobody else can: what is asked before and after is of one moment with it."""
        answer = await self.terminal.run(*words)
        self._world.story.say("reader", " ".join(words)[:200], code=answer.code)
        return answer

    # Reading -------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Look how everything stands, and at one thing more."""
        if not self._there():
            return
        await self._look()
        bot = self._luck.choice(self._bots)
        # Who asks the exchange from here is told of a ban that the server does not hear of.
        asking = () if self._banned else ("check", "dry-run")
        match self._luck.choice(("log", "log-of", "explain", "backup", *asking)):
            case "log":
                self._words.log(await self._typed("log", "--all"), None)
            case "log-of":
                self._words.log(await self._typed("log", "--all", "--bot", bot), bot)
            case "explain":
                names = self._judge.rows("SELECT position_id FROM positions WHERE bot = ?", bot)
                name = self._luck.choice([each for (each,) in names] or [f"{bot}-1"])
                self._words.explained(await self._typed("explain", name), name)
            case "check":
                self._checked(await self._typed("check", "--json"))
            case "backup":
                await self._back_up()
            case "dry-run":
                self._words.heard(await self._typed("recover", "--dry-run", "--json"))

    async def _look(self) -> Answer:
        await self._world.sleep(0)  # whoever was just killed lets go of what it holds
        async with self.terminal.free:
            text = await self._at_once("status")
            document = await self._at_once("status", "--json")
        self._words.status(text, document)
        return document

    def _checked(self, answer: Answer) -> None:
        if self._upset:
            self._words.heard(answer)
        else:
            self._words.checked(answer)

    async def _back_up(self) -> None:
        self._copies += 1
        copy = self._world.directory / f"backup-{self._copies}"
        answer = await self._typed("backup", str(copy))
        self._words.heard(answer)
        self._words.refused(await self._typed("backup", str(copy)), (0, 0))
        if answer.code == FINE:
            self._words.copied(answer, copy)

    def _there(self) -> bool:
        journal = self._world.directory / "surefoot.db"
        return journal.exists() and not self._world.kept_down

    # Typing --------------------------------------------------------------------------------------

    async def type(self) -> None:
        """Want something, by the right words or by others."""
        if not self._there():
            return
        luck, bot = self._luck, self._luck.choice(self._bots)
        match luck.choice(("offered", "offered", "word", "word", "all", "nonsense", "forged")):
            case "offered":
                await self._do_as_told()
            case "word":
                await self._want(luck.choice(("pause", "resume", "resume", "close")), bot)
            case "all":
                await self._want("stop-all")
                await self._world.sleep(luck.uniform(0, 20))
                await self._want("resume-all")
            case "nonsense":
                await self.talk_nonsense(bot)
            case "forged":
                self._forge()

    async def _want(self, kind: str, *rest: str) -> Answer:
        if kind in _DECLARES:
            for target in rest[:1] or self._bots:
                self._judge.declare(target)
        before = self._words.done(kind)
        answer = await self._typed(kind, *rest)
        if self._there() and not self._upset:
            self._words.carried_out(answer, kind, before)
        else:
            self._words.heard(answer)
        return answer

    async def _do_as_told(self) -> None:
        """Do one of the things that `status` offers, word for word."""
        document = await self._look()
        if document.code not in {0, 3}:
            return
        offers = [
            (found, action.split()[1:])
            for found in document.document["review"]
            for action in found["actions"]
            if action.split()[1] in {"resolve", "resume", "close", "pause", "recover"}
            and "QUANTITY" not in action  # nobody here knows
        ]
        if not offers:
            return
        found, words = self._luck.choice(offers)
        if words[0] == "recover" and self._world.program is None:
            return  # it would be done here, and nobody starts a server beside it
        words += ["--yes"] if "--filled" in words else []
        stood = self._stands(found)
        answer = await self._want(words[0], *words[1:])
        if answer.code != FINE and "efused" in answer.out + answer.err:
            after = (await self._look()).document["review"]
            same = [each for each in after if each == found]
            if same and stood == self._stands(found):
                self._words.blame("what is offered is refused", answer, str(found))

    def _stands(self, found: Any) -> list[Any]:
        query = "SELECT max(sequence) FROM records WHERE stream IN (?, ?)"
        return self._judge.rows(query, f"bot/{found['bot']}", f"position/{found['position']}")

    async def talk_nonsense(self, bot: str) -> None:
        """Type what can be no command, whatever else was said."""
        luck = self._luck
        name, amount = luck.choice(_NONSENSE), luck.choice(_AMOUNTS)
        words = luck.choice(
            (
                ("pause", name), ("resume", name), ("close", name), ("status", name),
                ("log", "--bot", name), ("explain", name), ("recover", name),
                ("resolve", name, "--flat"), ("resolve", bot, "--flat", "--ignore"),
                ("resolve", bot, "--filled", amount, "--yes"),
                ("resolve", bot, "--filled", "0", "--order", "a\nb", "--yes"),
                ("backup", str(self._world.directory / "nowhere" / "copy")),
                ("log", "--last", "-1"), ("close",), ("stop-all", "please"), (name,),
            )
        )  # fmt: skip
        async with self.terminal.free:
            before = self._waiting()
            answer = await self._at_once(*words)
            after = self._waiting()
        self._words.refused(answer, (before, after))

    def _waiting(self) -> int:
        """Return how many commands wait, or have been taken."""
        inbox = self._world.directory / "surefoot.db.inbox"
        ((taken,),) = self._judge.rows("SELECT count(*) FROM commands") or [(0,)]
        return int(taken) + (len(_rows(str(inbox))) if inbox.exists() else 0)

    def _forge(self) -> None:
        """Write past the command line's checks, straight into the file where commands wait."""
        inbox = self._world.directory / "surefoot.db.inbox"
        if not inbox.exists():
            return
        kind, target, actor, arguments = self._luck.choice(_FORGED_ROWS)
        now = self._world.clock.now().isoformat()
        with closing(apsw.Connection(str(inbox))) as connection:
            connection.execute(
                "INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    f"forged-{self._luck.getrandbits(48):x}",
                    kind,
                    target,
                    actor,
                    now,
                    now,
                    arguments,
                ),
            )
        self._world.story.say("reader", "writes into the inbox", kind=kind, target=repr(target))


def _rows(inbox: str) -> list[Any]:
    with closing(apsw.Connection(inbox, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return list(connection.execute("SELECT command_id FROM commands"))
