"""The pure heart: states, orders, fills, exits, decisions and reconciliation.

Values go in, values come out. Nothing here reads a clock, opens a socket or a file, draws a
random number or logs: that is what lets every rule be checked exhaustively.
"""
