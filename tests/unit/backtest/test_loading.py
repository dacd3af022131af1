"""Any of the recorded files, and what is said about a wrong one."""

from decimal import Decimal
from math import isnan
from pathlib import Path

import pytest

from hedger.backtest import loading, package
from hedger.backtest.series import instant
from hedger.domain.ids import Symbol
from hedger.errors import UsageError
from tests.unit.backtest.market import ETH, KNOWN, VENUES

ONE = "venue,market,timestamp_utc,rate_1h,mark_price,index_price,oi_usd,kind,source\n"
PAIRS = "source,market,hour_utc,rate_x10_1h,rate_lighter_1h,spread_1h,spread_apy\n"
BOTH = (
    "asset,x10_market,lighter_symbol,hour_utc,x10_mark,x10_index,lighter_mark,lighter_index,"
    "x10_oi_usd,lighter_oi_usd_one_side,x10_rate_1h,lighter_rate_1h,x10_samples,lighter_samples\n"
)


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.replace('__', '-')}.csv").write_text(text)
    return folder


def rates(folder: Path, symbol: Symbol = ETH) -> dict[str, tuple[float, float]]:
    one = loading.load(folder, KNOWN).series[symbol]
    return {
        f"{instant(hour):%Y-%m-%dT%H}": (one.rate_a[n], one.rate_b[n])
        for n, hour in enumerate(one.hours)
    }


def test_a_settled_rate_belongs_to_its_own_settlement_and_a_predicted_one_to_the_next(
    tmp_path: Path,
) -> None:
    written(
        tmp_path,
        funding_x10=ONE
        + "x10,ETH,2026-01-01T05:00:01Z,0.00002,,,,settled,S1\n"
        + "x10,ETH,2026-01-01T05:59:00Z,0.00003,,,,predicted_snapshot,S6\n",
        funding_lighter=ONE
        + "lighter,ETH,2026-01-01T04:30:00Z,0.00001,,,,predicted_snapshot,S6\n"
        + "lighter,ETH,2026-01-01T05:00:00Z,0.000012,,,,hourly_mean_of_predicted,S2\n",
    )
    assert rates(tmp_path) == {
        "2026-01-01T05": (0.00002, 0.00001),
        "2026-01-01T06": (0.00003, 0.000012),
    }


def test_the_settled_rate_wins_then_the_mean_then_the_last_look(tmp_path: Path) -> None:
    written(
        tmp_path,
        funding_x10=ONE
        + "x10,ETH,2026-01-01T05:00:00Z,0.00005,,,,settled,S1\n"
        + "x10,ETH,2026-01-01T04:59:00Z,0.00004,3000,,,predicted_snapshot,S6\n"
        + "x10,ETH,2026-01-01T05:50:00Z,0.00007,,,,predicted_snapshot,S6\n"
        + "x10,ETH,2026-01-01T05:10:00Z,0.00006,,,,predicted_snapshot,S6\n",
        funding_lighter=ONE
        + "lighter,ETH,2026-01-01T05:00:00Z,0.00001,,,,settled,S1\n"
        + "lighter,ETH,2026-01-01T05:00:00Z,0.00002,,,,hourly_mean_of_predicted,S2\n"
        + "lighter,ETH,2026-01-01T05:59:00Z,0.00003,,,,predicted_snapshot,S6\n",
    )
    assert rates(tmp_path) == {
        "2026-01-01T05": (0.00005, 0.00001),
        "2026-01-01T06": (0.00007, 0.00002),
    }
    one = loading.load(tmp_path, KNOWN).series[ETH]
    assert one.mark_a[0] == 3000.0  # from the row that had one
    assert isnan(one.mark_b[0])


def test_pairs_alone_and_the_hourly_panel_alone_are_enough(tmp_path: Path) -> None:
    pairs, both = tmp_path / "pairs", tmp_path / "both"
    pairs.mkdir()
    both.mkdir()
    written(
        pairs,
        funding_pairs=PAIRS
        + "S1,ETH,2026-01-01T05:00:00Z,0.00002,0.00001,0.00001,0.0876\n"
        + "S2,ETH,2026-01-01T05:00:00Z,0.00004,0.00001,0.00003,0.2628\n",
    )
    written(
        both,
        hourly_both_venues=BOTH
        + "PEPE,1000PEPE-USD,1000PEPE,2026-01-01T05:00:00Z,0.005,0.005,0.0051,0.005,1e5,2e5,"
        "0.00002,0.00001,3,3\n",
    )
    assert rates(pairs) == {
        "2026-01-01T05": (0.00002, 0.00001),
        "2026-01-01T06": (0.00004, 0.00001),
    }
    assert rates(both, Symbol("1000PEPE")) == {"2026-01-01T06": (0.00002, 0.00001)}
    one = loading.load(both, KNOWN).series[Symbol("1000PEPE")]
    assert (one.mark_b[0], one.interest_a[0], one.interest_b[0]) == (0.0051, 1e5, 2e5)


