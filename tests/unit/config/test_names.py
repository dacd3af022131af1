"""Configured names that match nothing are refused, as far as that can be told without a venue."""

from pathlib import Path
from typing import get_type_hints

import pytest
from pydantic import BaseModel

from hedger import settings
from hedger.config.marketnames import Configured, unmatched
from hedger.config.names import market_name, nearest
from hedger.domain.ids import Symbol, VenueId, as_configured
from hedger.errors import ConfigError
from hedger.settings import Settings

HEAD = "environment: sandbox\naccount: {dedicated: true}\nsandbox: {}\n"
X10, LIGHTER = VenueId("x10"), VenueId("lighter")


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return settings.load(path)


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path / "mine.yaml"))


def test_b09_symbols_are_spelt_as_the_command_line_spells_them(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "trading: {blocked_symbols: [btc, ' Eth ', 1000pepe]}\n"
        "risk: {market_usd: {eth: 5, kPEPE: 6}}\n"
        "symbols: {names: {pepe: {x10: 1000PEPE-USD, lighter: kPEPE}}}\n",
    )

    assert found.trading.blocked_symbols == ("BTC", "ETH", "1000PEPE")
    assert set(found.risk.market_usd) == {"ETH", "KPEPE"}
    assert found.symbols.names == {"PEPE": {"x10": "1000PEPE-USD", "lighter": "kPEPE"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "trading:\n  blocked_symbols:\n    - ETH\n    - ETH-USD\n",
            " line 7: trading.blocked_symbols.1 is 'ETH-USD', which is not allowed: a market is"
            " named by its asset alone, such as ETH; `hedger scan` lists them; correct it",
            id="venue's spelling",
        ),
        pytest.param(
            "risk:\n  market_usd:\n    BTC/USDC: 5\n",
            " line 6: risk.market_usd names 'BTC/USDC', which is not allowed: a market is named by"
            " its asset alone, such as BTC;",
            id="key in the venue's spelling",
        ),
        pytest.param(
            "trading: {blocked_symbols: ['']}\n",
            " line 4: trading.blocked_symbols.0 is ''",
            id="empty",
        ),
        pytest.param(
            "risk:\n  market_usd:\n    eth: 5\n    ETH: 6\n",
            " line 5: risk.market_usd is not allowed: 'eth' and 'ETH' are one market; keep one",
            id="one market twice",
        ),
        pytest.param(
            "symbols: {names: {pepe: {x10: A-USD}, PEPE: {x10: B-USD}}}\n",
            " line 4: symbols.names is not allowed: 'pepe' and 'PEPE' are one market",
            id="one name twice",
        ),
        pytest.param(
            "symbols:\n  names:\n    PEPE:\n      extended: 1000PEPE-USD\n",
            " line 7: symbols.names.PEPE names 'extended', which is not in venues.order",
            id="unknown venue of a name",
        ),
        pytest.param(
            "symbols:\n  names:\n    PEPE: {}\n",
            " line 6: symbols.names.PEPE names no venue",
            id="name without a venue",
        ),
        pytest.param(
            "symbols:\n  names:\n    PEPE: {x10: 1000PEPE-USD}\n    FROG: {x10: 1000PEPE-USD}\n",
            " line 7: symbols.names.FROG.x10 is '1000PEPE-USD', which symbols.names.PEPE is",
            id="two names of ours for one market",
        ),
        pytest.param(
            "symbols: {names: {PEPE: {x10: ' 1000PEPE-USD'}}}\n",
            " line 4: symbols.names.PEPE.x10 is ' 1000PEPE-USD'; give the venue's name",
            id="blank",
        ),
        pytest.param(
            "scan:\n  taker_fee_bps:\n    x10: 2\n    lighterr: 2\n",
            " line 7: scan.taker_fee_bps names 'lighterr', which is not in venues.order"
            " (x10, lighter); did you mean lighter?",
            id="unknown venue of a fee",
        ),
        pytest.param(
            "scan:\n  taker_fee_bps: {x10: 2}\n",
            " line 5: scan.taker_fee_bps leaves lighter out, whose fee would count as zero",
            id="fee left out",
        ),
        pytest.param(
            "venues:\n  options:\n    X10: {vault: 1}\n",
            " line 6: venues.options names 'X10', which is not in venues.order (x10, lighter);"
            " did you mean x10?",
            id="unknown venue of options",
        ),
    ],
)
def test_b09_a_name_that_matches_nothing_is_refused_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize("value", ["ON", "NO", "yes", "off"])
def test_b10_a_symbol_that_yaml_reads_as_true_or_false_says_quote_it(
    tmp_path: Path, value: str
) -> None:
    said = complaint(tmp_path, f"trading:\n  blocked_symbols: [BTC, {value}]\n")

    assert said.startswith(" line 5: trading.blocked_symbols.1 is ")
    assert "quote it" in said
    assert "quote it" in complaint(tmp_path, f"risk: {{market_usd: {{{value}: 5}}}}\n")
    assert loaded(tmp_path, f"trading: {{blocked_symbols: ['{value}']}}\n").trading.blocked_symbols


