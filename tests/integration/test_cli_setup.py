"""What bin/ says when something that it needs is missing: one sentence with the remedy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = [
    "sh",
    "dirname",
    "cat",
    "cmp",
    "mkdir",
    "rm",
    "mv",
    "sleep",
    "awk",
    "df",
    "grep",
    "cut",
    "cp",
]
SETUP_S = 60


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that the set-up reads, in a folder with a space in its name."""
    folder = tmp_path / "a checkout"
    (folder / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "bin" / "setup", folder / "bin")
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with everything but Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def an_interpreter(folder: Path, name: str, findings: str) -> None:
    """A program of that name which the set-up finds to be ``findings``."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{findings}\n", encoding="utf-8")
    path.chmod(0o755)


def set_up(checkout: Path, path: Path, **environ: str) -> tuple[int, str]:
    done = subprocess.run(
        [checkout / "bin" / "setup"],
        env={"PATH": str(path), **environ},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=SETUP_S,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def the_refusal(checkout: Path, path: Path, **environ: str) -> str:
    code, err = set_up(checkout, path, **environ)
    assert code == 1
    assert err.count("\n") == 1
    assert not (checkout / ".venv").exists()
    assert not (checkout / ".venv.turn").exists()
    return err


def test_no_python_at_all_is_told(checkout: Path, tools: Path) -> None:
    text = the_refusal(checkout, tools)

    assert "CPython 3.11, 3.12 or 3.13 is needed and none is on PATH: install one" in text


def test_a_python_that_is_too_old_is_told_with_its_version(checkout: Path, tools: Path) -> None:
    an_interpreter(tools, "python3", "echo old CPython 3.9.18")

    text = the_refusal(checkout, tools)

    assert f"but {tools}/python3 is CPython 3.9.18: install one" in text


def test_a_python_without_the_venv_module_is_told_with_its_package(
    checkout: Path, tools: Path
) -> None:
    an_interpreter(tools, "python3.12", "echo novenv CPython 3.12.4")
    an_interpreter(tools, "python3.13", "exit 127")

    text = the_refusal(checkout, tools)

    assert f"{tools}/python3.12 has no venv module" in text
    assert "apt install python3.12-venv" in text


def test_an_interpreter_that_was_named_and_does_not_run_is_not_replaced_by_another(
    checkout: Path, tools: Path
) -> None:
    (tools / "python3").symlink_to(sys.executable)

    text = the_refusal(checkout, tools, HEDGER_PYTHON="/no/such/python")

    assert "HEDGER_PYTHON=/no/such/python does not run" in text


def test_a_full_disk_is_told_before_anything_is_made(checkout: Path, tools: Path) -> None:
    (tools / "python3").symlink_to(sys.executable)
    (tools / "df").unlink()
    an_interpreter(tools, "df", "printf 'F B U A C M\\n/dev/x 9 9 1024 9 /\\n'")

    assert "free at least 600 MB" in the_refusal(checkout, tools)


def test_an_index_that_cannot_be_reached_is_told_and_leaves_nothing_half_made(
    checkout: Path, tools: Path
) -> None:
    (tools / "python3").symlink_to(os.path.realpath(sys.executable))

    code, err = set_up(
        checkout, tools, PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL="http://127.0.0.1:9/simple"
    )

    assert code == 1
    first, second = err.splitlines()
    assert "setting up .venv with CPython 3." in first
    assert "the package index cannot be reached" in second
    assert "PIP_INDEX_URL" in second
    assert not (checkout / ".venv").exists()


def finish(checkout: Path) -> None:
    """Leave behind what a completed set-up leaves."""
    stamp = checkout / ".venv" / "hedger-setup"
    stamp.mkdir(parents=True)
    (checkout / ".venv" / "bin").mkdir()
    an_interpreter(checkout / ".venv" / "bin", "python", "exit 1")
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(checkout / name, stamp)
    (stamp / "root").write_text(f"{checkout}\n", encoding="utf-8")


def test_a_finished_set_up_is_recognised_without_python(checkout: Path, tools: Path) -> None:
    finish(checkout)

    assert set_up(checkout, tools) == (0, "")


def test_a_set_up_that_was_moved_is_made_again(checkout: Path, tools: Path) -> None:
    finish(checkout)
    moved = checkout.rename(checkout.with_name("moved"))

    code, err = set_up(moved, tools)

    assert code == 1
    assert "CPython 3.11, 3.12 or 3.13 is needed" in err


def test_the_turn_of_a_set_up_that_died_is_taken_over(checkout: Path, tools: Path) -> None:
    with subprocess.Popen(["/bin/sh", "-c", "exit 0"]) as gone:
        pass
    (checkout / ".venv.turn").mkdir()
    (checkout / ".venv.turn" / "pid").write_text(f"{gone.pid}\n", encoding="utf-8")

    the_refusal(checkout, tools)
