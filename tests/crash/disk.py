"""
A daemon on a disk that becomes full: no new risk, exits go on, one clear sentence (S56).

The state directory is a small tmpfs, mounted in a user and mount namespace of our own, so that
no right of the system is needed and nothing is left behind.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from hedger.ledger import room
from tests.crash import scenes
from tests.crash.rig import Rig, Wrong

DISK_BYTES = 96 * 1024 * 1024


async def full(folder: Path) -> str:
    """Run the trial in a namespace of its own; what it found, in one line."""
    folder.mkdir(parents=True)
    command = (
        f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$1" && exec "$2" -m tests.crash.disk "$1"'
    )
    trial = await asyncio.create_subprocess_exec(
        *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command),
        *("disk", str(folder), sys.executable),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await trial.communicate()
    if trial.returncode != 0:
        raise Wrong(f"disk full: {(out + err).decode(errors='replace')[-800:]}")
    return out.decode().strip()


async def trial(folder: Path) -> str:
    """Open, fill the disk, be refused, close; make room, open again."""
    rig = Rig(folder / "rig")
    ballast = folder / "ballast"
    await rig.begin()
    try:
        rig.start()
        await rig.ready()
        hedge = await _opened(rig, "ETH")
        _fill(ballast)
        await asyncio.sleep(8)  # the jobs go on writing
        refused = await rig.told("open", symbol="SOL", usd=scenes.USD)
        if "is full" not in refused:
            raise Wrong(f"a full disk did not refuse new risk: {refused}")
        began_s = time.monotonic()
        closed = await rig.ask("close", hedge=hedge)
        if closed is None or closed["state"] != "closed":
            raise Wrong(f"a full disk held up an exit: {closed}; {rig.tail()}")
        took_s = time.monotonic() - began_s
        await rig.compare(flat=True)
        ballast.unlink()
        await asyncio.sleep(8)
        await _opened(rig, "SOL")
        await rig.ask("rollback", all=True)
        await rig.at_rest()
        await rig.compare(flat=True)
        await rig.stop()
    finally:
        await rig.end()
    return f'disk full: refused with "{refused}"; an exit took {took_s:.1f} s; then it opens again'


async def _opened(rig: Rig, symbol: str) -> str:
    row = await rig.ask("open", symbol=symbol, usd=scenes.USD)
    if row is None or row["state"] != "open":
        raise Wrong(f"{symbol} was not opened: {row}; {rig.tail()}")
    return str(row["hedge"])


def _fill(ballast: Path) -> None:
    """Leave nothing free but what the daemon keeps for itself."""
    with ballast.open("wb", buffering=0) as file:
        while room.free_bytes(ballast.parent) > 0:
            try:
                file.write(b"\0" * 4096)
            except OSError:
                return


if __name__ == "__main__":
    print(asyncio.run(trial(Path(sys.argv[1]))))
