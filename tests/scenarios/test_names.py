"""A limit under a name that no venue bears limits nothing, so nothing is opened under it."""

import asyncio
from pathlib import Path

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.errors import ConfigError, UnavailableError, UsageError
from hedger.home import Home
from tests.desk import Desk, configured
from tests.world import LIGHTER


@pytest.mark.config(trading={"blocked_symbols": ["btc"]})
async def test_b09_a_block_in_small_letters_blocks(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"BTC is in trading\.blocked_symbols"):
        await desk.open("BTC", 100)
    desk.assert_flat()


@pytest.mark.config(risk={"market_usd": {" eth": 50}})
async def test_b09_a_limit_in_another_spelling_limits(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"100 USD are above risk\.market_usd of ETH \(50\)"):
        await desk.open("ETH", 100)
    desk.assert_flat()


@pytest.mark.config(trading={"blocked_symbols": ["FARTCOINS"]})
async def test_b09_a_block_that_names_no_market_opens_nothing(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="names FARTCOINS, which is no market of x10 or lighter"):
        await desk.open("ETH", 100)

    desk.assert_flat()
    assert desk.rows("orders") == []


@pytest.mark.config(risk={"market_usd": {"ETHH": 5}})
async def test_b09_a_daemon_does_not_start_under_a_name_of_no_market(
    desk: Desk, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"risk\.market_usd names ETHH.*did you mean ETH\?; correct it"
    ):
        await Daemon(desk.trader, Home(tmp_path)).run(asyncio.Event())


async def test_b09_a_daemon_that_has_hedges_looks_after_them_and_opens_nothing(
    desk: Desk,
) -> None:
    hedge = await desk.open("ETH", 100)
    desk.config = configured(symbols={"names": {"PEPE": {"lighter": "kPEPE"}}})
    await desk.restart()
    names = desk.trader.opening.names

    await names.at_start()
    await names.look()

    with pytest.raises(ConfigError, match=r"symbols\.names\.PEPE\.lighter is 'kPEPE'"):
        await desk.open("SOL", 100)
    (told,) = [row for row in desk.rows("events") if "kPEPE" in row["text"]]
    assert told["text"].endswith("and hedger is started again; exits go on")
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


@pytest.mark.config(trading={"blocked_symbols": ["FARTCOINS"]})
async def test_a_venue_that_does_not_list_its_markets_holds_openings_back_and_no_exit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = desk.trader.opening.names

    async def silent() -> None:
        raise UnavailableError("lighter", "timeout")

    with monkeypatch.context() as patch:
        patch.setattr(desk.trader.quotes[LIGHTER], "instruments", silent)
        await names.at_start()

        assert names.held_back() == [
            "the configured names were not held against the markets of lighter yet"
        ]
        with pytest.raises(UnavailableError, match="timeout"):
            await desk.open("ETH", 100)

    await names.look()

    (told,) = names.held_back()
    assert told.startswith("trading.blocked_symbols names FARTCOINS")


async def test_where_no_market_is_named_no_venue_is_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.trader.quotes[LIGHTER], "instruments", None)

    await desk.trader.opening.names.at_start()

    assert desk.trader.opening.names.held_back() == []
