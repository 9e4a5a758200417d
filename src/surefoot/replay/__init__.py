"""Bots over recorded prices: the whole program, in virtual time.

inputs   files and tapes as one recording
fetched  candles of the venue itself, kept by day
world    the exchange, the program and time, in one process
result   what came of it: money, positions, the curve
chart    what of it is drawn
page     the same as one HTML page
"""
