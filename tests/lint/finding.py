"""What a rule says of one place."""

from typing import NamedTuple


class Finding(NamedTuple):
    """``what`` is the full name of what is used there, or the kind of iteration."""

    path: str
    line: int
    rule: str
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"
