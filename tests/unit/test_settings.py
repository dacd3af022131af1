"""A wrong configuration is one sentence that names the file, the key, the value and the remedy."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from hedger import settings
from hedger.errors import ConfigError
from hedger.settings import Settings

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = ("testnet.yaml", "mainnet.yaml")


def a_config(**sections: Any) -> dict[str, Any]:
    return {"environment": "sandbox", "account": {"dedicated": True}, "sandbox": {}} | sections


def complaint(data: object) -> str:
    with pytest.raises(ConfigError) as caught:
        settings.parse(data, "my.yaml")
    return str(caught.value)


def test_the_shipped_sandbox_configuration_is_complete() -> None:
    found = settings.load(CONFIG / "sandbox.yaml")

    assert found.environment == "sandbox"
    assert found.account.dedicated is True


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_real_configuration_asks_whether_the_account_is_ours_alone(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"{name} line \d+: account\.dedicated is 'REPLACE_WITH_"
    ):
        settings.load(CONFIG / name)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_real_configuration_is_right_once_that_is_answered(name: str) -> None:
    data = yaml.safe_load((CONFIG / name).read_text(encoding="utf-8"))
    data["account"]["dedicated"] = True

    found = settings.parse(data, name)

    assert found.environment == name.removesuffix(".yaml")
    assert found.entry.enabled is False


def test_money_is_exactly_what_was_written() -> None:
    found = settings.parse(a_config(entry={"min_net_bps": 0.1}), "my.yaml")

    assert found.entry.min_net_bps == Decimal("0.1")


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        pytest.param(
            {"environment": "sandbox", "sandbox": {}},
            ["account is missing", "add it"],
            id="missing",
        ),
        pytest.param(
            a_config(account={}), ["account.dedicated is missing", "add it"], id="missing-inside"
        ),
        pytest.param(
            a_config(execution={"slipage_bps": 3}),
            ["execution.slipage_bps is not a known key", "spelling"],
            id="unknown",
        ),
        pytest.param(
            a_config(trading={"max_open_hedges": "many"}),
            ["trading.max_open_hedges is 'many'", "integer", "correct it"],
            id="type",
        ),
        pytest.param(
            a_config(trading={"leverage": True}),
            ["trading.leverage is True", "must be a number"],
            id="truth-as-number",
        ),
        pytest.param(
            a_config(trading={"max_position_size_usd": -5}),
            ["trading.max_position_size_usd is -5", "greater than 0"],
            id="range",
        ),
        pytest.param(
            a_config(trading={"max_position_size_usd": float("inf")}),
            ["trading.max_position_size_usd is ", "finite"],
            id="infinite",
        ),
        pytest.param(
            a_config(execution={"slippage_bps": 30_000}),
            ["execution.slippage_bps is 30000", "less than or equal to 10000"],
            id="unit-percent-for-bps",
        ),
        pytest.param(
            a_config(execution={"settle_timeout": 5}),
            ["execution.settle_timeout is not a known key"],
            id="unit-missing-in-name",
        ),
        pytest.param(
            a_config(position_cache={"ttl_s": "5s"}),
            ["position_cache.ttl_s is '5s'", "number"],
            id="unit-in-value",
        ),
        pytest.param(
            a_config(jobs={"scan": {"interval_s": 5, "cron": "* * * * *"}}),
            ["jobs.scan is not allowed", "exactly one of interval_s and cron"],
            id="two-triggers",
        ),
        pytest.param(
            a_config(venues={"order": ["x10", "x10"]}),
            ["venues is not allowed", "two different venues"],
            id="same-venue-twice",
        ),
        pytest.param(
            a_config(environment="mainnet"),
            ["the section sandbox belongs to environment: sandbox"],
            id="sandbox-elsewhere",
        ),
        pytest.param(
            a_config(environment="production"), ["environment is 'production'"], id="environment"
        ),
        pytest.param(["a", "list"], ["must be a mapping of sections"], id="not-a-mapping"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(data: object, parts: list[str]) -> None:
    text = complaint(data)

    assert text.startswith("my.yaml: ")
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_a_file_that_is_not_there_is_told_with_the_option_that_names_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read .*--config"):
        settings.load(tmp_path / "none.yaml")


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("environment: sandbox\naccount: [\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"my\.yaml line \d+: this is not valid YAML"):
        settings.load(path)


def test_the_readme_of_the_configuration_names_every_key() -> None:
    text = (CONFIG / "README.md").read_text(encoding="utf-8").partition("## Every key")[2]
    documented = set(re.findall(r"^\| `([a-z_.0-9]+)` \|", text, re.MULTILINE))

    declared = set()
    for name, field in Settings.model_fields.items():
        section = settings.Sandbox if name == "sandbox" else field.annotation
        inner = getattr(section, "model_fields", None)
        declared |= {name} if inner is None else {f"{name}.{key}" for key in inner}

    assert documented == declared
