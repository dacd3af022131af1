"""Cross-exchange funding-rate hedge executor with rollback, for X10 (Extended) and Lighter."""

__version__ = "0.1.0"
