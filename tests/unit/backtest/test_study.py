"""Parts, sums, intervals and verdicts."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.backtest import study, summary
from hedger.backtest.account import Cut, Hedge
from hedger.backtest.loading import Record
from hedger.backtest.series import instant
from hedger.domain.ids import Symbol
from hedger.errors import UsageError
from tests.unit.backtest.market import ETH, FIRST, KNOWN, PLAIN, policy, series

BTC = Symbol("BTC")


def a_hedge(net: int, *, symbol: Symbol = ETH, closed: int = FIRST, cut: Cut = Cut.NO) -> Hedge:
    return Hedge(
        symbol=symbol,
        direction=1,
        opened_hour=closed - 3,
        closed_hour=closed,
        size=1.0,
        value_usd=1000.0,
        funding=net + 100,
        fees=-60,
        slippage=-30,
        basis=-10,
        cut=cut,
    )


def a_record(*spreads: float, gap: int = 0) -> Record:
    hours = [FIRST + n + (gap if n >= len(spreads) // 2 else 0) for n in range(len(spreads))]
    return Record(
        folder=Path("somewhere"),
        files=(),
        series={s: series(spreads, hours=hours, symbol=s) for s in (ETH, BTC)},
        left_out={},
        sources=("S1",),
    )


def summarised(hedges: list[Hedge], oracle: list[Hedge]) -> summary.Row:
    return summary.summarise(
        "ours",
        hedges,
        oracle=summary.total(oracle),
        untried=2,
        refusals=Counter({"value": 3}),
        seed=1,
    )


def test_the_sums_are_exact_and_those_cut_off_are_counted_apart() -> None:
    hedges = [a_hedge(5), a_hedge(-7, cut=Cut.RECORD_ENDS), a_hedge(-1, cut=Cut.GAP), a_hedge(9)]
    row = summarised(hedges, [a_hedge(12)])

    assert row["net_usd"] == Decimal("0.000006")
    assert row["net_usd"] == sum(
        (row[key] for key in ("funding_usd", "fees_usd", "slippage_usd", "basis_usd")), Decimal(0)
    )
    own, cut = row["closed_by_the_rule"], row["cut_off_by_the_record"]
    assert (own["hedges"], cut["hedges"], row["hedges"]) == (2, 2, 4)
    assert own["net_usd"] + cut["net_usd"] == row["net_usd"]
    assert cut["net_usd"] == Decimal("-0.000008")
    assert row["share_of_oracle"] == Decimal("0.5")
    assert (row["wanted_in_a_last_hour"], row["refusals"]) == (2, {"value": 3})


def test_opening_none_where_the_oracle_finds_some_is_a_failure() -> None:
    assert summarised([], [a_hedge(12)])["verdict"] == "FAILED: opened none, the oracle found 1"
    assert summarised([], [])["verdict"] == "opened none; there was nothing to be had"
    assert summarised([a_hedge(1)], [a_hedge(12)])["verdict"] == "earned"
    assert summarised([a_hedge(-1)], [a_hedge(12)])["verdict"] == "lost"


def test_the_interval_holds_the_mean_is_repeatable_and_narrows_with_more_hedges() -> None:
    few = [1_000_000, -2_000_000, 3_000_000, 500_000] * 3
    low, high = summary.interval(few, 7) or (Decimal(0), Decimal(0))

    assert low < Decimal("0.625") < high
    assert summary.interval(few, 7) == (low, high)
    assert summary.interval(few, 8) != (low, high)
    narrow = summary.interval(few * 50, 7)
    assert narrow is not None
    assert narrow[1] - narrow[0] < (high - low) / 4
    assert summary.interval([5], 7) is None


def test_the_drawdown_is_the_deepest_fall_from_a_peak_and_the_start_is_one() -> None:
    nets = [(1, 50), (2, -80), (3, 20), (4, 100), (5, -30)]
    points = summary.curve([a_hedge(net, closed=FIRST + n) for n, net in nets])

    assert [level for _, level in points] == [50, -30, -10, 90, 60]
    assert summary.drawdown(points) == 80
    assert summary.drawdown([(1, -5)]) == 5


def test_markets_and_weeks_add_up_to_the_whole() -> None:
    monday = FIRST - (FIRST - summary.MONDAY_H) % summary.WEEK_H
    assert instant(monday).weekday() == 0
    hedges = [
        a_hedge(5, closed=monday - 1),
        a_hedge(7, closed=monday),
        a_hedge(-3, symbol=BTC, closed=monday + 167),
    ]
    markets, weeks = summary.by_market(hedges), summary.by_week(hedges)

    assert [(row["market"], row["hedges"]) for row in markets] == [("ETH", 2), ("BTC", 1)]
    assert [row["net_usd"] * 10**6 for row in weeks] == [5, 4]
    assert weeks[1]["week_of"] == f"{instant(monday):%Y-%m-%d}"


def test_a_share_splits_the_market_hours_and_an_instant_the_time() -> None:
    record = a_record(*[1e-4] * 10)
    at = study.split_hour(record, Decimal("0.3"))
    fitted, held_out = study.recorded_parts(record, at, fitted=True)

    assert (fitted.name, held_out.name) == ("fitted", "held out")
    assert (fitted.hours, held_out.hours) == (6, 14)
    assert fitted.end_hour == held_out.first_hour == at
    with pytest.raises(UsageError, match="the record goes from"):
        study.recorded_parts(record, FIRST, fitted=True)
    with pytest.raises(UsageError, match="leaves nothing on one side"):
        study.split_hour(record, Decimal("0.01"))


def test_what_comes_after_the_split_changes_neither_the_model_nor_the_fitted_part() -> None:
    spreads = [3e-4, 2e-4, 1.5e-4, 1e-4, 9e-5, 8e-5] * 8
    other = [*spreads[:24], *([-5e-3] * 24)]
    found = []
    for one in (a_record(*spreads), a_record(*other)):
        parts = study.recorded_parts(one, FIRST + 24, fitted=True)
        model = study.fitted_on(one, parts[0])
        result = study.run(parts[0], KNOWN, policy(model), PLAIN)
        rows = {name: row for name, row in result.rows(1).items() if name != "oracle"}
        found.append((model, rows))

    assert found[0] == found[1]


def test_the_whole_is_the_sum_of_what_was_recorded() -> None:
    record = a_record(*([5e-4] * 12 + [0.0] * 12))
    parts = study.recorded_parts(record, FIRST + 12, fitted=True)
    results = [study.run(part, KNOWN, policy(), PLAIN) for part in parts]

    whole = study.together(results).rows(1)

    for name in study.RULES:
        assert whole[name]["net_usd"] == sum(one.rows(1)[name]["net_usd"] for one in results)


def test_a_record_too_short_for_a_fit_is_one_sentence() -> None:
    record = a_record(1e-6, 1e-6, 1e-6, 1e-6)
    part = study.recorded_parts(record, FIRST + 2, fitted=True)[0]
    with pytest.raises(UsageError, match="the decay cannot be fitted before"):
        study.fitted_on(record, part)


def test_a_hedge_on_a_market_does_not_depend_on_other_markets() -> None:
    record = a_record(*[6e-4] * 20)
    alone = replace(record, series={ETH: record.series[ETH]})
    both, one = (
        study.run(study.recorded_parts(r, None, fitted=False)[0], KNOWN, policy(), PLAIN)
        for r in (record, alone)
    )
    for name in study.RULES:
        only = [hedge for hedge in both.outcomes[name].hedges if hedge.symbol == ETH]
        assert only == one.outcomes[name].hedges
