"""Loading a venue's SDK without what it does to the rest of the program."""

import importlib
import sys
from typing import Any


def load(name: str) -> Any:
    """
    Import a module of an SDK; the recursion limit is what it was before.

    One of their dependencies raises it a hundredfold, and a parser that recurses as far
    overruns the stack instead of raising ``RecursionError``.
    """
    before = sys.getrecursionlimit()
    try:
        return importlib.import_module(name)
    finally:
        sys.setrecursionlimit(before)
