"""
One module of the program: its syntax, and what mypy knows about each expression of it.

Syntax is Python's own ``ast``; types and full names are mypy's, joined by position. So a name
means what it refers to, however it was imported, assigned or reached.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mypy.nodes import Expression, MypyFile, RefExpr, TypeInfo, Var
from mypy.types import (
    CallableType,
    Instance,
    Overloaded,
    ProperType,
    Type,
    TypeType,
    TypeVarType,
    UnionType,
    get_proper_type,
)

Position = tuple[int, int, int | None, int | None]
Known = Sequence[tuple[Expression, Type]]

Function = ast.FunctionDef | ast.AsyncFunctionDef

ORDERED_VIEWS = frozenset(
    {"typing.KeysView", "typing.ItemsView", "_collections_abc.dict_keys"}
)  # sets by their interface, in the order in which their dictionary was filled
SETS = frozenset({"typing.AbstractSet", "_weakrefset.WeakSet"})


def indexed(types: Mapping[Expression, Type]) -> Mapping[Position, Known]:
    """The expressions of one module by where they stand."""
    found: dict[Position, list[tuple[Expression, Type]]] = {}
    for expression, known in types.items():
        at = (expression.line, expression.column, expression.end_line, expression.end_column)
        found.setdefault(at, []).append((expression, known))
    return found


def parts(known: Type | None) -> Iterator[ProperType]:
    """The members of a union, and the bound of a type variable."""
    if known is None:
        return
    proper = get_proper_type(known)
    if isinstance(proper, UnionType):
        for item in proper.items:
            yield from parts(item)
    elif isinstance(proper, TypeVarType):
        yield proper
        yield from parts(proper.upper_bound)
    else:
        yield proper


def bases(known: ProperType) -> Sequence[TypeInfo]:
    """The classes that a value of this type is an instance of, nearest first."""
    if isinstance(known, Instance):
        return known.type.mro
    fallback = getattr(known, "fallback", None) or getattr(known, "partial_fallback", None)
    return fallback.type.mro if isinstance(fallback, Instance) else ()


def made_by(known: ProperType) -> Sequence[TypeInfo]:
    """Where the value is a class itself: that class and its bases."""
    if isinstance(known, TypeType):
        return bases(get_proper_type(known.item))
    if isinstance(known, Overloaded):
        known = known.items[0]
    if isinstance(known, CallableType) and known.is_type_obj():
        return known.type_object().mro
    return ()


def is_set(known: Type | None) -> bool:
    """Whether a value of this type may be a set, whose order is nobody's."""
    for part in parts(known):
        names = {info.fullname for info in bases(part)}
        if names & SETS and not names & ORDERED_VIEWS:
            return True
    return False


@dataclass
class Module:
    """``path`` is that of the file, from the root of the repository."""

    path: str
    source: str
    index: Mapping[Position, Known]
    returned: Mapping[tuple[str, int], Type]  # by each function's name and line
    _tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self._tree = ast.parse(self.source)

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """All of them, but for what only says a type."""
        found: list[ast.AST] = []
        waiting: list[object] = [self._tree]
        while waiting:
            node = waiting.pop()
            if not isinstance(node, ast.AST):
                continue
            found.append(node)
            for name, value in ast.iter_fields(node):
                if name not in {"annotation", "returns", "type_params"}:
                    waiting += value if isinstance(value, list) else [value]
        return found

    @cached_property
    def _parents(self) -> Mapping[ast.AST, ast.AST]:
        every = ast.walk(self._tree)
        return {child: node for node in every for child in ast.iter_child_nodes(node)}

    @cached_property
    def _imported(self) -> Mapping[str, str]:
        """What names of this module mean, by its imports alone."""
        found: dict[str, str] = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    whole = alias.name if alias.asname else alias.name.partition(".")[0]
                    found[alias.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return found

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What it stands in."""
        return self._parents.get(node)

    def returns(self, node: ast.AST) -> Type | None:
        """What the function around a statement is declared to return."""
        around: ast.AST | None = node
        while around is not None and not isinstance(around, Function | ast.Lambda):
            around = self.parent(around)
        if not isinstance(around, Function):
            return None
        return self.returned.get((around.name, around.lineno))

    def known(self, node: ast.AST) -> Known:
        """Every expression of mypy's at this place: none where it takes the code as dead."""
        if not isinstance(node, ast.expr):
            return ()
        at = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        return self.index.get(at, ())

    def types(self, node: ast.AST) -> Iterator[ProperType]:
        """What its value may be."""
        for _, known in self.known(node):
            yield from parts(known)

    def holds_set(self, node: ast.AST) -> bool:
        """Whether its value may be a set."""
        return any(is_set(known) for _, known in self.known(node))

    def declared(self, node: ast.AST) -> Type | None:
        """As what the target of an assignment is declared; None: nobody knows."""
        for expression, known in self.known(node):
            if isinstance(expression, RefExpr) and isinstance(expression.node, Var):
                return expression.node.type or known
            return known
        if isinstance(node, ast.Attribute):  # mypy says nothing of what ``+=`` changes
            for part in self.types(node.value):
                for info in bases(part):
                    symbol = info.names.get(node.attr)
                    if symbol is not None and isinstance(symbol.node, Var):
                        return symbol.node.type
        return None

    def names(self, node: ast.AST) -> frozenset[str]:
        """The full names of what an expression refers to."""
        found: set[str] = set()
        for expression, _ in self.known(node):
            if isinstance(expression, RefExpr) and "." in expression.fullname:
                found.add(expression.fullname)
        if isinstance(node, ast.Attribute):
            found |= self.parts_of(node.value, node.attr)
        if not self.known(node) and (written := self._written(node)):
            found.add(written)  # mypy takes this code as dead: what is written has to do
        return frozenset(found)

    def members(self, owner: ast.AST, name: str) -> frozenset[str]:
        """The full names that an attribute of a value may have, by the value's type."""
        found: set[str] = set()
        for part in self.types(owner):
            for info in (*bases(part), *made_by(part)):
                if name in info.names:
                    found.add(f"{info.fullname}.{name}")
        return frozenset(found)

    def parts_of(self, owner: ast.AST, name: str) -> frozenset[str]:
        """The full name of something in a module, or in what stands at its top."""
        return frozenset(
            f"{expression.fullname}.{name}"
            for expression, _ in self.known(owner)
            if isinstance(expression, RefExpr)
            and (isinstance(expression.node, MypyFile) or "." in expression.fullname)
        )

    def _written(self, node: ast.AST) -> str | None:
        if isinstance(node, ast.Name):
            return self._imported.get(node.id)
        if isinstance(node, ast.Attribute):
            before = self._written(node.value)
            return before and f"{before}.{node.attr}"
        return None
