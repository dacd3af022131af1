"""The picture, the blocks of a terminal, and what a sweep is asked for."""

import struct
import zlib
from decimal import Decimal

import pytest

from hedger.backtest import curves, sweep
from hedger.backtest.costs import Assumptions
from hedger.backtest.png import COLOURS, FONT, HEIGHT, WIDTH, Canvas, Line, Panel, chart
from hedger.errors import ConfigError, UsageError
from tests.unit.backtest.market import SETTINGS


def pixels(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and the colours of a PNG, by the book."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, found, size = 8, b"", (0, 0)
    kinds = []
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (crc,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert crc == zlib.crc32(kind + body)
        kinds.append(kind)
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
            assert body[8:] == bytes([8, 2, 0, 0, 0])
        elif kind == b"IDAT":
            found += body
        place += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    rows = zlib.decompress(found)
    stride = 3 * size[0] + 1
    assert len(rows) == stride * size[1]
    lines = [rows[y * stride : (y + 1) * stride] for y in range(size[1])]
    assert {line[0] for line in lines} == {0}
    return size[0], size[1], b"".join(line[1:] for line in lines)


def test_a_picture_is_a_png_with_every_curve_in_its_colour() -> None:
    lines = [Line(name=f"rule {n}", levels=[0.0, 5.0 * n, -3.0 * n]) for n in range(1, 5)]
    width, height, colours = pixels(
        chart(
            "HEDGER",
            Panel(heading="NET", lines=lines),
            Panel(heading="DRAWDOWN", lines=lines),
            since="2026-01-01",
            until="2026-02-01",
        )
    )
    assert (width, height) == (WIDTH, HEIGHT)
    seen = {colours[n : n + 3] for n in range(0, len(colours), 3)}
    assert {bytes(colour) for colour in COLOURS} <= seen


def test_a_flat_curve_and_an_empty_one_are_drawn_too() -> None:
    flat = Panel(heading="NET", lines=[Line(name="a", levels=[0.0]), Line(name="b", levels=[])])
    pixels(chart("T", flat, flat, since="", until=""))


def test_the_font_has_what_numbers_and_headings_need() -> None:
    assert set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-:%()") <= set(FONT)
    assert all(len(bytes.fromhex(columns)) == 5 for columns in FONT.values())
    canvas = Canvas(40, 20)
    before = canvas.png()
    canvas.text(2, 2, "8")
    assert canvas.png() != before


def test_blocks_go_from_the_lowest_to_the_highest_level() -> None:
    points = [(10, 100), (20, -50), (30, 250)]
    levels = curves.sampled(points, 0, 40, 8)

    assert levels == [0, 100, 100, -50, -50, 250, 250, 250]
    drawn = curves.blocks(levels, -50, 250)
    assert (drawn[3], drawn[5]) == ("▁", "█")
    assert curves.falls(levels) == [0, 0, 0, 150, 150, 0, 0, 0]
    assert curves.blocks([0, 0], 0, 0) == "▁▁"


def test_a_sweep_is_every_combination_of_its_values() -> None:
    found = sweep.points(["entry.min_net_bps=0,5,10", "size_usd=100,500"], SETTINGS, Assumptions())

    assert len(found) == 6
    assert {point.settings.entry.min_net_bps for point in found} == {0, 5, 10}
    assert {point.assumed.size_usd for point in found} == {100, 500}
    assert found[-1].values == {"entry.min_net_bps": "10", "size_usd": "500"}
    assert found[0].settings.exit == SETTINGS.exit
    assert found[0].assumed.slippage_bps is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("entry.min_net_bps", "is not key=value,value"),
        ("entry.min_net_bps=", "is not key=value,value"),
        ("speed=1,2", "neither a key of the configuration"),
        ("size_usd=none", "is no such amount; give a positive number"),
        ("size_usd=0", "is no such amount; give a positive number"),
        ("seed=" + ",".join(map(str, range(1001))), "more than 1000"),
    ],
)
def test_a_wrong_sweep_is_one_sentence(given: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        sweep.points([given], SETTINGS, Assumptions())


def test_a_value_that_the_configuration_refuses_is_refused_in_its_words() -> None:
    with pytest.raises(ConfigError, match=r"--sweep entry\.min_nett=1: entry\.min_nett is not"):
        sweep.points(["entry.min_nett=1"], SETTINGS, Assumptions())
    with pytest.raises(ConfigError, match=r"entry\.cost_multiple is '0'"):
        sweep.points(["entry.cost_multiple=0"], SETTINGS, Assumptions(size_usd=Decimal(1)))
