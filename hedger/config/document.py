"""
A YAML file as data, with the line of each key.

Where YAML itself would go on in silence, this refuses: a key or section that stands twice (the
last one would win, and the limits of the first would be gone), aliases that grow without
bound, a value that its own type cannot hold.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from hedger.errors import ConfigError

Where = tuple[str, ...]

TOO_DEEP: Final = ": is nested too deeply; write it flatter, without an alias that holds itself"
MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 50_000
"""With every alias followed; a shipped file has some 300."""
DEPTH_MAX: Final = 50
MERGE: Final = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says. ``lines`` has the first line of each key and list entry, by its path."""

    data: object
    lines: Mapping[Where, int] = field(default_factory=dict)

    def line(self, where: Where) -> int | None:
        """The line of a path, or of the nearest one above it; None where nothing is known."""
        for length in range(len(where), 0, -1):
            if (line := self.lines.get(where[:length])) is not None:
                return line
        return None


def read_file(path: Path) -> Document:
    """
    Read one file.

    Raises:
        ConfigError: it cannot be read, or see ``read``.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"{path}: cannot be read ({reason}); name a file with --config"
        ) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes; name a configuration file")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: this is not UTF-8 text; write it again") from None
    return read(text, str(path))


def read(text: str, source: str, *, as_text: bool = False) -> Document:
    """
    Read a text as ``yaml.safe_load`` would; with ``as_text``, every value is left a text.

    Raises:
        ConfigError: it is no YAML, a key stands twice, or it grows beyond all bounds; the
            sentence names the lines and shows no value.
    """
    loader = _TextLoader(text) if as_text else _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None)
        lines = dict(_lines(loader, node, source))
        return Document(loader.construct_document(node), lines)
    except _UnreadableValueError as error:
        raise ConfigError(
            f"{source}{_at(error)}: a value there cannot be read; correct it, or quote it"
        ) from None
    except yaml.YAMLError as error:  # its own text would quote the file
        raise ConfigError(
            f"{source}{_at(error)}: this is not valid YAML; check the indentation"
        ) from None
    except RecursionError:
        raise ConfigError(f"{source}{TOO_DEEP}") from None
    finally:
        loader.dispose()


class _UnreadableValueError(yaml.MarkedYAMLError):
    """A number or date that Python cannot hold."""


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            raise _UnreadableValueError(problem_mark=node.start_mark) from error


class _TextLoader(yaml.BaseLoader):
    """Builds only str, list and dict: 0x0012 does not become the number 18."""


_AnyLoader = _Loader | _TextLoader


def _at(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return f" line {mark.line + 1}" if mark is not None else ""


def _lines(loader: _AnyLoader, root: yaml.Node, source: str) -> Iterator[tuple[Where, int]]:
    """
    Each path with its line; aliases are followed, for their contents stand there, too.

    Raises:
        ConfigError: a key stands twice, there are too many nodes, or they are too deep.
    """
    waiting: list[tuple[Where, yaml.Node]] = [((), root)]
    seen = 0
    while waiting:
        where, node = waiting.pop()
        seen += 1
        if seen > MAX_NODES:
            raise ConfigError(
                f"{source}: has more than {MAX_NODES} values once its aliases are followed;"
                " write them out without & and *"
            )
        if len(where) > DEPTH_MAX:
            raise ConfigError(f"{source}{TOO_DEEP}")
        if isinstance(node, yaml.SequenceNode):
            for number, entry in enumerate(node.value):
                path = (*where, str(number))
                yield path, entry.start_mark.line + 1
                waiting.append((path, entry))
        elif isinstance(node, yaml.MappingNode):
            yield from _of_mapping(loader, node, where, source, waiting)


def _of_mapping(
    loader: _AnyLoader,
    node: yaml.MappingNode,
    where: Where,
    source: str,
    waiting: list[tuple[Where, yaml.Node]],
) -> Iterator[tuple[Where, int]]:
    lines: dict[object, int] = {}
    for key, value in node.value:
        name = _name(loader, key)
        line = key.start_mark.line + 1
        path = (*where, str(name))
        if name in lines:
            raise ConfigError(
                f"{source} line {line}: {'.'.join(path)} stands on line {lines[name]} already, and"
                " only one of the two would count; keep one"
            )
        lines[name] = line
        yield path, line
        waiting.append((path, value))


def _name(loader: _AnyLoader, key: yaml.Node) -> object:
    """What a key means, so that 1 and 01, or a and "a", are seen to be the same."""
    if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
        return key.value if key.tag == MERGE else key
    return loader.construct_object(key)
