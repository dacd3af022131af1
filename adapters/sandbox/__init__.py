"""Sandbox venues: one exchange engine and two wire faces over it, on loopback only."""
