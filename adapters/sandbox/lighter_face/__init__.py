"""Lighter's wire over the sandbox engine: REST, WebSocket and signed transactions."""
