"""Who may act for which account: registered API keys, signatures and auth tokens."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

from adapters.sandbox.lighter_face import schnorr
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.hashing import auth_token_hash, transaction_hash
from adapters.sandbox.lighter_face.txinfo import Tx

UNAUTHORISED = 401
_TOKENS_KEPT = 256


class KeyOwner(Protocol):
    """What this face must know of an account (``adapters.sandbox.credentials`` has it)."""

    @property
    def account_index(self) -> int:
        """The account."""

    @property
    def api_keys(self) -> Mapping[int, str]:
        """Private keys by index; only the sandbox's own transactions are signed with them."""

    @property
    def public_keys(self) -> Mapping[int, str]:
        """Public keys by index, 80 hex digits each."""

    @property
    def chain_id(self) -> int:
        """The first element of every hash."""


class KeyRing:
    """Checks what claims to come from the account's keys."""

    def __init__(
        self,
        owner: KeyOwner,
        public_keys: Mapping[int, str],
        *,
        verify: bool,
        max_auth_s: int,
    ) -> None:
        self._owner = owner
        self._public_keys = public_keys  # those that are registered now
        self._verify = verify
        self._max_auth_s = max_auth_s
        self._good_tokens: OrderedDict[str, str] = OrderedDict()

    def transaction_hash(self, tx: Tx) -> str:
        """
        The hash of a transaction that is signed by the key it names.

        Raises:
            ApiError: 21100 account, 21109 key, 21120 hash or signature do not belong together.
        """
        public_key = self._public_key(tx.account, tx.api_key_index)
        message = transaction_hash(tx, self._owner.chain_id)
        if self._verify and not schnorr.verify(public_key, message, tx.signature):
            raise ApiError(Code.INVALID_SIGNATURE)
        return message.hex()

    def authorise(self, token: str, account: int, now_s: int) -> None:
        """
        Let a reader see the private data of ``account``.

        Tokens are ``expiry:account:key:signature``; expiry is in seconds since the epoch.

        Raises:
            ApiError: 20001 no token; 20013 (HTTP 401) not a valid one for this account.
        """
        if not token:
            raise ApiError(
                Code.INVALID_PARAM, ": auth query param and Authorization header are empty"
            )
        expiry_s, owner, key_index, signature = _split(token)
        if owner != account:
            raise _unauthorised("token is of another account")
        if not now_s < expiry_s <= now_s + self._max_auth_s:
            raise _unauthorised("expired, or valid for more than 8 hours")
        public_key = self._public_keys.get(key_index)
        if public_key is not None and self._good_tokens.get(token) == public_key:
            self._good_tokens.move_to_end(token)
            return
        if owner != self._owner.account_index or public_key is None:
            raise _unauthorised("unknown account or api key")
        message = auth_token_hash(token.rpartition(":")[0])
        if self._verify and not schnorr.verify(public_key, message, signature):
            raise _unauthorised("signature")
        self._good_tokens[token] = public_key
        if len(self._good_tokens) > _TOKENS_KEPT:
            self._good_tokens.popitem(last=False)

    def _public_key(self, account: int, key_index: int) -> str:
        if account != self._owner.account_index:
            raise ApiError(Code.ACCOUNT_NOT_FOUND)
        public_key = self._public_keys.get(key_index)
        if public_key is None:
            raise ApiError(Code.API_KEY_NOT_FOUND)
        return public_key


def _unauthorised(detail: str) -> ApiError:
    return ApiError(Code.INVALID_AUTH, detail, status=UNAUTHORISED)


def _split(token: str) -> tuple[int, int, int, bytes]:
    try:
        expiry_s, account, key_index, signature = token.split(":")
        return int(expiry_s), int(account), int(key_index), bytes.fromhex(signature)
    except ValueError:
        raise _unauthorised("not a token of this venue") from None
