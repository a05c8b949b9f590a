"""Process groups, looked at from outside."""

import os

import psutil


def living(group: int) -> list[psutil.Process]:
    """Processes of a group that run; a zombie does not."""
    found = [p for p in psutil.process_iter(["status"]) if p.info["status"] != psutil.STATUS_ZOMBIE]
    return [p for p in found if _group(p.pid) == group]


def wait_until_gone(group: int) -> None:
    """Return when no process of the group runs: after SIGKILL that takes the kernel a moment."""
    while living(group):
        continue


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
