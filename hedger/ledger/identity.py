"""
Whose ledger it is: one environment, and one account at each venue (X10's is the vault).

What a ledger knows of positions and of nonces is of these accounts; with another one it would
take off what it finds there, or miss what is open. A first start writes the accounts down. A
ledger from before that was done belongs to the accounts of its last orders.
"""

from collections.abc import Mapping
from typing import Final

from hedger.domain.ids import VenueId
from hedger.errors import StateError
from hedger.ledger.store import Store

PREFIX: Final = "identity:"
ENVIRONMENT: Final = PREFIX + "environment"
SANDBOX: Final = "sandbox"


def claim(store: Store, environment: str, accounts: Mapping[VenueId, str]) -> None:
    """
    Check that the ledger is of these accounts, and note those it does not name yet.

    A sandbox that is started anew has new accounts; its ledger goes along with them.

    Raises:
        StateError: it belongs to another environment or account, with what to do about it.
    """
    known = store.metas(PREFIX)
    wanted = {ENVIRONMENT: environment} | {PREFIX + id_: name for id_, name in accounts.items()}
    for key, name in wanted.items():
        venue = VenueId(key.removeprefix(PREFIX))
        before = known.get(key)
        if before is None and key != ENVIRONMENT:
            before = store.last_account(venue)
        if before not in {None, name}:
            if environment != SANDBOX or key == ENVIRONMENT:
                raise StateError(_refusal(store, key, str(before), name))
            store.event(
                "new_account", f"{venue}: the sandbox's account is {name} now, not {before}"
            )
        if known.get(key) != name:
            store.set_meta(key, name)


def _refusal(store: Store, key: str, before: str, name: str) -> str:
    if key == ENVIRONMENT:
        return (
            f"{store.path} is the ledger of environment {before}, and this configuration is for"
            f" {name}; name another directory with HEDGER_HOME"
        )
    venue = key.removeprefix(PREFIX)
    return (
        f"{store.path} is the ledger of account {before} at {venue}, and this configuration names"
        f" {name}; correct venues.options.{venue}, or name another directory with HEDGER_HOME"
    )
