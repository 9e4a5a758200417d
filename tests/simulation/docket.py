"""Where each planted mistake is tried: in worlds of some kind, in one made for it, or in none.

Every mistake of `benchmarks/sabotage.py` stands here once. A mistake of a room in `ROOMS` is tried
in no world; of any other, whoever adds it has to say what makes its situation, or why nothing can.
"""

from __future__ import annotations

from typing import Final

# What makes the situation in which a mistake matters: what goes wrong, how many seconds apart.
TOLD: Final[dict[str, str]] = {
    "forget the protective stop": "crash=200",
    "send before it is written": "crash=60",
    "ignore the fee that is kept back": "crash=200",
    "book a fill as often as it is told": "stream=20",
    "take an entry while one is out": "crash=200",
    "send again when no answer came": "request=20",
    "take one empty answer for absence": "lag=15,request=20",
    "take a stop for less than is held for the one that is wanted": "adding=1,crash=200",
    "leave the row of what is replaced as it was": "jump=30,crash=60",
    "believe an ending before its fills are counted": "lag=15,partial=20,stream=20",
    "give every life the same names": "snapshot=40,crash=60",
    "use a name twice": "crash=200",
    "wait for ever in silence": "latency=5,outage=30",
    "cancel whatever is not known": "owner=20",
    "call an order of a lost journal a stranger's": "deleted=60",
    "begin a journal where one was": "deleted=60",
    "look for no trades of a lost journal where coins lie": "deleted=60",
    "forget that a journal had more records": "log-lost=40,crash=40",
    "let a bot enter on a journal that went back in time": "log-lost=40,crash=40",
    "sell what an older journal believes in": "restore=20,crash=60",
    "hold on although the exchange says that the stop is passed": "hush=15",
    "compare nothing that is frozen": "owner=20,crash=40,jump=20",
    "take the machine's clock for the exchange's time": "clock=15",
    "ask on through a ban": "ban=30",
    "forget a ban when a life ends": "ban=30,crash=20",
    "let a ban last for as long as a clock was ahead when it was noted": "ban=30,clock=20,crash=30",
    "leave while more is being bought": "partial=20,jump=30",
    "take a trade of two orders for a trade of one": "crash=200",
    "take the stop away for a limit again and again": "unmet=60,gaining=0.3",
    "let a request live for ever": "late=20",
    "take a gain at whatever the market pays": "gaining=0.3,jump=30",
    "trust a stream of which one socket stands still": "local=1,still=150",
    "cancel a stop before its successor is accepted": "jump=15,trailing=0.3",
    "let a stop give way": "jump=15,trailing=0.3",
    "trail a price from before anything was bought": "adding=1,reads=10,crash=200",
    "leave the entry of a paused bot to fill": "operator=15",
    "be green while nothing answers": "outage=60",
    "let a strategy write as many orders as it likes": "orders=3,eager=0.5",
    "acknowledge into a file that was moved away": "moved=60",
    "put a row in the place of another": "forged=60",
    "leave a column out of the chain": "forged=60",
    "believe a table that hides a position": "forged=60",
    "take whatever schema is there": "forged=60",
    "call absent what the balance shows": "hidden=90",
    "call what nobody answered not sent": "request=20",
    "come back a second after a ban was told": "ban=30",
    "forget what is missing when somebody is asked again": "latency=20,lag=15,owner=30",
    "answer 0 for what was only stored": "types=10,crash=30",
    "show a stop that nobody watches as watched": "local=1,reads=10,crash=30",
    "call a stop for a part one for all": "adding=1,reads=10,crash=200",
}
# Worlds of the whole program in which one thing happens, whatever the seed; one of them convicts.
STAGED: Final[dict[str, str]] = {
    "keep no place for an order before it is written": "tests/simulation/test_crowd.py -k thirty",
    "enter without a place for the stop": "tests/simulation/test_crowd.py -k thirty",
    "forget what lies on an account that no bot uses any more": (
        "tests/simulation/test_left_account.py"
    ),
    "watch nothing before everything is proven": (
        "tests/simulation/test_situations.py -k start_sells"
    ),
    "let one symbol keep the others waiting": (
        "tests/simulation/test_situations.py -k start_sells"
    ),
    "leave a quiet market without a price": ("tests/simulation/test_situations.py -k start_sells"),
    "look at no quote before an entry is called absent": (
        "tests/simulation/test_situations.py -k rests_unseen"
    ),
    "take what another bot has locked for a lost entry": (
        "tests/simulation/test_situations.py -k blocks_no_bot"
    ),
    "let somebody else's lock block a bot for ever": (
        "tests/simulation/test_situations.py -k blocks_no_bot"
    ),
    "let an alarm come and go with every exit that is refused": (
        "tests/simulation/test_situations.py -k one_alarm"
    ),
    "let what the owner trades keep an order in doubt for ever": (
        "tests/simulation/test_shared_coins_worlds.py -k by_hand_keeps"
    ),
    "sell again what was denied, whoever has bought since": (
        "tests/simulation/test_shared_coins_worlds.py -k another_sale"
    ),
    "take what was bought since for what was denied": (
        "tests/simulation/test_shared_coins_worlds.py -k another_sale"
    ),
    "wait for the next round when the coins are not there": (
        "tests/simulation/test_situations.py -k protected_at_once"
    ),
    "give a position in alarm another minute for what follows": (
        "tests/simulation/test_situations.py -k alarm_stays"
    ),
    "take an amend that nobody answered for one that was refused": (
        "tests/simulation/test_amended_worlds.py -k unseen"
    ),
    "call what a gateway says the exchange's own no": (
        "tests/simulation/test_situations.py -k gateway"
    ),
    "make a resting stop smaller because new orders may be no larger": (
        "tests/simulation/test_situations.py -k as_large_as"
    ),
    "ask once in a while for what moves unseen": (
        "tests/simulation/test_situations.py -k moves_unseen"
    ),
    "leave an amended order's row as it was": ("tests/simulation/test_amended_worlds.py -k killed"),
    "let a day lose what it may not": "tests/simulation/test_situations.py -k under_water",
    "take every sale by hand for the owner's": "tests/simulation/test_situations.py -k asked_about",
    "let a stop wait because nobody met a limit": (
        "tests/simulation/test_situations.py -k does_not_wait"
    ),
    "leave a stop as it is when more is held": ("tests/simulation/test_situations.py -k makes_way"),
    "let coins that nobody explains prove a holding": (
        "tests/simulation/test_set_back_worlds.py -k nobody_explains"
    ),
    "read no trades although the balance differs": (
        "tests/simulation/test_set_back_worlds.py -k bought_again"
    ),
    "conclude absence of what has moved on": (
        "tests/simulation/test_late_sights.py -k has_not_vanished"
    ),
    "protect coins of others in the place of our own": (
        "tests/simulation/test_late_balances.py -k sells_once"
    ),
    "let a stop rest that turned up when another one protects": (
        "tests/simulation/test_late_sights.py -k turns_up"
    ),
    "count what is refused for its time among what freezes": (
        "tests/simulation/test_shared_coins_worlds.py -k refusals_for"
    ),
    "carry out a wish to leave from before a setback": (
        "tests/simulation/test_shared_coins_worlds.py -k wish_to_leave"
    ),
    "ask for coins that orders of others lock": (
        "tests/simulation/test_shared_coins_worlds.py -k what_is_free"
    ),
    "let what others bought make good what they sold of a bot's": (
        "tests/simulation/test_shared_coins_worlds.py -k owner_bought"
    ),
    "explain a holding before the last request can have turned up": (
        "tests/simulation/test_set_back_worlds.py -k may_still_sell"
    ),
    "believe an older journal although the exchange has an order that it lost": (
        "tests/simulation/test_set_back_worlds.py -k shows_to_be_lost"
    ),
    "store a command without looking at it": (
        "tests/simulation/test_operator_worlds.py -k stored_nowhere"
    ),
    "repair without a copy": ("tests/simulation/test_operator_worlds.py -k forged"),
    "let paper and the real exchange share a journal": (
        "tests/simulation/test_operator_worlds.py -k share_no_journal"
    ),
    "put a secret into the log": ("tests/simulation/test_operator_worlds.py -k holds_a_key"),
    "show what a request went to": (
        "tests/simulation/test_operator_worlds.py -k without_its_address"
    ),
    "lock a name instead of a file": ("tests/simulation/test_operator_worlds.py -k second_program"),
    "forget to look at the account": (
        "tests/simulation/test_operator_worlds.py -k no_other_account"
    ),
    "forget why a bot is in review when everything is stopped": (
        "tests/simulation/test_operator_worlds.py -k stopping_everything"
    ),
    "begin a bot anew beside what is frozen in its former symbol": (
        "tests/simulation/test_operator_worlds.py -k anew_beside"
    ),
    "let a bot pay with what another one trades": (
        "tests/simulation/test_market_worlds.py -k pays_with"
    ),
    "let anything go as dust that the exchange would not sell for its worth": (
        "tests/simulation/test_market_worlds.py -k no_dust"
    ),
}
# Worlds with a stranger at the dashboard's door, by the name of what he tries there.
AT_THE_DOOR: Final[dict[str, str]] = {
    "answer to any host name": "another_host",
    "let another page change something": "no_other_page",
    "take a cookie for a proof": "no_other_page",
    "believe a cookie that does not say where it comes from": "no_other_page",
    "show figures without a token": "sees_no_figure",
    "take a body of any size": "no_body",
    "take a body of which nobody says how long it is": "no_body",
    "let tokens be tried for ever": "from_one_address",
    "let wrong tokens be tried from ever new addresses": "from_ever_new",
    "let who may look close a position": "does_not_allow",
    "move money without a confirmation": "does_not_allow",
    "let scripts read the cookie": "no_script",
    "let a session live for ever": "stolen_cookie",
    "believe a cookie that nobody signed": "made_at_home",
    "let others read the token": "reads_the_token",
    "believe a token file that others may read": "others_could_read",
    "send answers without a policy": "tells_a_browser",
    "let pages run what is written into them": "tells_a_browser",
    "let another page put the dashboard into a frame": "tells_a_browser",
    "let another site's page ask with the cookie": "no_other_site",
    "send the cookie along from other sites": "no_other_site",
    "give a page of as many rows as are asked for": "no_page_holds",
    "refuse a command that is repeated for what it has done itself": "given_again",
    "take each repeat of a key for a new command": "said_twice",
    "forget that a key was used for another command": "of_one_wish",
}
_DOOR: Final = "tests/simulation/test_stranger_worlds.py"
STAGED.update({name: f"{_DOOR} -k {tried}" for name, tried in AT_THE_DOOR.items()})
# Worlds with somebody who writes to the messenger, by the name of what he tries.
BY_MESSAGE: Final[dict[str, str]] = {
    "obey whoever writes to the bot on Telegram": "neither_obeyed",
    "hear groups and channels on Telegram": "in_a_group",
    "do what was written to Telegram an hour ago": "hour_ago",
    "take a button that is pressed twice for two commands": "closes_once",
}
_MESSENGER: Final = "tests/simulation/test_messenger_worlds.py"
STAGED.update({name: f"{_MESSENGER} -k {tried}" for name, tried in BY_MESSAGE.items()})
# Worlds as they are drawn convict these; none is made for them.
DRAWN: Final[frozenset[str]] = frozenset(
    {
        "follow prices of the past",
        "be at break-even at once",
        "let an entry rest for ever",
        "count a price for what was paid",
        "let who is in review enter",
        "protect half of what is held",
        "buy twice as much as is configured",
    }
)
# Whose mistakes no world shows, but for those above: what is in the world is the trading program,
# an exchange, and somebody at a terminal.
ROOMS: Final[dict[str, str]] = {
    "web/": "a dashboard of a world has no sockets, which pages keep open",
    "notify/": "nobody in a world takes a webhook",
    "cli/": "a world has one process of its program, and no dashboard's",
    "strategy/workers.py": "strategies of a world think in its own process, and never for long",
    "simulator/mirror.py": "the prices of a world are its own, and no venue's",
}
# What a world cannot show although it is in its rooms.
BEYOND: Final[dict[str, str]] = {
    "forget an order that has left": (
        "a world's exchange tells nothing new of an order that is over and counted; "
        "five worlds of stream=10,lag=15,partial=20 end no worse with it"
    ),
    "believe a table that hides what is frozen": (
        "another guard finds what is frozen and open; hardly anything over is frozen; "
        "five worlds of forged=60 end no worse with it"
    ),
    "let an order leave that is still looked for": (
        "a second guard: what has left is found by its name in lists, trades and events, and is "
        "believed again (tests/simulation/test_late_sights.py -k turns_up ends well with it)"
    ),
    "let all that is there prove a holding that was never weighed": (
        "a second guard: nobody buys before it is weighed "
        "(tests/simulation/test_set_back_worlds.py -k was_weighed)"
    ),
    "cancel an orphan at first sight": (
        "the list of orders in a world shows none that has ended; "
        "five worlds of latency=20,lag=15,owner=30 end no worse with it"
    ),
    "keep the word that something is too small to sell for ever": (
        "a world's exchange calls nothing too small that is not"
    ),
    "take a stop away for an exit that a raised minimum refuses": (
        "no exchange of a world raises what it trades at least"
    ),
    "let go what a raised minimum outlaws": (
        "no exchange of a world raises what it trades at least"
    ),
    "take a stop away for an exit in a closed market": "no market of a world closes",
    "buy what its stop sells at once": "no step of a world's prices is as wide as a stop",
    "let a bot enter on a word that was overtaken": "no word of a world is late",
    "look for a day for what the exchange did not try": "it costs weight, and no money",
    "judge what is too small to sell by the filters of once": (
        "no exchange of a world raises what it trades at least"
    ),
    "leave a bot in review when its market is open again": "no market of a world closes",
    "give every request as long as the first, however slow the disk": (
        "no disk of a world takes longer than a request may travel"
    ),
    "add to a position while its stop may yet become smaller": (
        "a stop becomes smaller where coins vanish, and nobody knows then whose they were; "
        "five worlds of adding=1,unlock=40,request=20 end no worse with it"
    ),
    "call an entry absent although nobody told what is locked": (
        "it is asked like the balances, and where these fail nothing is concluded; "
        "five worlds of hidden=40,request=20 end no worse with it"
    ),
    "carry a command out again after a restore": (
        "a second guard: an answer from before a setback is refused when its turn comes as well, "
        "and nothing closes what is set back (tests/simulation/test_set_back_worlds.py -k was_said)"
    ),
    "call a read of trades whole after its first page": (
        "a second guard: an order that is over is asked for its own trades"
    ),
    "sell a part again that is in doubt": (
        "a world's exchange answers balances as they are; where they come 25 s late, it ends well "
        "with it all the same (tests/simulation/test_late_balances.py)"
    ),
    "freeze for coins that a missed exit has sold": (
        "a world's exchange answers balances as they are; where they come 25 s late, it ends well "
        "with it all the same (tests/simulation/test_late_balances.py)"
    ),
    "sell again what a missed exit has sold": (
        "a world's exchange answers balances as they are; where they come 25 s late, it ends well "
        "with it all the same (tests/simulation/test_late_balances.py)"
    ),
    "take any refused cancel for the proof that nothing is open": (
        "a second guard: the exchange takes no second stop for the same coins"
    ),
    "set a stop again while the lost one can still come": (
        "a second guard: the exchange takes no second stop for the same coins"
    ),
    "call a symbol empty of which nobody told the balance": (
        "a second guard: without balances no symbol counts as read, so nobody enters"
    ),
    "let a wish to take a gain outlive the price": (
        "the stop is honoured all the same; only the strategy's own exit waits"
    ),
    "let all go as dust because a part was too small": (
        "a part is sold above its cost, and was large enough at that"
    ),
    "weigh a sale against the balance from before it": (
        "a world's exchange answers balances as they are; where they come 25 s late, it ends well "
        "with it all the same (tests/simulation/test_late_balances.py)"
    ),
    "let a position take any way there is no edge for": (
        "a second guard: the core takes no such way (tests/exhaustive)"
    ),
    "take an older answer for the proof that a stop is not there": (
        "a second guard: no stop is hailed before that moment (`_is_missed`)"
    ),
    "take any answer for the newest word on the count": (
        "an order too many is refused, and goes within the next ten seconds"
    ),
    "let entries use up the count of orders": (
        "what is filled gives its place in the count back, and nothing else needs a stop"
    ),
    "write off anew instead of more": (
        "what an operator has declared of a position is not judged, and he alone writes off anew"
    ),
    "wait for a price when an exit only came at a wrong time": (
        "prices come every second in a world, and none is back above the stop by the next one"
    ),
    "take a trade that may be of the order in doubt for the owner's": (
        "a second guard: whose trades are is asked of all since the order, and answered in a world"
    ),
    "let a stop make way when nothing else is known to be there": (
        "where a stop of a world rests, its coins are locked, and no exit lacks them"
    ),
    "look for a lost order only half a day": "no order of a world turns up after half a day",
    "believe what is said of a live order": (
        "a second guard: where nothing is in doubt no such word fits "
        "(tests/simulation/test_operator_worlds.py -k live_stop ends well with it)"
    ),
    "show whatever an exchange says as it came": (
        "a second guard: what an exchange says is cleaned when it is read "
        "(tests/simulation/test_stranger_worlds.py -k forges_no_line ends well with it)"
    ),
    "let a position grow younger": (
        "a sale by hand may be left unexplained; what freezes where an owner trades is no harm"
    ),
    "let a holding that has no price any more keep everybody out": (
        "a world's exchange tells the price of a closed market as well "
        "(tests/simulation/test_market_worlds.py -k closed_for_good ends well with it)"
    ),
    "give one login two names": (
        "a second guard: a start asks all accounts who they are before one of them is bound "
        "(tests/simulation/test_operator_worlds.py -k one_name ends well with it)"
    ),
}


AS_DRAWN: Final = "worlds as they are drawn"


def whereabouts(name: str, file: str) -> list[str]:
    """Return where a mistake is tried, or why it is in no world; once, if all is well."""
    found = [f"--told {TOLD[name]}"] if name in TOLD else []
    found += [STAGED[name]] if name in STAGED else []
    found += [AS_DRAWN] if name in DRAWN else []
    found += [BEYOND[name]] if name in BEYOND else []
    return found or [why for room, why in ROOMS.items() if file.startswith(room)]
