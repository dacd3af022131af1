"""
Rules ``clock``, ``chance``, ``io``, ``hash`` and ``hidden``: names that the program may use only
in the places that ``places`` names.

A use is any reference, a call or not: who keeps ``time.time`` under another name has used it.
"""

import ast
import re
from collections.abc import Iterator, Mapping

from tests.lint.finding import Finding
from tests.lint.typed import Module, bases, made_by

INSTEAD: Mapping[str, str] = {
    "clock": "time comes from hedger.clock.Clock",
    "chance": "chance comes from the random.Random that is passed in, made from a seed",
    "io": "what is outside is reached through the ports of hedger/ports.py",
    "hash": "no hash and no address: they differ from process to process",
    "hidden": "name what is meant, so that it can be seen",
}

_EVERYTHING_IN: Mapping[str, tuple[str, ...]] = {
    "clock": ("time.",),
    "chance": ("random.", "secrets.", "numpy.random."),
    "io": (
        "_ctypes.", "_io.open", "_socket.", "_sqlite3.", "_ssl.", "_thread.", "aiohttp.client.",
        "asyncio.subprocess.", "concurrent.futures.", "ctypes.", "fcntl.", "ftplib.", "glob.",
        "http.client.", "httpx._api.", "httpx._client.",
        "io.open", "mmap.", "multiprocessing.", "os.", "posix.", "posixpath.", "requests.",
        "select.", "selectors.", "shutil.", "signal.", "smtplib.", "socket.", "socketserver.",
        "sqlite3.", "ssl.", "subprocess.", "tempfile.", "threading.", "urllib.request.",
        "urllib3.", "websockets.",
    ),
}  # fmt: skip

_NAMES: Mapping[str, frozenset[str]] = {
    "clock": frozenset(
        {
            "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today",
            "datetime.datetime.utcnow", "email.utils.formatdate", "email.utils.localtime",
            "asyncio.events.AbstractEventLoop.time", "uuid.uuid1",
            *(f"sqlalchemy.sql.functions.func.{n}" for n in ("current_timestamp", "now")),
        }
    ),
    "chance": frozenset(
        {
            "os.getrandom", "os.urandom", "posix.urandom", "uuid.uuid1", "uuid.uuid4",
            "sqlalchemy.sql.functions.func.random",
        }
    ),
    "io": frozenset(
        {
            "asyncio.streams.open_connection", "asyncio.streams.open_unix_connection",
            "asyncio.streams.start_server", "asyncio.streams.start_unix_server",
            "asyncio.threads.to_thread", "builtins.input", "builtins.open", "sys.stdin",
            *(
                f"asyncio.events.AbstractEventLoop.{name}"
                for name in (
                    "add_reader", "add_signal_handler", "add_writer", "connect_accepted_socket",
                    "create_connection", "create_datagram_endpoint", "create_server",
                    "create_unix_connection", "create_unix_server", "run_in_executor",
                    "sendfile", "sock_accept", "sock_connect", "sock_recv", "sock_sendall",
                    "subprocess_exec", "subprocess_shell",
                )
            ),
            *(
                f"pathlib.Path.{name}"
                for name in (
                    "chmod", "cwd", "exists", "expanduser", "glob", "group", "hardlink_to", "home",
                    "is_dir", "is_file", "is_mount", "is_socket", "is_symlink", "iterdir",
                    "lchmod", "lstat", "mkdir", "open", "owner", "read_bytes", "read_text",
                    "readlink", "rename", "replace", "resolve", "rglob", "rmdir", "samefile",
                    "stat", "symlink_to", "touch", "unlink", "walk", "write_bytes", "write_text",
                )
            ),
        }
    ),
    "hash": frozenset({"builtins.hash", "builtins.id"}),
    "hidden": frozenset(
        {
            "builtins.__import__", "builtins.compile", "builtins.eval", "builtins.exec",
            "builtins.globals", "importlib.import_module", "sys.modules",
        }
    ),
}  # fmt: skip

_HARMLESS = re.compile(
    r"time\.struct_time$|random\.Random(\.|$)"
    r"|os\.(PathLike|[A-Z_]+|fspath|fsdecode|fsencode|linesep|name|path|pathsep|sep|stat_result)$"
    r"|posixpath\.(basename|commonpath|dirname|isabs|join|normpath|pathsep|sep|split|splitext)$"
    r"|signal\.(Signals|SIG[A-Z0-9]+)(\.|$)|threading\.R?Lock$|_thread\.(lock|RLock)(\.|$)"
    r"|aiohttp\.client\.ClientTimeout$|posixpath\.devnull$|.*\.__dict__$"
    r"|_?sqlite3\.(dbapi2\.)?(Row|Connection|Cursor|sqlite_version_info)$"
)
"""Types, constants, and work on texts; and locks, for which nobody waits where one thread runs."""

