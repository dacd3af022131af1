"""
Whether the names of markets in the configuration name anything: asked once the venues answer.

A limit or a block under a name that no venue bears would be silently without effect. So nothing
is opened before the names were held against both lists, nor while one of them matches nothing.
Exits never ask.
"""

from collections.abc import Mapping

from loguru import logger

from hedger.config.marketnames import Configured, unmatched
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import ConfigError, VenueError
from hedger.ledger.store import Store
from hedger.ports import QuoteSource
from hedger.settings import Settings

REMEDY = "correct it and start again"
MEANWHILE = "nothing is opened until it is corrected and hedger is started again; exits go on"


class NameCheck:
    """Asks each venue for its markets once, and only where markets are named at all."""

    def __init__(
        self, settings: Settings, *, quotes: Mapping[VenueId, QuoteSource], store: Store
    ) -> None:
        self._venues = settings.venues.order
        self._configured = Configured(
            by_key={
                "trading.blocked_symbols": settings.trading.blocked_symbols,
                "risk.market_usd": tuple(settings.risk.market_usd),
            },
            spelt=settings.symbols.names,
        )
        self._quotes = quotes
        self._store = store
        self._lists: dict[VenueId, dict[Symbol, str]] = {}
        self._unread: VenueError | None = None
        self._told = False

    @property
    def wrong(self) -> list[str]:
        """A sentence for each name that provably matches nothing, as far as is known."""
        return unmatched(self._configured, self._venues, self._lists)

    def held_back(self) -> list[str]:
        """Why nothing may be opened; empty where every name was found."""
        if not self._configured:
            return []
        if wrong := self.wrong:
            return wrong
        if self._pending:
            waiting = " and ".join(self._pending)
            return [f"the configured names were not held against the markets of {waiting} yet"]
        return []

    async def look(self) -> None:
        """
        Ask what was not answered yet, and tell a person once of what matches nothing.

        A venue that does not answer now is asked again next time.
        """
        await self._ask()
        if (wrong := self.wrong) and not self._told:
            self._store.alert(f"{'; '.join(wrong)}: {MEANWHILE}")
            self._told = True

    async def _ask(self) -> None:
        for venue in self._pending:
            try:
                found = await self._quotes[venue].instruments()
            except VenueError as error:
                self._unread = error
                logger.warning("configured names are not checked yet: {}", error)
            else:
                self._lists[venue] = {symbol: each.name for symbol, each in found.items()}

    async def refuse(self) -> None:
        """
        Go on only where every name was found: before a person opens something.

        Raises:
            ConfigError: a name matches nothing.
            VenueError: a venue could not be asked for its markets.
        """
        await self._ask()
        if wrong := self.wrong:
            raise ConfigError(f"{'; '.join(wrong)}; {REMEDY}")
        if self._pending and self._unread is not None:
            raise self._unread

    async def at_start(self) -> None:
        """
        Refuse to begin where there is nothing to look after; else only hold openings back.

        Raises:
            ConfigError: a name matches nothing, and no hedge is live.
        """
        await self._ask()
        if (wrong := self.wrong) and not self._store.live():
            raise ConfigError(f"{'; '.join(wrong)}; {REMEDY}")
        await self.look()

    @property
    def _pending(self) -> list[VenueId]:
        if not self._configured:
            return []
        return [venue for venue in self._venues if venue not in self._lists]
