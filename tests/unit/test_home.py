"""One state directory, owner-only, for one environment and one writer."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hedger.errors import LockedError, StateError
from hedger.home import Home

HOLD = """
import sys
from pathlib import Path
from hedger.home import Home

with Home(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_directory_is_the_one_that_is_named(tmp_path: Path) -> None:
    home = Home.locate("sandbox", {"HEDGER_HOME": str(tmp_path / "state")})

    assert home.root == tmp_path / "state"
    assert not home.root.exists()


def test_without_a_name_each_environment_has_its_own() -> None:
    sandbox, mainnet = Home.locate("sandbox", {}), Home.locate("mainnet", {"HEDGER_HOME": ""})

    assert sandbox.root.parent == mainnet.root.parent
    assert (sandbox.root.name, mainnet.root.name) == ("sandbox", "mainnet")


def test_what_is_made_is_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "state")

    home.prepare("sandbox")
    home.ledger.touch()

    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.ledger.stat().st_mode) == 0o600


def test_a_directory_that_others_can_write_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)

    with pytest.raises(StateError, match=f"chmod 700 {tmp_path}"):
        Home(tmp_path).prepare("sandbox")


def test_a_path_that_is_a_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateError, match="name another one with HEDGER_HOME"):
        Home(tmp_path / "file").prepare("sandbox")


def test_s17_a_directory_of_the_sandbox_is_refused_for_mainnet(tmp_path: Path) -> None:
    Home(tmp_path / "state").prepare("sandbox")

    with pytest.raises(StateError, match="belongs to environment sandbox"):
        Home(tmp_path / "state").prepare("mainnet")


def test_s20_a_second_writer_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"

        with pytest.raises(LockedError, match=f"process {first.pid} is working") as caught:
            home.locked().__enter__()

        assert caught.value.exit_code == 75
        assert home.holder() == first.pid
        first.kill()
        first.wait(timeout=10)

    with home.locked():
        assert home.holder() == os.getpid()
    assert home.holder() is None


def test_nobody_holds_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert Home(tmp_path / "none").holder() is None
