"""What ``GET /user/account/info`` says about the account's right to trade. Pure."""

from typing import Final

from adapters.x10.fields import Row
from hedger.domain.ability import Ability, able, unable
from hedger.domain.ids import VenueId

ACTIVE: Final = "ACTIVE"


def account_ability(venue: VenueId, account: Row, public_key: int) -> Ability:
    """Whether the account is active and still has the Stark key that signs our orders."""
    status = account.word_or("status", ACTIVE).upper()
    if status != ACTIVE:
        return unable(
            venue,
            "account_status",
            f"the account on {venue} is {status}",
            f"ask {venue} why the account is not active",
        )
    if account.has("l2Key") and not _is(account.word("l2Key"), public_key):
        return unable(
            venue,
            "key_refused",
            f"the account on {venue} has another Stark key than private_key",
            f"put the private key of the account's Stark key into the secret private_key of"
            f" {venue} and restart hedger",
        )
    return able(venue)


def _is(text: str, key: int) -> bool:
    """As a number, so that case and leading zeros do not matter."""
    try:
        return int(text, 16) == key
    except ValueError:
        return False
