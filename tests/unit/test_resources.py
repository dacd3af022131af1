"""Files beside the code are found wherever the code is."""

import shutil
import subprocess
import sys
from pathlib import Path

from hedger import resources

ASK = "from hedger import resources; print(resources.migrations()); print(resources.config())"


def test_a_checkout_uses_its_top_level_folder() -> None:
    assert resources.migrations() == Path(resources.__file__).parents[1] / "migrations"


def test_an_installed_package_uses_what_was_packed_into_it(tmp_path: Path) -> None:
    package = tmp_path / "hedger"
    for folder, file in (("_migrations", "env.py"), ("_config", "sandbox.yaml")):
        (package / folder).mkdir(parents=True)
        (package / folder / file).touch()
    for name in ("__init__.py", "resources.py", "errors.py"):
        shutil.copy(Path(resources.__file__).with_name(name), package)
    shutil.copytree(Path(resources.__file__).with_name("common"), package / "common")
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(package / "_migrations"), str(package / "_config")]


def test_an_incomplete_installation_is_said_in_one_sentence(tmp_path: Path) -> None:
    package = tmp_path / "hedger"
    package.mkdir()
    for name in ("__init__.py", "resources.py", "errors.py"):
        shutil.copy(Path(resources.__file__).with_name(name), package)
    shutil.copytree(Path(resources.__file__).with_name("common"), package / "common")
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "install hedger again" in done.stderr
