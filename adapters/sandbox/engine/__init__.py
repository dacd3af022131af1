"""A small exchange without I/O: books, matching, margin, funding and liquidation."""
