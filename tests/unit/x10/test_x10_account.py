"""What X10's answer about the account says of its right to trade."""

import pytest

from adapters.x10.account import account_ability
from adapters.x10.fields import Row
from hedger.domain.ability import Can
from hedger.domain.ids import VenueId

X10 = VenueId("x10")
KEY = 0xAB12


@pytest.mark.parametrize(
    ("told", "can", "code"),
    [
        ({"status": "ACTIVE", "l2Key": "0x00AB12"}, Can.YES, ""),
        ({"l2Key": "0xab12"}, Can.YES, ""),
        ({"status": "ACTIVE"}, Can.YES, ""),
        ({"status": "LOCKED", "l2Key": "0xab12"}, Can.NO, "account_status"),
        ({"status": "ACTIVE", "l2Key": "0xab13"}, Can.NO, "key_refused"),
        ({"status": "ACTIVE", "l2Key": "no key"}, Can.NO, "key_refused"),
    ],
)
def test_an_active_account_with_our_stark_key_may_trade(
    told: dict[str, str], can: Can, code: str
) -> None:
    found = account_ability(X10, Row(X10, "account", told), KEY)

    assert (found.can, found.code) == (can, code)
