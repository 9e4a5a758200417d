"""The journal: the append-only record that is the authority, and what keeps it."""