def test_b10_a_symbol_that_yaml_reads_as_a_number_says_quote_it(tmp_path: Path) -> None:
    assert "quote it" in complaint(tmp_path, "trading: {blocked_symbols: [1e6, 42]}\n")


def test_every_key_that_names_a_market_or_a_venue_is_checked() -> None:
    """A new one is to be added to ``misnamed`` or ``Configured``, and here."""
    found = set(_named(Settings, ""))

    assert found == {
        "trading.blocked_symbols",
        "risk.market_usd",
        "scan.taker_fee_bps",
        "venues.order",
        "venues.options",
        "symbols.names",
    }


def _named(model: type[BaseModel], path: str) -> list[str]:
    names = []
    for name, hint in get_type_hints(model, include_extras=True).items():
        if "ids.Symbol" in repr(hint) or "ids.VenueId" in repr(hint):
            names.append(f"{path}{name}")
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            names += _named(hint, f"{path}{name}.")
    return names


@pytest.mark.parametrize(
    "text", ["", " ", "ETH-USD", "ETH/USDC", "A" * 33, "ETH USD", "ETH\x1b[2J"]
)
def test_what_cannot_be_a_name_of_a_market(text: str) -> None:
    with pytest.raises(ValueError, match="by its asset alone"):
        market_name(text)


def test_limits_find_a_market_that_a_venue_spells_with_small_letters() -> None:
    assert as_configured(Symbol("SPX500m")) == market_name("spx500M")


LISTS = {
    X10: {
        Symbol("ETH"): "ETH-USD",
        Symbol("SPX500m"): "SPX500m-USD",
        Symbol("PEPE"): "1000PEPE-USD",
    },
    LIGHTER: {Symbol("ETH"): "ETH", Symbol("FARTCOIN"): "FARTCOIN"},
}


def configured(*blocked: str, **spelt: dict[str, str]) -> Configured:
    return Configured(
        by_key={"trading.blocked_symbols": tuple(map(Symbol, blocked))},
        spelt={Symbol(k): {VenueId(v): n for v, n in names.items()} for k, names in spelt.items()},
    )


def test_a_name_on_either_venue_is_one() -> None:
    names = configured("ETH", "FARTCOIN", "SPX500M", PEPE={"x10": "1000PEPE-USD"})

    assert unmatched(names, (X10, LIGHTER), LISTS) == []


def test_a_name_on_neither_venue_is_told_with_the_nearest() -> None:
    names = configured("FARTCOINS", PEPE={"x10": "100PEPE-USD"}, DOGE={"lighter": "kDOGE"})

    assert unmatched(names, (X10, LIGHTER), LISTS) == [
        (
            "trading.blocked_symbols names FARTCOINS, which is no market of x10 or lighter;"
            " did you mean FARTCOIN?"
        ),
        (
            "symbols.names.PEPE.x10 is '100PEPE-USD', which x10 does not list;"
            " did you mean 1000PEPE-USD?"
        ),
        "symbols.names.DOGE.lighter is 'kDOGE', which lighter does not list",
    ]


def test_a_list_that_is_not_known_proves_nothing() -> None:
    names = configured("NOBODY", PEPE={"lighter": "kPEPE"})

    assert unmatched(names, (X10, LIGHTER), {X10: LISTS[X10]}) == []
    assert nearest("zzz", ["ETH"]) == ""
