"""Both adapters on whether the account may reduce a position now."""

import json

import pytest

from hedger.domain.ability import Can
from hedger.domain.ids import Symbol
from hedger.errors import UnavailableError, VenueError
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


async def test_a_refusal_of_the_order_that_is_not_there_is_none_of_the_key(
    account: Account,
) -> None:
    """What a real venue says of one: HTTP 400 with a code of its business, or 404."""
    for status, code in ((400, 1142), (400, 1133), (404, 1142), (422, 1142)):
        account.world.no_rewrites()
        refuse(account, r"/user/order\?", "DELETE", status, code)

        assert (await account.venue.ability(ETH)).can is Can.YES


async def test_a_refusal_of_the_account_counts_whatever_the_request(account: Account) -> None:
    path, code = {
        "x10": (r"/user/order\?", 1004),
        "lighter": ("/api/v1/accountLimits", 21109),
    }[account.name]
    refuse(account, path, None, 400, code)

    assert (await account.venue.ability(ETH)).code == "key_refused"


async def test_a_page_of_a_firewall_is_no_word_about_the_key(account: Account) -> None:
    """With status 403, as a content network answers for reasons of its own."""
    for path in ("/user/account", "/api/v1/accountLimits"):
        account.world.rewrite(
            account.venue.id, path, status=403, body="<html>Request blocked</html>", times=0
        )

    with pytest.raises(UnavailableError):
        await account.venue.ability(ETH)


async def test_a_refusal_without_a_word_is_one(account: Account) -> None:
    path = {"x10": r"/user/order\?", "lighter": "/api/v1/accountLimits"}[account.name]
    account.world.rewrite(account.venue.id, path, status=401, body="", times=0)

    assert (await account.venue.ability(ETH)).can is Can.NO


def refuse(account: Account, path: str, method: str | None, status: int, code: int) -> None:
    body: dict[str, object] = {"code": code, "message": "no"}
    if account.name == "x10":
        body = {"status": "ERROR", "error": body}
    fields = {} if method is None else {"method": method}
    account.world.rewrite(
        account.venue.id, path, status=status, body=json.dumps(body), times=0, **fields
    )
