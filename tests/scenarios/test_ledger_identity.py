"""A ledger belongs to an environment and to one account at each venue."""

from pathlib import Path
from random import Random

import pytest

from hedger.compose import compose
from hedger.domain.ids import VenueId
from hedger.errors import StateError
from hedger.ledger import identity
from hedger.ledger.store import Store
from tests.desk import Desk
from tests.unit.ledger.build import LIGHTER, X10, a_hedge, a_store, an_order


def at(environment: str, x10: str = "10002", lighter: str = "65") -> tuple[str, dict[VenueId, str]]:
    return environment, {X10: x10, LIGHTER: lighter}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return a_store(tmp_path)


def test_a_first_start_writes_the_accounts_and_the_same_ones_pass(store: Store) -> None:
    identity.claim(store, *at("testnet"))
    assert store.metas("identity:") == {
        "identity:environment": "testnet",
        "identity:x10": "10002",
        "identity:lighter": "65",
    }
    identity.claim(store, *at("testnet"))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (at("testnet", x10="10003"), r"account 10002 at x10, .* names 10003; .*options\.x10"),
        (at("mainnet", lighter="66"), r"environment testnet, .* is for mainnet; .*HEDGER_HOME"),
        (at("testnet", lighter="66"), r"account 65 at lighter, .* names 66; .*options\.lighter"),
    ],
)
def test_another_account_or_environment_is_refused_by_name(
    store: Store, other: tuple[str, dict[VenueId, str]], said: str
) -> None:
    identity.claim(store, *at("testnet"))
    with pytest.raises(StateError, match=said):
        identity.claim(store, *other)
    assert store.meta("identity:x10") == "10002"


def test_a_ledger_from_before_belongs_to_the_account_of_its_last_order(store: Store) -> None:
    store.plan(a_hedge())
    store.intend(an_order())  # account 10002
    with pytest.raises(StateError, match="account 10002 at x10"):
        identity.claim(store, *at("testnet", x10="7"))
    identity.claim(store, *at("testnet"))


async def test_a_trader_on_another_account_is_not_even_put_together(desk: Desk) -> None:
    config = desk.config.model_copy(update={"environment": "testnet"})
    desk.store.set_meta("identity:environment", "testnet")
    desk.store.set_meta("identity:x10", "1")
    with pytest.raises(StateError, match="is the ledger of account 1 at x10"):
        compose(
            config,
            venues=desk.trader.venues,
            quotes=desk.trader.quotes,
            store=desk.store,
            clock=desk.world.clock,
            chance=Random(1),
        )
    assert desk.world.orders("x10") == []
