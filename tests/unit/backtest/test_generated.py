"""A generated year with the fitted decay and a known share of positive value."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.backtest import generate, study
from hedger.backtest.costs import Assumptions
from hedger.backtest.loading import Record
from hedger.decayfile import shipped
from hedger.domain.ids import Symbol
from tests.unit.backtest.market import ETH, FIRST, KNOWN, policy, series

SOME = {Symbol(s): KNOWN.markets[Symbol(s)] for s in ("ETH", "KAITO", "RESOLV", "ZORA")}
PACKAGE = replace(KNOWN, markets=SOME)
SHARE = Decimal("0.05")
MODEL = shipped()


def a_record() -> Record:
    return Record(
        folder=Path("somewhere"),
        files=(),
        series={ETH: series([1e-6, 3e-4])},
        left_out={},
        sources=("S1",),
    )


def made(seed: int = 1, share: Decimal = SHARE) -> generate.Generated:
    return generate.generate(
        a_record(), PACKAGE, MODEL, Assumptions(seed=seed), years=1, positive_share=share
    )


@pytest.fixture(scope="module", params=[1, 2])
def result(request: pytest.FixtureRequest) -> study.Result:
    found = made(request.param)
    part = study.generated_part(found.series, found.note)
    return study.run(part, PACKAGE, policy(MODEL), Assumptions(seed=request.param))


def test_our_rule_trades_a_generated_year_at_a_profit_of_half_the_oracles_or_more(
    result: study.Result,
) -> None:
    rows = result.rows(1)

    assert rows["ours"]["hedges"] > 10
    assert rows["ours"]["net_usd"] > 0
    assert rows["ours"]["share_of_oracle"] >= Decimal("0.5")
    assert rows["oracle"]["net_usd"] >= max(rows[n]["net_usd"] for n in ("ours", "naive", "hold"))


def test_no_entry_of_the_year_is_made_at_a_negative_expected_value(result: study.Result) -> None:
    hedges = result.outcomes["ours"].hedges

    assert all(one.expected_usd is not None and one.expected_usd > 0 for one in hedges)


def test_the_share_of_positive_value_is_near_what_was_asked_for_and_counted() -> None:
    for share in (Decimal("0.02"), Decimal("0.1")):
        found = made(share=share)
        counted = found.positive_hours / found.hours
        assert found.hours == 4 * generate.YEAR_H
        assert counted == pytest.approx(float(share), rel=0.35)
        assert f"{counted:.2%}" in found.note
        assert found.note.startswith("GENERATED, not recorded")


def test_where_nothing_of_positive_value_is_our_rule_stays_out() -> None:
    found = made(share=Decimal(0))
    part = study.generated_part(found.series, found.note)
    rows = study.run(part, PACKAGE, policy(MODEL), Assumptions()).rows(1)

    assert rows["ours"]["hedges"] <= 1  # what was left of the record's last spread


def test_a_shock_decays_as_the_model_says() -> None:
    one = made(share=Decimal(0)).series[ETH]  # nothing but what is left of the last spread

    left = [one.rate_a[n] - one.rate_b[n] for n in range(30)]

    noise = 2 * generate.NOISE_1H + 1e-6  # of two legs, and their rounding
    for k, spread in enumerate(left, start=1):
        expected = MODEL.share(ETH, k) * MODEL.counted(Decimal("0.0003"))
        assert spread == pytest.approx(float(expected), abs=noise)


def test_it_begins_where_the_record_ends_and_is_marked() -> None:
    found = made()

    for symbol, one in found.series.items():
        assert one.generated, symbol
        assert one.hours[0] == FIRST + 2
        assert len(one) == generate.YEAR_H
    part = study.generated_part(found.series, found.note)
    assert part.generated
    assert part.name == "generated"


def test_the_same_seed_makes_the_same_year() -> None:
    first, again, other = made(1), made(1), made(2)

    assert first.series[ETH].rate_a == again.series[ETH].rate_a
    assert first.series[ETH].rate_a != other.series[ETH].rate_a


def test_rates_stay_within_the_venues_caps_and_on_their_step() -> None:
    most = min(facts.max_rate_1h for facts in PACKAGE.facts)
    for one in made(share=Decimal("0.3")).series.values():
        for rates in (one.rate_a, one.rate_b):
            assert max(map(abs, rates)) <= most
            assert all(rate == round(rate, 6) for rate in rates[:500])
