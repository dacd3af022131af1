"""The real daemon beside the real sandbox, killed, frozen, stopped and starved (`bin/crash`)."""
