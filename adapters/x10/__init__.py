"""X10 (Extended, Starknet): quotes without a key, and one account through the official SDK."""
