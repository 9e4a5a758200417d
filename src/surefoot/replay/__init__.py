"""Bots over recorded prices: the whole program, in virtual time.

world    the exchange, the program and time, in one process
result   what came of it: money, positions, the curve
page     the same as one HTML page
"""
