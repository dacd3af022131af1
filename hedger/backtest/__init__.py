"""
What the rules would have earned on recorded rates, settlement by settlement, without look-ahead.

============== =====================================================================
``package``    rules of the markets, fees and basis samples that come with the program
``loading``    a folder of CSV files to series; ``series`` holds them
``costs``      what opening and closing costs where no book was recorded
``replay``     one rule over one market; ``account`` books it in whole micro-dollars
``rules``      naive and hold-everything; ``ours`` asks the daemon's own functions
``oracle``     the ceiling: perfect foresight, per market
``generate``   hours after the end of the record, marked as such
``study``      split, rules and parts together; ``summary`` and ``sweep`` on top
============== =====================================================================

Nothing here knows a venue by name: columns are derived from the names of the two venues.
"""