def test_files_by_month_are_read_like_one(tmp_path: Path) -> None:
    row = "{0},ETH,2026-0{1}-01T05:00:00Z,0.00001,,,,settled,history\n"
    written(
        tmp_path,
        **{
            f"funding_{venue}__2026__0{month}": ONE + row.format(venue, month)
            for venue in VENUES
            for month in (1, 2)
        },
    )
    assert list(rates(tmp_path)) == ["2026-01-01T05", "2026-02-01T05"]


def test_a_market_without_rules_is_left_out_and_counted_unless_the_folder_brings_them(
    tmp_path: Path,
) -> None:
    row = "{0},NEWCOIN,2026-01-01T05:00:00Z,0.00001,,,,settled,S1\n"
    known = "{0},ETH,2026-01-01T05:00:00Z,0.00001,,,,settled,S1\n"
    written(
        tmp_path,
        **{f"funding_{v}": ONE + row.format(v) + known.format(v) for v in VENUES},
    )
    assert loading.load(tmp_path, KNOWN).left_out == {"NEWCOIN": 2}

    written(
        tmp_path,
        markets="symbol,x10_name,x10_min_size,x10_size_step,lighter_name,lighter_min_size,"
        "lighter_size_step,reference_price\nNEWCOIN,NEW-USD,1,0.1,NEWCOIN,1,1,2.5\n",
    )
    found = loading.load(tmp_path, package.load(VENUES, tmp_path))
    assert Symbol("NEWCOIN") in found.series
    assert found.left_out == {}


def test_recorded_books_replace_the_packaged_spread_by_their_median(tmp_path: Path) -> None:
    written(
        tmp_path,
        books__2026__01="venue,market,timestamp_utc,bid,ask,spread_bps\n"
        + "".join(f"lighter,ETH,2026-01-01T05:00:00Z,1,1,{bps}\n" for bps in ("3", "9", "40")),
    )
    one = package.load(VENUES, tmp_path).markets[ETH]

    assert one.b.quoted_spread_bps == Decimal(9)
    assert one.a.quoted_spread_bps == KNOWN.markets[ETH].a.quoted_spread_bps


GOOD = "x10,ETH,2026-01-01T05:00:00Z,0.00001,,,,settled,S1\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ONE.replace("rate_1h,", "") + GOOD, "has no column rate_1h; its header must name"),
        (ONE + GOOD + "x10,ETH\n", "line 3: has 2 fields, the header 9; correct or remove"),
        (ONE + GOOD.replace("0.00001", "many"), "line 2: rate_1h is 'many', which is no rate"),
        (ONE + GOOD.replace("0.00001", "nan"), "line 2: rate_1h is 'nan', which is no rate"),
        (ONE + GOOD.replace("0.00001", "0.13"), "beyond the venue's cap of 0.03 per hour"),
        (ONE + GOOD.replace("2026-01-01T05:00:00Z", "yesterday"), "is no UTC instant like"),
        (ONE + GOOD.replace("05:00:00Z", "05:00:00"), "which is no UTC instant"),
        (ONE + GOOD.replace("2026", "1926"), "which is no year of recorded rates"),
        (ONE + GOOD.replace("x10,", "lighter,"), "venue is 'lighter', this file is for x10"),
        (ONE + GOOD.replace("settled", "guessed"), "kind is 'guessed', which is none of settled"),
        (ONE + GOOD.replace(",,,,", ",-5,,,"), "mark_price is '-5', which is no amount in USD"),
        ("", "has no column"),
    ],
)
def test_a_wrong_file_is_one_sentence_with_file_line_value_and_remedy(
    tmp_path: Path, text: str, said: str
) -> None:
    written(tmp_path, funding_x10=text)
    with pytest.raises(UsageError) as error:
        loading.load(tmp_path, KNOWN)

    assert said in str(error.value)
    assert str(tmp_path / "funding_x10.csv") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "funding_x10.csv").write_bytes(b"venue,market\xff\xfe")
    with pytest.raises(UsageError, match="is no UTF-8 text; save it as UTF-8"):
        loading.load(tmp_path, KNOWN)


def test_a_folder_with_nothing_of_both_venues_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds none of funding_x10\.csv, .* hedger record"):
        loading.load(tmp_path, KNOWN)
    written(tmp_path, funding_x10=ONE + GOOD)
    with pytest.raises(UsageError, match="hold no hour of a known market at both x10 and lighter"):
        loading.load(tmp_path, KNOWN)
