"""Threads that nobody waits for: the process may end while they work.

An executor's threads are joined when the interpreter exits; a server that never answers would hold up Ctrl-C.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

R = TypeVar("R")
_Task = tuple[Callable[[], Any], Future[Any]]


def begun(act: Callable[[], R], name: str) -> Future[R]:
    """Do something in a thread of its own."""
    future: Future[R] = Future()
    threading.Thread(target=_done, args=(act, future), name=name, daemon=True).start()
    return future


class Crew:
    """At most `size` threads that take one task after the other; for the thread that made it."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()

    def submit(self, act: Callable[[], R]) -> Future[R]:
        """Do something as soon as a thread is free; what is cancelled before is never begun."""
        future: Future[R] = Future()
        self._tasks.put((act, future))
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._size:
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        """Begin nothing more; what is under way goes on, and nobody waits for it."""
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is not None:
                task[1].cancel()
        for _thread in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            _done(*task)
            del task  # an idle thread must keep nothing of the last one alive
            self._idle.release()


def _done(act: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(act())
    except BaseException as exc:  # noqa: BLE001  a bug must surface where the result is wanted
        future.set_exception(exc)
