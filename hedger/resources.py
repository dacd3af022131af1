"""Where the files beside the code are: top-level folders in a checkout, packaged in a wheel."""

from pathlib import Path

from hedger.errors import StateError

PACKAGE = Path(__file__).resolve().parent


def migrations() -> Path:
    """
    The folder of the database migrations.

    Raises:
        StateError: the installation is incomplete.
    """
    return _folder("migrations", holding="env.py")


def config() -> Path:
    """
    The folder of the configurations that come with the program.

    Raises:
        StateError: the installation is incomplete.
    """
    return _folder("config", holding="sandbox.yaml")


def _folder(name: str, *, holding: str) -> Path:
    places = (PACKAGE / f"_{name}", PACKAGE.parent / name)
    for place in places:
        if (place / holding).is_file():
            return place
    raise StateError(
        f"{holding} is neither in {places[0]} nor in {places[1]}; install hedger again"
    )
