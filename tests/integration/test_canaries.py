"""
Keys of a real environment, looked for wherever text leaves the process.

The daemon runs as on a testnet, with its keys in the environment; the venues behind it are the
sandbox's, so that they can say a key back, as a careless error message would.
"""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.registry import Access, factory
from hedger import app, control, settings
from hedger.cli.exit_codes import ExitCode
from hedger.common import masking
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError, HedgerError
from hedger.home import Home
from tests.integration.test_daemon import LONGEST_S, READY_S, STOP_S, Desk, desk, wait_until

__all__ = ["desk"]

HEDGER = (sys.executable, "-m", "hedger")


class Testnet:
    """A state directory of environment testnet, with keys that only it knows."""

    __test__ = False

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.home = Home(folder / "testnet")
        self.config = folder / "testnet.yaml"
        line = app.sandbox_status(desk.home)
        assert line is not None
        data = yaml.safe_load(desk.config.read_text(encoding="utf-8"))
        del data["sandbox"]
        data["environment"] = "testnet"
        access = {v: factory(VenueId(v)).sandbox(line, "none") for v in ("x10", "lighter")}
        options = {v: dict(access[v].options) for v in access}
        data["venues"] = {"order": list(access), "options": options}
        data["trading"]["manage_leverage"] = False
        self.config.write_text(yaml.safe_dump(data), encoding="utf-8")
        self.secrets = [key for one in access.values() for key in one.secrets.values()]
        self.environ = _variables(access) | {"HEDGER_HOME": str(self.home.root)}

    @contextmanager
    def daemon(self) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            [*HEDGER, "run", "--config", str(self.config), "--verbose"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environ},
        )
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        try:
            wait_until(self._is_ready)
            yield process
        finally:
            guard.cancel()
            process.kill()
            process.wait()

    def _is_ready(self) -> bool:
        log = self.home.log
        return log.exists() and "ready: trading" in log.read_text(encoding="utf-8")

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Of a user whose shell knows no keys: served by the daemon, or from the ledger."""
        return subprocess.run(
            [*HEDGER, *words, "--config", str(self.config)],
            env={**os.environ, "HEDGER_HOME": str(self.home.root)},
            capture_output=True,
            text=True,
            timeout=READY_S,
            check=False,
        )


def _variables(access: Mapping[str, Access]) -> dict[str, str]:
    return {
        f"HEDGER_{venue}_{name}".upper(): key
        for venue, one in access.items()
        for name, key in one.secrets.items()
    }


@pytest.fixture(scope="module")
def testnet(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Testnet:
    assert desk.run("scan").code == ExitCode.DONE
    return Testnet(desk, tmp_path_factory.mktemp("canaries"))


def forms(key: str) -> list[str]:
    """Everything that a key is recognised by, in lower case."""
    bare = key.lower().removeprefix("0x")
    found = [bare, base64.b64encode(key.encode()).decode().lower().rstrip("=")]
    if all(letter in "0123456789abcdef" for letter in bare):
        octets = bytes.fromhex(bare.zfill(len(bare) + len(bare) % 2))
        found += [str(int(bare, 16)), base64.b64encode(octets).decode().lower().rstrip("=")]
    return found


def found_in(text: str, keys: list[str]) -> list[str]:
    """Any twenty characters of any form of any key."""
    text = text.lower()
    return [
        form[:6]
        for key in keys
        for form in forms(key)
        for at in range(max(1, len(form) - 19))
        if form[at : at + 20] in text
    ]


def spoken(keys: list[str]) -> Iterator[str]:
    """What a careless error message says, each short enough not to be cut away."""
    for key in keys:
        said = [form[:120] for form in (*forms(key), key[:60], "0x000" + key.removeprefix("0x"))]
        for at in range(0, len(said), 2):
            yield f"no such key {' or '.join(said[at : at + 2])}"


async def opened(home: Home) -> list[str]:
    """What ``hedger open`` is told, as it comes over the socket."""
    told: list[str] = []
    try:
        row = await control.call(
            home.control_socket,
            "open",
            {"symbol": "ETH", "usd": "100"},
            told.append,
            environment="testnet",
        )
    except HedgerError as error:
        return [*told, str(error)]
    return [*told, json.dumps(row)]


def test_security_f7_keys_are_in_no_place_where_text_leaves_the_process(
    desk: Desk, testnet: Testnet
) -> None:
    keys = testnet.secrets
    with testnet.daemon() as daemon:
        if sys.platform.startswith("linux"):
            block = Path(f"/proc/{daemon.pid}/environ").read_bytes()
            assert b"HEDGER_X10_API_KEY" in block  # it is the block that they came in
            assert found_in(block.decode(), keys) == []
            listed = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True)
            assert f"{daemon.pid}" in listed.stdout
            assert found_in(listed.stdout, keys) == []
        said: list[str] = []
        for text in spoken(keys):
            body = json.dumps({"error": {"code": 1100, "message": text}})
            desk.control(
                "POST",
                "/rewrites",
                {"venue": "x10", "path": "/user/order$", "status": 400, "body": body},
            )
            said += asyncio.run(opened(testnet.home))
            desk.control("DELETE", "/rewrites")
        shown = testnet.command("open", "ETH", "--usd", "100")
        said += [shown.stdout, shown.stderr]
        replies = testnet.command("reconcile")
        said += [replies.stdout, replies.stderr]
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate(timeout=STOP_S)

    assert masking.MASK in "".join(said)
    for kind in ("events", "orders", "hedges", "decisions"):
        said.append(testnet.command("audit", kind, "--format", "json").stdout)
    said += [testnet.command("status").stdout, err]
    assert "1100" in said[-6]  # the refusals are kept
    for text in said:
        assert found_in(text, keys) == []
    for file in testnet.home.root.iterdir():
        if file.is_file():
            assert found_in(file.read_bytes().decode("latin-1"), keys) == [], file.name


def test_security_f7_the_memory_of_a_process_with_keys_is_closed() -> None:
    if not sys.platform.startswith("linux"):
        return
    script = (
        "import ctypes\nfrom hedger import secrets\nassert secrets.close_memory()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"


def test_security_f7_a_sandbox_takes_the_keys_of_the_shell_out_of_its_environment(
    desk: Desk,
) -> None:
    key = "0x" + "5b3f9a17" * 10
    process = subprocess.Popen(
        [*HEDGER, "run", "--config", str(desk.config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HEDGER_LIGHTER_PRIVATE_KEY_2": key},
    )
    try:
        wait_until(desk.home.control_socket.exists)
        if sys.platform.startswith("linux"):
            block = Path(f"/proc/{process.pid}/environ").read_text(encoding="utf-8")
            assert found_in(block, [key]) == []
    finally:
        process.terminate()
        assert process.wait(STOP_S) == ExitCode.DONE


@pytest.mark.parametrize(
    "section",
    [
        {"alerts": {"url": ["https://hooks.example/T000/canary-token-1234"]}},
        {"alerts": {"url": "ftp://hooks.example/T000/canary-token-1234"}},
        {"alerts": {"command": "notify --token canary-token-1234"}},
        {"alerts": {"timeout_s": "canary-token-1234"}},
        {"venues": {"order": ["x10", "lighter"], "options": {"x10": ["canary-token-1234"]}}},
        {"venues": {"order": ["x10", "lighter"], "options": "canary-token-1234"}},
    ],
)
def test_security_f7_a_wrong_section_of_secrets_is_named_and_not_shown(
    section: Mapping[str, Any],
) -> None:
    with pytest.raises(ConfigError) as told:
        settings.parse(
            {"environment": "sandbox", "account": {"dedicated": True}, **section}, "hedger.yaml"
        )

    assert "canary" not in str(told.value)
    assert next(iter(section)) in str(told.value)


async def test_security_f7_what_a_command_is_told_is_masked(tmp_path: Path) -> None:
    key = "0x" + "7e19c04d" * 8
    masking.hide([key])

    async def handler(_args: Mapping[str, Any], progress: control.Progress) -> Mapping[str, Any]:
        progress(f"signed with {int(key, 16)}")
        return {"rows": [{"why": [key[2:40], {"deep": key.upper()}]}], "count": 3}

    said: list[str] = []
    path = tmp_path / "control.sock"
    async with control.ControlServer(path, {"tell": handler}, environment="sandbox"):
        result = await control.call(path, "tell", {}, said.append, environment="sandbox")

    assert result == {"rows": [{"why": ["***", {"deep": "***"}]}], "count": 3}
    assert said == ["signed with ***"]
