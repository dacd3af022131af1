"""X10 (Extended, Starknet) on the wire, over the sandbox engine (reference: x10.md)."""
