"""The migrations, the copies before them, and files that cannot be used."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from hedger import resources
from hedger.errors import StateError
from hedger.ledger import account_tables, sqlite, tables  # noqa: F401 - they fill the metadata
from hedger.ledger.columns import metadata
from hedger.ledger.copies import DAYS, MIN_AGE, NEWEST
from hedger.ledger.damage import copies as backups
from hedger.ledger.migrate import upgrade
from hedger.ledger.records import REVISION
from hedger.ledger.store import open_store
from tests.unit.ledger.build import StepClock, a_hedge, a_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@contextlib.contextmanager
def alembic(path: Path) -> Iterator[Config]:
    engine = sqlite.engine(path, foreign_keys=False)
    try:
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(resources.migrations()))
            config.attributes["connection"] = connection
            yield config
    finally:
        engine.dispose()


def schema(path: Path) -> set[tuple[str, str, frozenset[str]]]:
    """Every table and index with the parts of its definition, in any order."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL")
        return {
            (kind, name, frozenset(part.strip(" ,\n\t()") for part in sql.split("\n")))
            for kind, name, quoted in found
            for sql in [quoted.replace('"', "")]  # SQLite quotes a table that was built anew
            if name != "alembic_version"
        }


def set_revision(path: Path, revision: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])


def test_the_migrations_build_exactly_the_schema_that_the_code_declares(path: Path) -> None:
    upgrade(path, StepClock())

    with alembic(path) as config:
        command.check(config)  # raises when autogenerate would still find something to do
    # autogenerate does not look at the conditions of partial indexes: compare the statements
    declared = path.with_name("declared.db")
    engine = sa.create_engine(f"sqlite:///{declared}")
    try:
        metadata.create_all(engine)
    finally:
        engine.dispose()
    assert schema(path) == schema(declared)


def test_the_migrations_can_be_taken_back(path: Path) -> None:
    upgrade(path, StepClock())
    with alembic(path) as config:
        command.downgrade(config, "base")
    assert schema(path) == set()


def test_the_code_names_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(resources.migrations()))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_a_new_ledger_is_made_without_a_backup_and_for_the_owner_alone(path: Path) -> None:
    done = upgrade(path, StepClock())
    assert (done.before, done.after, done.backup) == (None, REVISION, None)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_existing_ledger_is_copied_before_it_is_touched(tmp_path: Path, path: Path) -> None:
    with a_store(tmp_path) as store:
        store.plan(a_hedge())

        done = upgrade(path, StepClock())  # the copy holds what the log has not given back yet

        assert done.backup is not None
    assert done.backup.stat().st_mode & 0o777 == 0o600
    with open_store(done.backup, StepClock(), readonly=True) as copy:
        assert [hedge.id for hedge in copy.live()] == ["eth-1"]


def test_restarting_often_does_not_push_out_the_good_copies(path: Path) -> None:
    clock = StepClock()
    upgrade(path, clock)
    assert upgrade(path, clock).backup is not None
    assert upgrade(path, clock).backup is None
    clock.at += MIN_AGE
    assert upgrade(path, clock).backup is not None


def test_only_the_newest_copies_and_one_of_each_day_are_kept(path: Path) -> None:
    clock = StepClock()
    upgrade(path, clock)
    made = []
    for _ in range(24 * (DAYS + 2)):
        made.append(upgrade(path, clock).backup)
        clock.at += MIN_AGE
    kept = backups(path)
    assert len(kept) == NEWEST + DAYS
    assert kept[-NEWEST:] == made[-NEWEST:]
    assert len({copy.name[10:18] for copy in kept[:-NEWEST]}) == DAYS  # one of each day


def test_a_ledger_newer_than_the_program_is_refused_in_one_sentence(path: Path) -> None:
    upgrade(path, StepClock())
    set_revision(path, "0999")

    sentence = (
        f"was written by a newer version of hedger .schema 0999, this program knows {REVISION}."
    )
    with pytest.raises(StateError, match=sentence):
        upgrade(path, StepClock())
    with pytest.raises(StateError, match=sentence):
        open_store(path, StepClock())
    assert backups(path) == []


def test_a_ledger_that_is_not_there_names_the_remedy(path: Path) -> None:
    with pytest.raises(StateError, match=r"there is no ledger at .*run `hedger db upgrade`"):
        open_store(path, StepClock(), readonly=True)
    assert not path.exists()


def test_a_ledger_without_a_schema_names_the_remedy(path: Path) -> None:
    path.touch()
    with pytest.raises(StateError, match=r"older schema \(none.*run `hedger db upgrade`"):
        open_store(path, StepClock())


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is not a database at all" * 200)
    before = path.read_bytes()
    with pytest.raises(StateError, match="is not a ledger"):
        upgrade(path, StepClock())
    assert path.read_bytes() == before


def test_a_damaged_ledger_is_refused(tmp_path: Path, path: Path) -> None:
    with a_store(tmp_path) as store:
        for number in range(200):
            store.set_meta(f"key{number}", "x" * 400)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 3 * 4096)
        file.write(b"\x07" * 3 * 4096)
    with pytest.raises(StateError, match="is damaged"):
        upgrade(path, StepClock())


def test_a_migration_that_fails_half_way_leaves_the_file_as_it_was(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alerts (x)")  # what the migration makes last
    before = schema(path)

    with pytest.raises(StateError, match="table alerts already exists"):
        upgrade(path, StepClock())

    assert schema(path) == before
    assert sqlite.revision(path) is None
    assert len(backups(path)) == 1


def test_a_path_with_strange_characters_works(tmp_path: Path) -> None:
    folder = tmp_path / "50% #1 ?é"
    folder.mkdir()
    with a_store(folder) as store:
        store.plan(a_hedge())
    assert upgrade(folder / "ledger.db", StepClock()).backup is not None