_IN_SQL: Mapping[str, re.Pattern[str]] = {
    "clock": re.compile(
        r"\bCURRENT_(?:TIMESTAMP|DATE|TIME)\b"
        r"|\b(?:datetime|date|time|julianday|unixepoch|strftime)\s*\([^)]*'now'"
        r"|\b(?:unixepoch|julianday)\s*\(\s*\)"
    ),
    "chance": re.compile(r"\brandom(?:blob)?\s*\((?:\s*\d*\s*)\)|ORDER BY RANDOM\b", re.IGNORECASE),
}
_WHOLE = frozenset({"types.ModuleType", "datetime.date"})
_UNSEEDED = "random.Random()"
_GETTERS = frozenset({"operator.attrgetter", "operator.methodcaller"})
_MEMBERS = frozenset(
    name.rpartition(".")[2] for rule in ("clock", "chance", "io") for name in _NAMES[rule]
)


def found(module: Module) -> Iterator[Finding]:
    """Every use of a name that a rule is about."""
    for node in module.nodes:
        for rule, what in sorted(set(_used(module, node))):
            line = getattr(node, "lineno", 0)
            yield Finding(module.path, line, rule, what, f"{what}: {INSTEAD[rule]}")


def _used(module: Module, node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Name() | ast.Attribute():
            yield from _referred(module, node)
        case ast.Call():
            yield from _unseeded(module, node)
            yield from _computed(module, node)
        case ast.Constant(value=str(text)):
            for rule, pattern in _IN_SQL.items():
                if match := pattern.search(text):
                    yield rule, f"SQL {match.group(0)}"
        case _:
            pass


def _referred(module: Module, node: ast.Name | ast.Attribute) -> Iterator[tuple[str, str]]:
    if not _is_error(module, node):
        yield from _named(module.names(node))
        if isinstance(node, ast.Attribute):
            yield from _member(module.members(node.value, node.attr))
    yield from _class_of_chance(module, node)
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        yield from _of_module(module, node.value)


def _computed(module: Module, node: ast.Call) -> Iterator[tuple[str, str]]:
    """A name that is made up while the program runs."""
    match node:
        case ast.Call(func=func, args=[owner, *rest]) if "builtins.getattr" in module.names(func):
            match rest:
                case [ast.Constant(value=str(name)), *_]:
                    yield from _named(module.parts_of(owner, name))
                    yield from _member(module.members(owner, name))
                case _:
                    yield from _of_module(module, owner)
        case ast.Call(func=func, args=[owner]) if "builtins.vars" in module.names(func):
            yield from _of_module(module, owner)
        case ast.Call(func=func, args=given) if module.names(func) & _GETTERS:
            for one in given:
                asked = one.value if isinstance(one, ast.Constant) else None
                if not isinstance(asked, str) or asked.rpartition(".")[2] in _MEMBERS:
                    yield "hidden", ast.unparse(node)
        case _:
            pass


def _named(names: frozenset[str]) -> Iterator[tuple[str, str]]:
    """By what a name refers to."""
    yield from _member(names)
    for name in sorted(names):
        for rule, starts in _EVERYTHING_IN.items():
            harmless = _HARMLESS.match(name) or name in _NAMES["chance"]
            if name.startswith(starts) and not harmless:
                yield rule, name


def _member(names: frozenset[str]) -> Iterator[tuple[str, str]]:
    """By the type of the value whose attribute it is: whoever is given a file may read it."""
    for name in sorted(names):
        for rule, exact in _NAMES.items():
            if name in exact:
                yield rule, name


def _is_error(module: Module, node: ast.AST) -> bool:
    """A class of errors is no use of what raises them."""
    return any(
        info.fullname == "builtins.BaseException"
        for known in module.types(node)
        for info in (*made_by(known), *bases(known))
    )


def _is_chance(module: Module, node: ast.AST) -> bool:
    return any(
        info.fullname == "random.Random" for known in module.types(node) for info in made_by(known)
    )


def _class_of_chance(module: Module, node: ast.AST) -> Iterator[tuple[str, str]]:
    """``random.Random`` handed on: whoever calls it may do so without a seed."""
    if not _is_chance(module, node):
        return
    outer = module.parent(node)
    if isinstance(outer, ast.Attribute):
        return
    called = isinstance(outer, ast.Call) and outer.func is node
    if not called and not isinstance(outer, ast.ClassDef):
        yield "chance", "random.Random handed on"


def _unseeded(module: Module, node: ast.Call) -> Iterator[tuple[str, str]]:
    """A source of chance without a seed."""
    if not _is_chance(module, node.func):
        return
    given = [*node.args, *(word.value for word in node.keywords)]
    if not given or all(isinstance(one, ast.Constant) and one.value is None for one in given):
        yield "chance", _UNSEEDED


def _of_module(module: Module, owner: ast.AST) -> Iterator[tuple[str, str]]:
    """A module or a clock asked for a name that is made up while it runs."""
    for known in module.types(owner):
        told = (*bases(known), *made_by(known))
        if any(info.fullname in _WHOLE for info in told):
            yield "hidden", f"a name out of {ast.unparse(owner)}"
