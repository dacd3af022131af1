"""
Keys and signatures of Lighter: Schnorr over ECgFp5 with Poseidon2 (lighter.md §7).

The curve and the hash come from ``typed-lighter``; this module only fits them to our types.
Public keys are 80 hex digits without ``0x``, as ``GET /apikeys`` shows them. A verification
takes 10 to 20 ms of processor time.
"""

from typed_lighter.core.signer import curve, poseidon2, schnorr

ORDER = curve.N
"""Private keys and both halves of a signature are whole numbers below this."""

SIGNATURE_BYTES = 80


def public_key(private_key: int) -> str:
    """The public key of a private one."""
    return schnorr.public_key(private_key).hex()


def private_key(text: str) -> int:
    """
    Read a private key as the SDK writes it: 40 bytes as hex, with or without ``0x``.

    Raises:
        ValueError: it is not 40 bytes of hex.
    """
    return schnorr.scalar_from_bytes(bytes.fromhex(text.removeprefix("0x")))


def digest(elements: list[int]) -> bytes:
    """The 40-byte hash of field elements, each taken modulo 2**64."""
    return b"".join(limb.to_bytes(8, "little") for limb in poseidon2.hash_to_fp5(elements))


def short_digest(elements: list[int]) -> list[int]:
    """The four-element hash that grouped orders are folded with."""
    return list(poseidon2.hash_no_pad(elements))


def limbs(data: bytes) -> list[int]:
    """Bytes as field elements of eight bytes each, little-endian, the last one zero-padded."""
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


def sign(private_key: int, message: bytes) -> bytes:
    """Sign a 40-byte hash; for tests and for the sandbox's own transactions."""
    return schnorr.sign(message, private_key)


def verify(public_key: str, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is that of ``public_key`` under the 40-byte hash ``message``."""
    return schnorr.verify(pk=bytes.fromhex(public_key), msg_hash=message, sig=signature)
