"""mypy's tree of a module, walked: its visitors are compiled and cannot be derived from here."""

from collections.abc import Iterator, Mapping

from mypy.nodes import Argument, Expression, FuncDef, MypyFile, Node, Statement
from mypy.patterns import Pattern
from mypy.types import CallableType, Instance, Type, get_proper_type

ELSEWHERE = frozenset({"info", "node", "original_def", "type", "unanalyzed_type"})
"""Attributes that lead out of the tree: to what a name means, and to types."""

WRAPPED = frozenset(
    {
        "typing.AsyncGenerator", "typing.AsyncIterable", "typing.AsyncIterator",
        "typing.Generator", "typing.Iterable", "typing.Iterator",
    }
)  # fmt: skip


def walked(file: MypyFile) -> Iterator[Node]:
    """Every statement and expression, each once."""
    seen: set[int] = set()
    waiting: list[object] = list(file.defs)
    while waiting:
        one = waiting.pop()
        if isinstance(one, list | tuple):
            waiting += one
        elif isinstance(one, Statement | Expression | Argument | Pattern):
            if id(one) in seen:
                continue
            seen.add(id(one))
            yield one
            waiting += [getattr(one, name, None) for name in _attributes(type(one))]


def returned(file: MypyFile) -> Mapping[tuple[str, int], Type]:
    """What each function returns, by name and line; of what is awaited it is the result."""
    found: dict[tuple[str, int], Type] = {}
    for function in walked(file):
        if isinstance(function, FuncDef) and isinstance(function.type, CallableType):
            known = get_proper_type(function.type.ret_type)
            if function.is_coroutine and isinstance(known, Instance) and known.args:
                known = get_proper_type(known.args[-1])
            found[function.name, function.line] = known
    return found


def yielded(known: Type) -> Type:
    """What a generator of this type gives each time."""
    proper = get_proper_type(known)
    if isinstance(proper, Instance) and proper.type.fullname in WRAPPED and proper.args:
        return proper.args[0]
    return proper


def _attributes(kind: type) -> tuple[str, ...]:
    if kind not in _KNOWN:
        names = [name for base in kind.__mro__ for name in getattr(base, "__mypyc_attrs__", ())]
        _KNOWN[kind] = tuple(dict.fromkeys(name for name in names if name not in ELSEWHERE))
    return _KNOWN[kind]


_KNOWN: dict[type, tuple[str, ...]] = {}
