"""How the Lighter face behaves where the venue leaves a choice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LighterOptions:
    """
    Parameters of the face.

    Args:
        verify_signatures: off only for load tests: hashes are still computed, but neither
            transactions nor auth tokens are checked against the public key.
        seed: draws latencies; the n-th transaction has the same latency for the same seed.
        taker_latency_ms: least and most time between the answer and the match of an order that
            takes (premium tier, lighter.md §10: 140 to 200).
        sequencer_ms: the same for cancels and for orders that rest.
        nonce_lag_s: how long after its execution a transaction shows in ``nextNonce`` (§4.1).
        read_lag_s: how old orders, positions and balances of the REST API are.
        user_tier: what ``accountLimits`` says.
        idle_s: a client that sends nothing for that long loses its stream (§5).
        ping_s: how often the server asks a silent client for a pong, and how long it waits.
        stamp_late_s: by how much the stamps of funding payments miss the hour, by turns; X10's
            are 1 to 41 s late (x10.md §9), Lighter's are not documented.
        max_auth_s: the longest life of an auth token that is accepted.
    """

    verify_signatures: bool = True
    seed: int = 0
    taker_latency_ms: tuple[int, int] = (140, 200)
    sequencer_ms: int = 10
    nonce_lag_s: float = 0.3
    read_lag_s: float = 0.0
    user_tier: str = "premium"
    idle_s: float = 120.0
    ping_s: float = 60.0
    stamp_late_s: tuple[int, ...] = (0, 2, -1, 41)
    max_auth_s: int = 8 * 3600
