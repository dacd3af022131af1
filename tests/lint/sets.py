"""
Rule ``order``: no order of a set reaches anything.

The elements of a set come in the order of their hashes: another one for texts in every process,
another one for objects at every address. What does not depend on the order may look at a set:
``sorted``, ``len``, membership, ``any`` and ``all``, another set. Everything else may not: a loop,
a list, an unpacking, a text, and a name or a parameter through which nobody would see any more
that it is one. The files of a folder come in an order of their own as well.
"""

import ast
from collections.abc import Iterator, Sequence

from mypy.nodes import ARG_POS
from mypy.types import CallableType, Instance, Overloaded, TupleType, Type, TypeVarType

from tests.lint.finding import Finding
from tests.lint.trees import yielded
from tests.lint.typed import Module, is_set, parts

RULE = "order"
FREE = frozenset(
    f"builtins.{name}" for name in ("all", "any", "bool", "frozenset", "isinstance", "len", "set")
) | {"asyncio.tasks.wait", "dataclasses.replace"}
KEYED = frozenset({"builtins.max", "builtins.min", "builtins.sorted"})
"""With a key, those that are equal by it come in the order of the set."""

SUMS = frozenset({"builtins.sum"})  # of whole numbers; others are rounded as they come
LISTINGS = frozenset(
    {"os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob"}
    | {f"pathlib.Path.{name}" for name in ("glob", "iterdir", "rglob", "walk")}
)
ONE_BY_ONE = frozenset({"pop", "__iter__", "__repr__", "__str__"})
BLIND = frozenset({"typing.Container"})  # a parameter that can be asked for members alone
Listed = ast.List | ast.Tuple


def found(module: Module) -> Iterator[Finding]:
    """Every place where an order of a set is looked at, or the set is lost from sight."""
    for node in module.nodes:
        for place, what in _looked_at(module, node):
            text = f"{what}: sort it, or keep what it holds in a list or a dictionary"
            yield Finding(module.path, place.lineno, RULE, what, text)


