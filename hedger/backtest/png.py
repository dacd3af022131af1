"""
A small chart as PNG, in pure Python: lines, axes and a five by seven font.

A plotting library would be the heaviest dependency of the program for two panels of lines. The
format is PNG 1.2: one IHDR, one IDAT with zlib, one IEND, eight bits of red, green and blue.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (30, 30, 30)
GREY: Colour = (205, 205, 205)
COLOURS: tuple[Colour, ...] = ((0, 102, 204), (204, 51, 17), (136, 136, 136), (0, 136, 85))
WIDTH, HEIGHT = 1_000, 640
LEFT, RIGHT, TOP, GAP, BOTTOM = 110, 20, 60, 46, 34
UPPER = 340  # height of the upper panel
SCALE = 2
GLYPH_W, GLYPH_H = 6 * SCALE, 8 * SCALE
FONT = {
    " ": "0000000000", "%": "2313086462", "(": "001C224100", ")": "0041221C00",
    "+": "08083E0808", ",": "0050300000", "-": "0808080808", ".": "0000606000",
    "/": "2010080402", ":": "0000360000", "=": "1414141414",
    "0": "3E5149453E", "1": "00427F4000", "2": "7249494946", "3": "2141494D33",
    "4": "1814127F10", "5": "2745454539", "6": "3C4A494931", "7": "4121110907",
    "8": "3649494936", "9": "464949291E",
    "A": "7C1211127C", "B": "7F49494936", "C": "3E41414122", "D": "7F4141413E",
    "E": "7F49494941", "F": "7F09090901", "G": "3E41415173", "H": "7F0808087F",
    "I": "00417F4100", "J": "2040413F01", "K": "7F08142241", "L": "7F40404040",
    "M": "7F021C027F", "N": "7F0408107F", "O": "3E4141413E", "P": "7F09090906",
    "Q": "3E4151215E", "R": "7F09192946", "S": "2649494932", "T": "03017F0103",
    "U": "3F4040403F", "V": "1F2040201F", "W": "3F4038403F", "X": "6314081463",
    "Y": "0304780403", "Z": "6159494D43",
}  # fmt: skip
"""Five columns per glyph, the lowest bit at the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: a name for the legend and levels at even distances."""

    name: str
    levels: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Curves over the same time, with a heading."""

    heading: str
    lines: Sequence[Line]


class Canvas:
    """A picture in memory."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._bytes = bytearray(bytes(WHITE) * (width * height))

    def dot(self, x: int, y: int, colour: Colour) -> None:
        """One pixel; outside of the picture nothing happens."""
        if 0 <= x < self.width and 0 <= y < self.height:
            place = 3 * (y * self.width + x)
            self._bytes[place : place + 3] = bytes(colour)

    def line(self, start: tuple[int, int], end: tuple[int, int], colour: Colour) -> None:
        """A straight line, two pixels thick."""
        (x0, y0), (x1, y1) = start, end
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for n in range(steps + 1):
            x, y = x0 + (x1 - x0) * n // steps, y0 + (y1 - y0) * n // steps
            self.dot(x, y, colour)
            self.dot(x, y + 1, colour)

    def text(self, x: int, y: int, words: str, colour: Colour = BLACK) -> None:
        """Words in capitals; what the font does not have is a space."""
        for n, letter in enumerate(words.upper()):
            columns = bytes.fromhex(FONT.get(letter, FONT[" "]))
            for column, bits in enumerate(columns):
                for row in range(8):
                    if bits >> row & 1:
                        self._block(x + n * GLYPH_W + column * SCALE, y + row * SCALE, colour)

    def _block(self, x: int, y: int, colour: Colour) -> None:
        for dx in range(SCALE):
            for dy in range(SCALE):
                self.dot(x + dx, y + dy, colour)

    def png(self) -> bytes:
        """The file."""
        stride = 3 * self.width
        rows = b"".join(
            b"\0" + self._bytes[y * stride : (y + 1) * stride] for y in range(self.height)
        )
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n"
            + _chunk(b"IHDR", header)
            + _chunk(b"IDAT", zlib.compress(rows, 9))
            + _chunk(b"IEND", b"")
        )


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def chart(title: str, upper: Panel, lower: Panel, *, since: str, until: str) -> bytes:
    """Two panels over the same time, with a legend in the upper one."""
    canvas = Canvas(WIDTH, HEIGHT)
    canvas.text(LEFT, 10, title[: (WIDTH - LEFT) // GLYPH_W])
    middle = TOP + UPPER
    _panel(canvas, upper, TOP, middle)
    _panel(canvas, lower, middle + GAP, HEIGHT - BOTTOM)
    x = LEFT + 12 * GLYPH_W
    for n, line in enumerate(upper.lines):
        canvas.text(x, TOP - GLYPH_H - 6, line.name, COLOURS[n % len(COLOURS)])
        x += (len(line.name) + 2) * GLYPH_W
    canvas.text(LEFT, HEIGHT - BOTTOM + 12, since)
    canvas.text(WIDTH - RIGHT - len(until) * GLYPH_W, HEIGHT - BOTTOM + 12, until)
    return canvas.png()


def _panel(canvas: Canvas, panel: Panel, top: int, bottom: int) -> None:
    values = [level for line in panel.lines for level in line.levels]
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0
    right = WIDTH - RIGHT

    def height(level: float) -> int:
        return bottom - round((level - low) / span * (bottom - top - 4)) - 2

    canvas.text(LEFT, top - GLYPH_H - 6, panel.heading)
    labelled: list[int] = []
    for level in (0.0, low, high):
        y = height(level)
        canvas.line((LEFT, y), (right, y), GREY)
        if any(abs(y - other) < GLYPH_H for other in labelled):
            continue
        labelled.append(y)
        label = f"{level:,.0f}" if abs(level) >= 100 else f"{level:.2f}"
        canvas.text(LEFT - (len(label) + 1) * GLYPH_W, y - GLYPH_H // 2, label)
    canvas.line((LEFT, top), (LEFT, bottom), BLACK)
    for n, line in enumerate(panel.lines):
        _curve(canvas, line.levels, height, COLOURS[n % len(COLOURS)])


def _curve(
    canvas: Canvas,
    levels: Sequence[float],
    height: Callable[[float], int],
    colour: Colour,
) -> None:
    left, right = LEFT, WIDTH - RIGHT
    before = (left, height(0.0))
    for n, level in enumerate(levels, start=1):
        point = (left + (right - left) * n // len(levels), height(level))
        canvas.line(before, point, colour)
        before = point
