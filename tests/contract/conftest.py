"""The contract is the same at every venue, so each of its tests runs at each of them."""

import pytest

from tests.contract.account import VENUES, Account
from tests.world import World


@pytest.fixture(params=VENUES)
async def account(world: World, request: pytest.FixtureRequest) -> Account:
    """A started adapter over the real SDK."""
    name: str = request.param
    return Account(world, await world.venue(name), world.quotes(name))
