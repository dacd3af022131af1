"""``hedger fit``: the decay of spreads from a folder of recorded rows."""

from pathlib import Path

import click

from hedger.cli.output import say
from hedger.cli.queries import when


@click.command()
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    metavar="DIR",
    help="Folder with funding_pairs.csv, hourly_both_venues.csv or both funding_*.csv.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the model, for economics.decay_model; default: standard output.",
)
@click.option("--until", metavar="WHEN", help="Leave out rows from this instant on.")
def fit(*, folder: Path, out: Path | None, until: str | None) -> None:
    """
    Fit the decay of spreads on recorded rows.

    With --until, what came later can judge a model that has not seen it.
    """
    from hedger import decayfile

    model = decayfile.fitted(folder, until=when(until, "--until"))
    text = decayfile.as_json(model)
    if out is None:
        click.echo(text, nl=False)
    else:
        decayfile.save(model, out)
    kept = ", ".join(f"{k} h {model.form.share(k):.0%}" for k in (1, 4, 8, 24))
    say(
        f"{model.pairs} pairs of hours from {model.since:%Y-%m-%d} to {model.until:%Y-%m-%d}:"
        f" of a spread is left after {kept}"
    )
    if out is not None:
        say(f"written to {out}; name it as economics.decay_model")
