"""
Runs mypy over the program, and the rules over what mypy knows of it.

mypy gives no types of a module that has not changed and depends on nothing that has. What was
found in such a module is kept beside mypy's cache, in a directory of its own.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mypy import build
from mypy.errors import CompileError
from mypy.fscache import FileSystemCache
from mypy.main import process_options
from mypy.nodes import Expression, MypyFile
from mypy.types import Type

from tests.lint import banned, sets
from tests.lint.finding import Finding
from tests.lint.trees import returned, walked
from tests.lint.typed import Module, indexed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".mypy_cache" / "determinism"
PARTS = ("hedger", "adapters", "tests/simulation")
RULES = (banned.found, sets.found)
KEPT = "findings.json"

Kept = dict[str, tuple[str, list[list[Any]]]]
"""By path: the hash of a module's text, and what was found in it."""


class TypesError(Exception):
    """mypy is not content; its sentences."""


def findings(
    root: Path = ROOT, inside: Sequence[str] = PARTS, *, cache: Path = CACHE, sound: bool = True
) -> list[Finding]:
    """
    Everything that the rules find, whether it may stand there or not; ``sound``: where the types
    are right alone.

    Raises:
        TypesError: the types are not right, so nothing can be said.
    """
    store = cache / KEPT
    known = _kept(store)
    if not known:
        _forget(cache)
    store.unlink(missing_ok=True)  # where a run is broken off the next one begins anew
    found = _examined(_built(root, inside, cache, sound=sound), root, inside, known)
    if found is None:
        shutil.rmtree(cache)
        found = _examined(_built(root, inside, cache, sound=sound), root, inside, {})
    assert found is not None, "mypy read a module anew and says nothing of it"
    store.write_text(json.dumps({"rules": _version(), "modules": found}), encoding="utf-8")
    return sorted(Finding(*row) for _, rows in found.values() for row in rows)


def _examined(
    result: build.BuildResult, root: Path, inside: Sequence[str], known: Mapping[str, Any]
) -> Kept | None:
    """None: mypy had a module in its cache of which nothing is known here."""
    found: Kept = {}
    for path, state in _ours(root, inside, result):
        source = (root / path).read_text(encoding="utf-8")
        digest = hashlib.sha256(source.encode()).hexdigest()
        if not state.is_fresh():
            assert state.tree is not None
            module = Module(path, source, _index(state.tree, result.types), returned(state.tree))
            rows = sorted({one for rule in RULES for one in rule(module)})
            found[path] = (digest, [list(row) for row in rows])
        elif path in known and known[path][0] == digest:
            found[path] = known[path]
        else:
            return None
    return found


def _built(root: Path, inside: Sequence[str], cache: Path, *, sound: bool) -> build.BuildResult:
    config = f"--config-file={ROOT / 'pyproject.toml'}"
    words = [config, f"--cache-dir={cache}", *(str(root / part) for part in inside)]
    sources, options = process_options(words, fscache=FileSystemCache())
    options.export_types = options.preserve_asts = True
    options.sqlite_cache = False  # so that modules can be taken out of it
    try:
        result = build.build(sources, options)
    except CompileError as error:
        raise TypesError("\n".join(error.messages)) from None
    if result.errors and sound:
        raise TypesError("\n".join(result.errors))
    return result


def _ours(
    root: Path, inside: Sequence[str], result: build.BuildResult
) -> Iterator[tuple[str, build.State]]:
    """The modules that worlds are made of, and not the tests of them."""
    for state in result.graph.values():
        path = Path(state.abspath or "")
        if not path.is_relative_to(root):
            continue
        name = path.relative_to(root).as_posix()
        is_test = path.name.startswith("test_") or path.name == "conftest.py"
        if name.startswith(tuple(inside)) and not is_test:
            yield name, state


def _index(file: MypyFile, types: Mapping[Expression, Type]) -> Any:
    return indexed(
        {one: types[one] for one in walked(file) if isinstance(one, Expression) and one in types}
    )


def _forget(cache: Path) -> None:
    """mypy reads our own modules anew, and nobody else's."""
    for name in sorted({Path(part).parts[0] for part in PARTS}):
        for folder in sorted(cache.glob(f"*/{name}")):
            shutil.rmtree(folder)
        for file in sorted(cache.glob(f"*/{name}.*")):
            file.unlink()


def _version() -> str:
    """Of the rules: another one finds other things in the same module."""
    texts = [path.read_bytes() for path in sorted(HERE.glob("*.py"))]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _kept(store: Path) -> Mapping[str, Any]:
    """What the last whole run found; nothing where the rules were others."""
    if not store.is_file():
        return {}
    kept = json.loads(store.read_text(encoding="utf-8"))
    modules: Mapping[str, Any] = kept["modules"] if kept["rules"] == _version() else {}
    return modules
