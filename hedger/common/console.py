"""
Standard error that never holds anybody up.

Whoever reads it may stop reading: a terminal is paused, a log shipper hangs. A write then waits
for as long as they do, and with it the loop, the exits and SIGTERM. So a thread writes, what
waits for it is bounded, and what does not fit is dropped, counted, and told when it flows again.
"""

import atexit
import io
import os
import sys
import threading
from collections import deque
from typing import Final

BYTES_MAX: Final = 1_000_000
FLUSH_S: Final = 0.05
LAST_S: Final = 0.5
PIECE_BYTES: Final = 65_536


class Console:
    """
    Writes to a file descriptor of its own, in a thread; ``write`` returns at once.

    A descriptor that cannot be written to any more is forgotten; nothing is raised for it.
    """

    def __init__(self, descriptor: int, *, most_bytes: int = BYTES_MAX) -> None:
        self._descriptor = os.dup(descriptor)  # whatever becomes of the other one
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = self._dropped = 0
        self._busy = self._stalled = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> None:
        """Queue a text; dropped where too much is waiting already."""
        data = text.encode("utf-8", errors="backslashreplace")
        with self._changed:
            if self._bytes + len(data) > self._most_bytes:
                self._dropped += 1
                return
            self._waiting.append(data)
            self._bytes += len(data)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._run, name="console", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """
        Wait until all is written; False after the time limit.

        Once somebody waited in vain, nobody waits again until something was taken.
        """
        with self._changed:
            if self._stalled:
                return False
            done = self._changed.wait_for(lambda: not self._bytes and not self._busy, timeout_s)
            self._stalled = not done
            return done

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting.popleft()
                self._busy = True
            self._put(data)
            with self._changed:
                self._bytes -= len(data)
                if self._dropped and not self._waiting:
                    told = f"hedger: {self._dropped} lines were dropped here, nobody read them\n"
                    self._dropped = 0
                    self._waiting.append(told.encode())
                    self._bytes += len(self._waiting[0])
                self._busy = self._stalled = False
                self._changed.notify_all()

    def _put(self, data: bytes) -> None:
        while data:
            try:
                written = os.write(self._descriptor, data[:PIECE_BYTES])
            except BlockingIOError:  # somebody else made it so; it is not ours to change
                threading.Event().wait(FLUSH_S)
                continue
            except OSError:
                return  # nobody will ever read it
            data = data[written:]


class Stream(io.TextIOBase):
    """A text stream in place of standard error, for whatever writes to one."""

    def __init__(self, descriptor: int) -> None:
        self.console = Console(descriptor)
        self._descriptor = descriptor

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def write(self, text: str, /) -> int:
        self.console.write(text)
        return len(text)

    def flush(self) -> None:
        """Wait a moment, so that what is written elsewhere comes after it."""
        self.console.drain(FLUSH_S)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor


def install() -> None:
    """Put such a stream in place of this process's standard error; at its end, wait a moment."""
    if isinstance(sys.stderr, Stream):
        return
    try:
        stream = Stream(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):
        return  # there is none, or it is closed
    sys.stderr = stream
    atexit.register(stream.console.drain, LAST_S)
