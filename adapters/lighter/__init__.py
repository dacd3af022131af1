"""Lighter (zkLighter): public quotes over httpx, trading through the unmodified lighter-sdk."""
