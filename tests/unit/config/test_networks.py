"""Whether real money is traded is told by chains and hosts as well as by the word."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from lighter import endpoint_profiles
from x10.config import MAINNET_CONFIG, TESTNET_CONFIG

from adapters import registry
from adapters.lighter.network import signs as lighter_signs
from adapters.x10.network import signs as x10_signs
from hedger import resources
from hedger.config.networks import Network, real_money
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError

Options = Mapping[str, Any]
X10, LIGHTER = VenueId("x10"), VenueId("lighter")
X10_MAIN = {
    "api_base_url": "https://api.starknet.extended.exchange/api/v1",
    "stream_url": "wss://api.starknet.extended.exchange/stream.extended.exchange/v1",
    "chain_id": "SN_MAIN",
}
X10_TEST = {
    "api_base_url": "https://api.starknet.sepolia.extended.exchange/api/v1",
    "chain_id": "SN_SEPOLIA",
}
X10_HERE = {"api_base_url": "http://127.0.0.1:7001/api/v1", "chain_id": "SN_SEPOLIA"}
LIGHTER_MAIN = {"url": "https://mainnet.zklighter.elliot.ai", "chain_id": 304}
LIGHTER_TEST = {"url": "https://testnet.zklighter.elliot.ai", "chain_id": 300}
LIGHTER_HERE = {"url": "http://127.0.0.1:7002", "chain_id": 300}


def judged(environment: str, x10: Options, lighter: Options) -> bool:
    signs = {X10: x10_signs(x10), LIGHTER: lighter_signs(lighter)}
    return real_money(environment, signs)


def complaint(environment: str, x10: Options, lighter: Options) -> str:
    with pytest.raises(ConfigError) as caught:
        judged(environment, x10, lighter)
    return str(caught.value)


@pytest.mark.parametrize(
    ("environment", "x10", "lighter", "real"),
    [
        pytest.param("mainnet", X10_MAIN, LIGHTER_MAIN, True, id="main"),
        pytest.param("testnet", X10_TEST, LIGHTER_TEST, False, id="test"),
        pytest.param("testnet", X10_HERE, LIGHTER_HERE, False, id="test chains behind a proxy"),
        pytest.param("sandbox", {}, {}, False, id="sandbox"),
        pytest.param(
            "mainnet",
            X10_MAIN | {"api_base_url": "https://proxy.example/api/v1"},
            LIGHTER_MAIN | {"url": "https://proxy.example"},
            True,
            id="main chains behind an unknown host",
        ),
        pytest.param(
            "testnet",
            X10_TEST,
            {"url": "https://testnet.zklighter.elliot.ai"},
            False,
            id="the signer takes the test chain for a test host",
        ),
    ],
)
def test_what_agrees_is_what_it_says(
    environment: str, x10: Options, lighter: Options, *, real: bool
) -> None:
    assert judged(environment, x10, lighter) is real


@pytest.mark.parametrize(
    ("x10", "lighter", "named"),
    [
        pytest.param(X10_HERE | {"chain_id": "SN_MAIN"}, LIGHTER_HERE, "x10.chain_id", id="x10"),
        pytest.param(X10_HERE, LIGHTER_HERE | {"chain_id": 304}, "lighter.chain_id", id="lighter"),
        pytest.param(
            X10_HERE, {"url": "http://127.0.0.1:7002"}, "lighter.chain_id", id="chain left out"
        ),
        pytest.param(X10_MAIN, LIGHTER_MAIN, "x10.chain_id", id="only the word is left over"),
        pytest.param(
            X10_TEST | {"api_base_url": X10_MAIN["api_base_url"]},
            LIGHTER_TEST,
            "x10.api_base_url",
            id="main host",
        ),
        pytest.param(
            X10_TEST | {"stream_url": X10_MAIN["stream_url"]},
            LIGHTER_TEST,
            "x10.stream_url",
            id="main stream",
        ),
        pytest.param(
            X10_TEST,
            LIGHTER_TEST | {"url": "https://MAINNET.zklighter.elliot.ai."},
            "lighter.url",
            id="main host in another spelling",
        ),
    ],
)
def test_f4_a_file_that_says_testnet_and_names_a_main_chain_or_host_is_refused(
    x10: Options, lighter: Options, named: str
) -> None:
    text = complaint("testnet", x10, lighter)

    assert text.startswith("environment is testnet, but ")
    assert f"venues.options.{named} is " in text
    assert "trades real money" in text
    assert "environment: mainnet if real money is meant" in text


@pytest.mark.parametrize(
    ("x10", "lighter"),
    [(X10_TEST, LIGHTER_MAIN), (X10_MAIN, LIGHTER_TEST), (X10_HERE, LIGHTER_MAIN)],
)
def test_f4_a_file_that_says_mainnet_and_names_a_test_network_is_refused(
    x10: Options, lighter: Options
) -> None:
    assert "which is a test network" in complaint("mainnet", x10, lighter)


def test_f4_a_sandbox_file_that_names_a_main_chain_is_refused() -> None:
    assert "environment is sandbox" in complaint("sandbox", X10_MAIN, {})


@pytest.mark.parametrize(
    ("lighter", "named"),
    [
        ({"url": "https://proxy.example", "chain_id": 999}, "chain_id is '999'"),
        ({"url": "https://proxy.example", "chain_id": True}, "chain_id is 'True'"),
    ],
)
def test_f4_what_nobody_knows_counts_as_real_money(lighter: Options, named: str) -> None:
    text = complaint("testnet", X10_TEST, lighter)

    assert named in text
    assert "counts as real money" in text
    assert judged("mainnet", X10_MAIN, lighter)


@pytest.mark.parametrize(
    ("environment", "x10", "lighter", "parts"),
    [
        pytest.param(
            "mainnet",
            X10_MAIN | {"api_base_url": "http://api.starknet.extended.exchange/api/v1"},
            LIGHTER_MAIN,
            ["x10.api_base_url is 'http://api", "use https://"],
            id="x10",
        ),
        pytest.param(
            "mainnet",
            X10_MAIN,
            LIGHTER_MAIN | {"url": "http://mainnet.zklighter.elliot.ai"},
            ["lighter.url is 'http://", "use https://"],
            id="lighter",
        ),
        pytest.param(
            "mainnet",
            X10_MAIN | {"stream_url": "ws://api.starknet.extended.exchange/stream"},
            LIGHTER_MAIN,
            ["x10.stream_url is 'ws://", "use wss://"],
            id="stream",
        ),
        pytest.param(
            "mainnet",
            X10_MAIN | {"api_base_url": "http://127.0.0.1:7001/api/v1"},
            LIGHTER_MAIN,
            ["not sent unencrypted, not even here", "use https://"],
            id="a proxy on this machine",
        ),
        pytest.param(
            "testnet",
            X10_TEST | {"api_base_url": "http://proxy.example/api/v1"},
            LIGHTER_TEST,
            ["http:// for this machine only"],
            id="test network, too",
        ),
        pytest.param(
            "testnet",
            X10_TEST | {"api_base_url": "https://127.0.0.1@proxy.example/api/v1"},
            LIGHTER_TEST,
            ["before @"],
            id="two hosts",
        ),
        pytest.param(
            "testnet",
            X10_TEST | {"api_base_url": "ftp://127.0.0.1/"},
            LIGHTER_TEST,
            ["begin it with https://"],
            id="scheme",
        ),
        pytest.param(
            "testnet",
            X10_TEST | {"api_base_url": "https://127.0.0.1:port/"},
            LIGHTER_TEST,
            ["give one such as https://host/path"],
            id="port",
        ),
    ],
)
def test_f5_keys_never_go_out_unencrypted(
    environment: str, x10: Options, lighter: Options, parts: list[str]
) -> None:
    text = complaint(environment, x10, lighter)

    for part in parts:
        assert part in text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_test_money_may_go_unencrypted_to_this_machine(host: str) -> None:
    assert not judged("testnet", X10_HERE | {"api_base_url": f"http://{host}:1/v1"}, LIGHTER_HERE)


def test_the_networks_of_the_sdks_are_known() -> None:
    for config, network in ((MAINNET_CONFIG, Network.MAIN), (TESTNET_CONFIG, Network.TEST)):
        options = {
            "chain_id": config.signing.starknet_domain.chain_id,
            "api_base_url": config.endpoints.api_base_url,
            "stream_url": config.endpoints.stream_url,
        }
        assert {sign.network for sign in x10_signs(options)} == {network}
    profiles = [
        endpoint_profiles.MAINNET,
        endpoint_profiles.TESTNET,
        endpoint_profiles.ROBINHOOD,
        endpoint_profiles.ROBINHOOD_TESTNET,
    ]
    for profile in profiles:
        signs = lighter_signs({"url": profile.api_url, "chain_id": profile.chain_id})
        expected = Network.TEST if "testnet" in profile.api_url else Network.MAIN
        assert {sign.network for sign in signs} == {expected}


@pytest.mark.parametrize(("name", "real"), [("testnet", False), ("mainnet", True)])
def test_the_shipped_files_say_what_they_are(name: str, *, real: bool) -> None:
    data = yaml.safe_load((resources.config() / f"{name}.yaml").read_text(encoding="utf-8"))
    signs = {
        VenueId(venue): registry.factory(VenueId(venue)).signs(options)
        for venue, options in data["venues"]["options"].items()
    }
    assert real_money(name, signs) is real
