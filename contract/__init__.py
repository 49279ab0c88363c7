"""The words that server, executor and clients share: events, states, workflows, messages, errors.

The ground floor of the house: it imports nothing of ours and does no I/O.
"""
