"""
Judges of what a person is owed, each of them a small class: `bench.Seen` has one of every kind.

They read the engines and the committed rows of the ledger, never the product's objects. Most of
them look every few seconds; what a look finds for the first time has been so since the look
before, so a limit is overstepped by at least as much as is told.
"""
