"""Messengers: what the journal records reaches people, each destination at its own pace.

They read the journal and post commands into its inbox; they write nothing else but their own
cursors, and they reach no exchange. Trading never waits for them.
"""
