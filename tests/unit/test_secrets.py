"""Keys come from the environment or an owner-only file, and from nowhere else."""

import json
from pathlib import Path

import pytest

from hedger import log, secrets
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError
from hedger.home import Home

X10, LIGHTER = VenueId("x10"), VenueId("lighter")
VENUES = (X10, LIGHTER)
KEY = "0x0012" + "ab" * 30


def a_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_venue_without_secrets_has_none(tmp_path: Path) -> None:
    assert secrets.load(Home(tmp_path), {}, VENUES) == {X10: {}, LIGHTER: {}}


def test_variables_are_taken_by_venue_and_removed_from_the_environment(tmp_path: Path) -> None:
    environ = {
        "HEDGER_X10_API_KEY": "abc",
        "HEDGER_LIGHTER_PRIVATE_KEY_5": KEY,
        "HEDGER_HOME": "/elsewhere",
        "PATH": "/bin",
    }

    found = secrets.load(Home(tmp_path), environ, VENUES)

    assert found == {X10: {"api_key": "abc"}, LIGHTER: {"private_key_5": KEY}}
    assert environ == {"HEDGER_HOME": "/elsewhere", "PATH": "/bin"}


def test_the_file_in_the_state_directory_is_read(tmp_path: Path) -> None:
    a_file(tmp_path / "secrets.yaml", f"x10:\n  api_key: abc\n  private_key: {KEY}\n")

    found = secrets.load(Home(tmp_path), {}, VENUES)

    assert found[X10] == {"api_key": "abc", "private_key": KEY}


def test_a_key_is_text_even_where_yaml_would_read_a_number(tmp_path: Path) -> None:
    a_file(tmp_path / "secrets.yaml", "lighter:\n  private_key_5: 0x0012\n  private_key_6: 0012\n")

    found = secrets.load(Home(tmp_path), {}, VENUES)

    assert found[LIGHTER] == {"private_key_5": "0x0012", "private_key_6": "0012"}


def test_a_named_json_file_is_read_and_a_variable_wins_over_it(tmp_path: Path) -> None:
    path = a_file(tmp_path / "keys", json.dumps({"x10": {"api_key": "old", "private_key": KEY}}))
    environ = {"HEDGER_SECRETS_FILE": str(path), "HEDGER_X10_API_KEY": "new"}

    found = secrets.load(Home(tmp_path / "home"), environ, VENUES)

    assert found[X10] == {"api_key": "new", "private_key": KEY}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = a_file(tmp_path / "secrets.yaml", "x10: {api_key: abc}", mode)

    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        secrets.load(Home(tmp_path), {}, VENUES)


def test_a_file_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    a_file(tmp_path / "secrets.yaml", "x10: {api_key: abc}")
    tmp_path.chmod(0o777)

    with pytest.raises(ConfigError, match=f"chmod 700 {tmp_path}"):
        secrets.load(Home(tmp_path), {}, VENUES)


def test_a_named_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    environ = {"HEDGER_SECRETS_FILE": str(tmp_path / "none")}

    with pytest.raises(ConfigError, match=r"cannot be read .*HEDGER_SECRETS_FILE"):
        secrets.load(Home(tmp_path), environ, VENUES)


@pytest.mark.parametrize("text", ["x10: [unclosed 0xCANARY", "x10: 0xCANARY", "- 0xCANARY", ""])
def test_a_file_of_another_form_is_told_without_quoting_it(tmp_path: Path, text: str) -> None:
    a_file(tmp_path / "secrets.yaml", text)

    with pytest.raises(ConfigError) as caught:
        secrets.load(Home(tmp_path), {}, VENUES)

    assert "secrets.yaml" in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_printing_secrets_shows_names_only(tmp_path: Path) -> None:
    found = secrets.load(Home(tmp_path), {"HEDGER_X10_API_KEY": "canary"}, VENUES)

    assert str(found[X10]) == repr(found[X10]) == "Secrets(api_key)"
    assert "canary" not in f"{found}"


def test_what_was_read_is_masked_in_the_log_from_then_on(tmp_path: Path) -> None:
    secrets.load(Home(tmp_path), {"HEDGER_X10_API_KEY": "canary-of-the-desk"}, VENUES)

    assert log.redact("denied: canary-of-the-desk") == "denied: ***"
