"""Market data of the backtest; where each figure comes from stands in ORIGIN.md."""
