"""
Collecting rates, marks and books of both venues into the files that ``hedger backtest`` reads.

``files`` writes CSV that a kill cannot spoil; ``recorder`` looks at both venues again and again;
``fetching`` pulls what the venues remember of their settled rates, page by page.
"""
