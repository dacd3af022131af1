"""``python -m hedger`` is the ``hedger`` command."""

from hedger.cli import main

if __name__ == "__main__":
    main()
