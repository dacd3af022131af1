"""Orders through the unmodified Lighter SDK: from the signature to the position."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from hedger.clock import Clock
from tests.unit.sandbox.lighter_face_venue import LighterVenue, lighter_venue


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[LighterVenue]:
    async with lighter_venue(virtual_time) as venue:
        yield venue


async def test_a_market_order_of_the_sdk_fills(venue: LighterVenue) -> None:
    tx = await venue.executed(await venue.signed_market("0.5", sell=True, client_index=77))

    assert (tx.status, tx.nonce) == (2, 0)
    assert venue.size == Decimal("-0.5")
    order = (await venue.orders(77))[0]
    assert (order["status"], order["filled_base_amount"]) == ("filled", "0.5000")
    assert json.loads(tx.event_info)["to"]["u"] == 77
    position = await venue.position()
    assert (position["sign"], position["position"]) == (-1, "0.5000")
