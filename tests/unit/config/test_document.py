"""A configuration file is read with its lines, and never silently in half."""

import time
from pathlib import Path

import pytest

from hedger import settings
from hedger.config import document
from hedger.errors import ConfigError

HEAD = "environment: sandbox\naccount: {dedicated: true}\nsandbox: {}\n"


def complaint(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        settings.load(path)
    said = str(caught.value)
    assert said.startswith(f"{path}")
    assert "\n" not in said
    return said.removeprefix(str(path))


def test_b08_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    said = complaint(tmp_path, "trading:\n  leverage: 20\n  max_open_hedges: 1\n  leverage: 5\n")

    assert said == (
        " line 7: trading.leverage stands on line 5 already, and only one of the two would count;"
        " keep one"
    )


def test_b08_a_section_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    said = complaint(
        tmp_path, "trading:\n  max_position_size_usd: 5\nlog: {}\ntrading:\n  leverage: 2\n"
    )

    assert said.startswith(" line 7: trading stands on line 4 already")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("risk: {market_usd: {ETH: 5, ETH: 6}}\n", "risk.market_usd.ETH"),
        ('risk: {market_usd: {ETH: 5, "ETH": 6}}\n', "risk.market_usd.ETH"),
        ("sandbox: {seed: 1}\n", "sandbox"),
        ("venues: {options: {x10: {a: 1}, x10: {b: 1}}}\n", "venues.options.x10"),
        ("jobs: {scan: {cron: a, cron: a}}\n", "jobs.scan.cron"),
        ("log: &l {level: INFO, level: DEBUG}\n", "log.level"),
    ],
)
def test_b08_so_it_is_at_every_depth_and_in_every_style(
    tmp_path: Path, text: str, key: str
) -> None:
    assert f": {key} stands on line " in complaint(tmp_path, text)


def test_a_merged_key_may_be_overridden() -> None:
    found = document.read("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n", "f")

    assert found.data == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}
    assert found.line(("b", "x")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trading:\n  leverage: many\n", " line 5: trading.leverage is 'many'"),
        ("trading:\n  levrage: 5\n", " line 5: trading.levrage is not a known key"),
        ("rollback:\n  slippage_bps:\n    - 5\n    - x\n", " line 7: rollback.slippage_bps.1 is"),
        ("risk:\n  max_venue_usd: 5\n  market_usd: {}\n  max_day_usd: no\n", " line 7: risk."),
        ("jobs:\n  scan:\n    interval_s: 5\n    cron: x\n", " line 5: jobs.scan is not allowed"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize("section", ["account", "trading", "risk", "venues"])
def test_f8_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path, section: str) -> None:
    lines = ["x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 10)]
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join([*lines, f"{section}: *x9", "environment: sandbox", ""]))
    began = time.monotonic()

    with pytest.raises(ConfigError, match="once its aliases are followed"):
        settings.load(path)
    assert time.monotonic() - began < 10


def test_f8_a_list_that_holds_itself_is_refused(tmp_path: Path) -> None:
    assert ": is nested too deeply" in complaint(tmp_path, "trading: &t [*t]\n")


def test_f8_a_wrong_value_of_any_size_is_shown_in_short(tmp_path: Path) -> None:
    for value in ("[" + "[1, 2, 3]," * 2_000 + "]", "x" * 100_000, "0x" + "f" * 9_000):
        said = complaint(tmp_path, f"trading: {{blocked_symbols: [ETH], leverage: {value}}}\n")
        assert len(said) < 600
        assert " line 4: trading.leverage is " in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trading: {leverage: 1" + "0" * 5_000 + "}\n", " line 4: a value there cannot be read"),
        ("trading: {leverage: 2026-13-45}\n", " line 4: a value there cannot be read"),
        ("trading: " + "[" * 200 + "]" * 200 + "\n", ": is nested too deeply"),
        ("trading: {[a]: 1}\n", " line 4: this is not valid YAML"),
        ("trading: *nobody\n", " line 4: this is not valid YAML"),
        ("--- {}\n--- {}\n", " line 4: this is not valid YAML"),
        ("trading: !!python/object/apply:os.system [x]\n", " line 4: this is not valid YAML"),
    ],
)
def test_what_yaml_cannot_read_is_one_sentence_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    assert complaint(tmp_path, text).startswith(said)


def test_a_file_that_is_no_text_or_has_no_end_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="not UTF-8"):
        settings.load(path)
    with pytest.raises(ConfigError, match="larger than"):
        settings.load(Path("/dev/zero"))


def test_a_value_that_may_be_a_token_is_not_shown(tmp_path: Path) -> None:
    for text in (
        "alerts: {url: [https://example.com/s3cret]}\n",
        "venues: {options: {x10: {vault: [s3cret]}}}\n",
    ):
        assert "s3cret" not in complaint(tmp_path, text)
