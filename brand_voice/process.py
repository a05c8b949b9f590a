"""A supervised child process that outlives nobody: it and its descendants end when this process ends, however it ends.

A model server starts children of its own (vLLM: an engine and a worker). A `finally` does not run when this process is
killed with SIGKILL, and Linux's parent-death signal reaches only the direct child. So the child is started through a
shell that leaves a watchdog in the child's process group: it reads a pipe whose other end only this process holds. End
of file means this process is gone, and the watchdog kills the whole group. It needs `/bin/sh` and nothing else.

It does not know what the child is.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from brand_voice.errors import ServeError

_WATCHED = 'exec 3<&0 0</dev/null; (trap "" TERM INT HUP; read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 & exec "$@" 3<&-'
PYTHON = (sys.executable, "-P")
"""An interpreter that takes no module from the folder where it is started: anybody's files may lie there."""
ERROR_LINE = re.compile(r"(?:^|\] )((?:\w+\.)*\w*(?:Error|Exception): .+)")
"""The end of a Python traceback, at the start of a line or behind a log line's prefix."""
MAX_LOG_BYTES = 256 * 1024
GRACE_S = 10.0
"""How long a child may take to end after SIGTERM."""


class SupervisedProcess:
    """A child in its own session, its output appended to a log file."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> None:
        """Start `command`.

        Args:
            command: program and arguments.
            env: the child's whole environment.
            cwd: its working directory.
            log: file its stdout and stderr are appended to.

        Raises:
            ServeError: the log cannot be written, or the system starts no process now.
        """
        self.log = log
        try:
            self._start(command, env, cwd)
        except OSError as exc:
            raise ServeError(
                f"the model server cannot be started: {exc}",
                remedy=f"see that {log} can be written, and that memory and processes are left",
            ) from exc

    def _start(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        watched, self._alive = os.pipe()
        try:
            with self.log.open("ab") as output:
                self._child = subprocess.Popen(
                    ["/bin/sh", "-c", _WATCHED, "sh", *command],
                    env=dict(env),
                    cwd=cwd,
                    stdin=watched,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except BaseException:
            os.close(self._alive)
            raise
        finally:
            os.close(watched)

    @property
    def pid(self) -> int:
        """Process id of the child, and of its process group."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """The child's exit code, negative for a signal; `None` while it runs."""
        return self._child.poll()

    def exits_within(self, seconds: float) -> bool:
        """Wait for the child to end, at most `seconds`."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def tail(self, lines: int) -> str:
        """The first error of a Python child, then its last lines: the last error is often a consequence."""
        printed = self._printed().splitlines()
        errors = [match.group(1) for match in map(ERROR_LINE.search, printed) if match]
        return "\n".join([*errors[:1], *printed[-lines:]])

    def _printed(self) -> str:
        with self.log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(self._log_start, size - MAX_LOG_BYTES))
            return stream.read().decode(errors="replace")

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End the child and every descendant: SIGTERM, after `grace_s` SIGKILL. Does nothing the second time."""
        if self._alive < 0:
            return
        try:
            if self.exit_code is None:
                self._signal(signal.SIGTERM)
                self.exits_within(grace_s)
        finally:
            self._signal(signal.SIGKILL)
            self._child.wait()
            os.close(self._alive)
            self._alive = -1

    def _signal(self, number: signal.Signals) -> None:
        """Signal the whole group; the watchdog stays in it until SIGKILL, so that its id cannot be another's."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return
