"""What Lighter's answer about the account says of its right to trade."""

from typing import Any

import pytest

from adapters.lighter.accountwire import ability
from hedger.domain.ability import Can
from hedger.domain.ids import Symbol, VenueId

LIGHTER = VenueId("lighter")


def account(status: object = 1, **row: object) -> dict[str, Any]:
    held = {"market_id": 0, "symbol": "ETH", "position": "0.1000", "sign": -1, "margin_mode": 0}
    return {"status": status, "positions": [held | row]}


@pytest.mark.parametrize(
    ("told", "can", "code"),
    [
        (account(), Can.YES, ""),
        (account(margin_mode=1), Can.YES, ""),
        (account(margin_mode=2), Can.UNKNOWN, "margin_mode"),
        (account(margin_mode=None), Can.UNKNOWN, "margin_mode"),
        (account(margin_mode=None, position="0.0000"), Can.YES, ""),
        (account(margin_mode=None, market_id=2), Can.YES, ""),
        (account(margin_mode=None, symbol="ETHX"), Can.UNKNOWN, "margin_mode"),  # renamed
        (account(status=0), Can.NO, "account_status"),
        (account(status=None), Can.YES, ""),
    ],
)
def test_an_active_account_with_a_known_margin_mode_may_trade(
    told: dict[str, Any], can: Can, code: str
) -> None:
    found = ability(told, LIGHTER, 0, Symbol("ETH"))

    assert (found.can, found.code) == (can, code)
