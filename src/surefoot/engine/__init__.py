"""The engine: acts on what the core decides, and on nothing else.

clock      the only place that reads the time
keeper     one position's door: decide, journal, evolve, dispatch
dispatch   sends durable intents and turns every outcome into an input
sweep      reads the exchange, lets the core compare, commits what follows
feed       streams in, with gaps marked
runner     one bot, one loop: market in, strategy asked, signals guarded
account    one exchange login: its bots, streams and timers
supervisor all accounts, recovery with back-off, operator commands
"""
