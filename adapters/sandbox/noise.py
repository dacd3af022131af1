"""
Numbers drawn by hash: the same for a seed on every machine and every Python version.

Integers only. A float would depend on the platform's libm, ``random`` on its algorithm.
"""

from hashlib import blake2b

STEPS = 128  # points of a bridge over one hour; a power of two
UNIT = 10**9  # relative noise is counted in billionths

# A Brownian bridge by midpoint displacement: each level halves the interval, so its spread
# shrinks by the square root of two. Millionths.
_LEVEL_SCALE = (1_000_000, 707_107, 500_000, 353_553, 250_000, 176_777, 125_000)
_SIGMA_4_UNIFORM = 37_837  # standard deviation of the sum of four uniform 16-bit numbers
_BLOCK = 64


def draw_bytes(seed: int, what: str, count: int) -> bytes:
    """``count`` bytes that depend on nothing but ``seed`` and ``what``."""
    key = seed.to_bytes(16, "big", signed=True)
    blocks = (
        blake2b(f"{what}|{block}".encode(), key=key).digest()
        for block in range(-(-count // _BLOCK))
    )
    return b"".join(blocks)[:count]


def draw_below(seed: int, what: str, limit: int) -> int:
    """A whole number in ``range(limit)``."""
    assert limit > 0
    return int.from_bytes(draw_bytes(seed, what, 8), "big") % limit


def bridge(seed: int, what: str, amplitude: int) -> list[int]:
    """
    ``STEPS`` values of a bridge that is 0 at both ends, in the unit of ``amplitude``.

    ``amplitude`` is the standard deviation in the middle.
    """
    data = draw_bytes(seed, what, 8 * STEPS)
    values = [0] * (STEPS + 1)
    for level, scale in enumerate(_LEVEL_SCALE):
        half = STEPS >> (level + 1)
        spread = amplitude * scale // 1_000_000
        for middle in range(half, STEPS, 2 * half):
            word = int.from_bytes(data[8 * middle : 8 * middle + 8], "big")
            total = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
            # four uniforms, centred: close enough to a normal, and never extreme
            centred = total - 2 * 0xFFFF
            values[middle] = (
                values[middle - half] + values[middle + half]
            ) // 2 + spread * centred // _SIGMA_4_UNIFORM
    return values[:STEPS]
