"""Both adapters on whether the account may reduce a position now."""

import pytest

from hedger.domain.ability import Can
from hedger.domain.ids import Symbol
from hedger.errors import VenueError
from tests.contract.account import Account

ETH = Symbol("ETH")


async def test_a_working_account_may(account: Account) -> None:
    found = await account.venue.ability(ETH)

    assert (found.can, found.venue) == (Can.YES, account.venue.id)


async def test_a_key_that_is_gone_is_an_answer_and_names_the_remedy(account: Account) -> None:
    account.world.revoke_key(account.venue.id)
    found = await account.venue.ability(ETH)

    assert (found.can, found.code) == (Can.NO, "key_refused")
    assert found.venue in found.why
    assert "restart hedger" in found.remedy
    account.world.register_key(account.venue.id)
    assert (await account.venue.ability(ETH)).can is Can.YES


async def test_no_answer_is_neither(account: Account) -> None:
    for path in ("/user/account", "/api/v1/accountLimits"):
        account.world.rewrite(account.venue.id, path, status=503, times=0)

    with pytest.raises(VenueError):
        await account.venue.ability(ETH)
