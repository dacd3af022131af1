"""
What makes a world depend on more than its seed: ``python -m tests.lint``.

The contract that these rules enforce is docs/simulation.md.
"""

import sys

from tests.lint.checker import PARTS, TypesError, findings
from tests.lint.places import unexplained


def main() -> int:
    """The exit status: 1 where something is found, 2 where the types are not right."""
    try:
        found = unexplained(findings())
    except TypesError as error:
        print(error)
        return 2
    for one in found:
        print(one)
    print(f"{len(found)} findings about determinism in {', '.join(PARTS)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
