"""The gate before real money: one answer for every command, connection and crash point."""

from hedger.config import networks
from hedger.settings import Settings


def real_money(settings: Settings) -> bool:
    """
    Whether these settings trade real money, by their word and by what their options name.

    Raises:
        ConfigError: word, chains and hosts contradict each other, an address is not encrypted,
            or there is no such venue.
    """
    from adapters import registry

    options = settings.venues.options
    signs = {
        venue: registry.factory(venue).signs(options.get(venue, {}))
        for venue in settings.venues.order
    }
    return networks.real_money(settings.environment, signs)