def _looked_at(module: Module, node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    yield from _iterated(module, node)
    yield from _lost(module, node)
    if isinstance(node, ast.Call):
        yield from _called(module, node)


def _iterated(module: Module, node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    holds = module.holds_set
    match node:
        case ast.For(iter=value) | ast.AsyncFor(iter=value) if holds(value):
            yield value, "a loop over a set"
        case ast.comprehension(iter=value) if holds(value) and not _free(module, node):
            yield value, "a comprehension over a set"
        case ast.Starred(value=value) if holds(value) and not _in_set(module, node):
            yield value, "a set unpacked"
        case ast.Assign(targets=[*targets], value=value) if holds(value):
            for target in targets:
                if isinstance(target, Listed) and len(target.elts) != 1:
                    yield value, "a set unpacked"
                if isinstance(target, Listed) and isinstance(target.elts[0], ast.Starred):
                    yield value, "a set unpacked"
        case ast.Attribute(value=value, attr=attr) if attr in ONE_BY_ONE and holds(value):
            yield node, f"{attr} of a set"
        case ast.YieldFrom(value=value) if holds(value):
            yield value, "a set yielded one by one"
        case ast.FormattedValue(value=value) if holds(value):
            yield value, "a set in a text"
        case ast.BinOp(left=left, op=ast.Mod(), right=right) if not holds(left):
            members = right.elts if isinstance(right, ast.Tuple) else [right]
            yield from ((one, "a set in a text") for one in members if holds(one))


def _called(module: Module, node: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    names = module.names(node.func)
    if isinstance(node.func, ast.Attribute):
        if module.holds_set(node.func.value):
            return
        names |= module.members(node.func.value, node.func.attr)
    if names & LISTINGS and not _consumed(module, node):
        yield node, "the files of a folder in an order of its own"
    if _is_free(module, node) or ("typing.cast" in names and module.holds_set(node)):
        return
    known = list(module.types(node.func))
    for place, value in enumerate(node.args):
        if module.holds_set(value) and not any(
            _takes(one, len(node.args), place, None) for one in known
        ):
            yield value, f"a set given to {_said(node.func)}"
    for keyword in node.keywords:
        value = keyword.value
        if module.holds_set(value) and not any(
            _takes(one, len(node.args), 0, keyword.arg) for one in known
        ):
            yield value, f"a set given to {_said(node.func)}"


def _lost(module: Module, node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """A set that comes to be called something else."""
    holds = module.holds_set
    match node:
        case ast.Assign(targets=targets, value=value) if holds(value):
            yield from _bound(module, targets, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value) if holds(value):
            yield from _bound(module, [target], value)
        case ast.NamedExpr(target=target, value=value) if holds(value):
            yield from _bound(module, [target], value)
        case ast.AugAssign(target=target, value=value) if holds(value):
            if not _keeps(module.declared(target)):
                yield value, "a set added to something else"
        case ast.Return(value=ast.expr() as value) if holds(value):
            if (known := module.returns(node)) is None or not _keeps(known):
                yield value, "a set returned as something else"
        case ast.Yield(value=ast.expr() as value) if holds(value):
            if (known := module.returns(node)) is None or not _keeps(yielded(known)):
                yield value, "a set yielded as something else"
        case ast.List(elts=values) | ast.Tuple(elts=values):
            yield from _put(module, node, values)
        case ast.Dict(values=values):
            yield from _put(module, node, values)
        case _:
            pass


def _bound(
    module: Module, targets: Sequence[ast.expr], value: ast.expr
) -> Iterator[tuple[ast.expr, str]]:
    for target in targets:
        if not isinstance(target, Listed) and not _keeps(module.declared(target)):
            yield value, "a set kept as something else"


def _put(module: Module, node: ast.expr, values: list[ast.expr]) -> Iterator[tuple[ast.expr, str]]:
    """Into something that does not say that it holds sets."""
    if isinstance(getattr(node, "ctx", None), ast.Store):
        return
    for place, value in enumerate(values):
        if not module.holds_set(value):
            continue
        for known in module.types(node):
            inner: list[Type] = []
            if isinstance(known, TupleType) and place < len(known.items):
                inner = [known.items[place]]
            elif isinstance(known, Instance):
                inner = list(known.args[-1:])
            if inner and not any(_keeps(one) for one in inner):
                yield value, "a set kept as something else"


def _keeps(known: Type | None) -> bool:
    """Whether a value of this type still shows that it may be a set; unknown ones do."""
    if known is None:
        return True
    found = list(parts(known))
    return any(is_set(part) or isinstance(part, TypeVarType) for part in found)


def _takes(known: object, given: int, place: int, name: str | None) -> bool:
    """
    Whether a parameter is declared to be a set, or can do nothing but look for members.

    ``given``: how many arguments there are by position; a signature that needs more is another.
    """
    if isinstance(known, Overloaded):
        return any(_takes(item, given, place, name) for item in known.items)
    if not isinstance(known, CallableType):
        return False
    wanted = known.argument_by_name(name) if name else known.argument_by_position(place)
    needed = [
        kind
        for kind, word in zip(known.arg_kinds, known.arg_names, strict=True)
        if kind == ARG_POS and word is None
    ]
    if wanted is None or len(needed) > given:
        return False
    return _keeps(wanted.typ) or any(
        isinstance(part, Instance) and part.type.fullname in BLIND for part in parts(wanted.typ)
    )


def _in_set(module: Module, node: ast.Starred) -> bool:
    """``{*one, *other}``."""
    return isinstance(module.parent(node), ast.Set)


def _free(module: Module, node: ast.comprehension) -> bool:
    """Whether what comes of a comprehension does not depend on the order."""
    whole = module.parent(node)
    return isinstance(whole, ast.SetComp) or (whole is not None and _consumed(module, whole))


def _consumed(module: Module, node: ast.AST) -> bool:
    """Whether it goes at once to somebody to whom the order is the same."""
    if isinstance(node, ast.SetComp):
        return True
    outer = module.parent(node)
    if isinstance(outer, ast.comprehension) and outer.iter is node:
        return _free(module, outer)
    if not isinstance(outer, ast.Call) or node not in outer.args:
        return False
    asks_set = isinstance(outer.func, ast.Attribute) and module.holds_set(outer.func.value)
    return asks_set or _is_free(module, outer)


def _is_free(module: Module, call: ast.Call) -> bool:
    names = module.names(call.func)
    if names & KEYED:
        return len(call.args) == 1 and not any(word.arg == "key" for word in call.keywords)
    if names & SUMS:
        return all(
            isinstance(part, Instance) and part.type.fullname in {"builtins.int", "builtins.bool"}
            for part in module.types(call)
            if not str(part).startswith("Literal")
        )
    return bool(names & FREE)


def _said(func: ast.expr) -> str:
    return ast.unparse(func)
