"""Holding what the ledger believes against what the venues have done."""
