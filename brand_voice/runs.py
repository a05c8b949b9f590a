"""A training in a process of its own: started, looked at while it goes on, ended at any moment.

Not a thread: torch would take the interpreter from whoever answers a page, a step cannot be interrupted, and a thread
that computes keeps its process from ending. The child runs at low priority, is told what to do by a file, tells by
files how far it is and how it ended, and ends with the process that started it, even if that one is killed. A run that
is stopped leaves no adapter; its folder with `order.json`, `steps.jsonl`, `outcome.json` and `log.txt` stays.

`python -m brand_voice.runs FOLDER` is the child. What other processes train is not seen here.
"""

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from brand_voice.brand import load_brand
from brand_voice.context import Context, T
from brand_voice.distill import OnStep
from brand_voice.errors import BrandVoiceError, TrainingError
from brand_voice.loop import freeze, train, trained
from brand_voice.process import PYTHON, SupervisedProcess
from brand_voice.records import Record, now
from brand_voice.settings import Settings
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

ORDER, STEPS, OUTCOME, LOG = "order.json", "steps.jsonl", "outcome.json", "log.txt"
NICENESS = 10
"""The page, and whoever writes beside, go first."""


class Order(Record):
    """What to train."""

    workspace: str
    brand: str
    settings: Settings
    snapshot: str | None = None
    """None freezes what is approved now; where nothing changed that is the snapshot there is."""


class Step(Record):
    """How far a run is."""

    step: int
    steps: int
    loss: float | None
    """The latest training loss, nats per completion token."""
    seconds: float
    """Since the first step was done."""

    @property
    def seconds_left(self) -> float | None:
        """What is left at the speed so far; none before there is a speed."""
        return self.seconds / (self.step - 1) * (self.steps - self.step) if self.step > 1 else None


class Outcome(Record):
    """How a run ended: with an adapter, or with an error; with neither it was stopped."""

    adapter: str | None = None
    is_known: bool = False
    """Whether the adapter was there: trained on this snapshot, with these settings."""
    error: str = ""
    remedy: str = ""


class Run:
    """One training, under way or ended."""

    def __init__(self, order: Order) -> None:
        """Start it."""
        self.order = order
        self.folder = Path(order.workspace) / "runs" / f"{order.brand}@{now()[:10]}-{secrets.token_hex(4)}"
        self.folder.mkdir(parents=True)
        (self.folder / ORDER).write_text(order.model_dump_json(indent=2), encoding="utf-8")
        command = [*PYTHON, "-m", "brand_voice.runs", str(self.folder)]
        self._process = SupervisedProcess(command, env=os.environ, cwd=Path.cwd(), log=self.folder / LOG)
        self._is_stopped = False
        self._lock = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether it is under way."""
        return self._process.exit_code is None

    def steps(self) -> tuple[Step, ...]:
        """All steps so far."""
        path = self.folder / STEPS
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        return tuple(Step.model_validate_json(line) for line in text.splitlines(keepends=True) if line.endswith("\n"))

    def outcome(self) -> Outcome | None:
        """How it ended; None while it is under way."""
        if self.is_running:
            return None
        self._close()
        path = self.folder / OUTCOME
        if path.is_file():
            return Outcome.model_validate_json(path.read_bytes())
        if self._is_stopped:
            return Outcome()
        died = TrainingError(
            f"the training ended with code {self._process.exit_code}: {self._process.tail(1)}",
            remedy=f"read {self.folder / LOG}",
        )
        return Outcome(error=died.message, remedy=died.remedy)

    def stop(self) -> None:
        """End it, if it is under way, within seconds."""
        self._is_stopped = True
        self._close()

    def _close(self) -> None:
        with self._lock:
            self._process.stop()


def carry_out(folder: Path) -> None:
    """The child's work: train what the folder's order says, and tell in the folder how far it is and how it ended."""
    order = Order.model_validate_json((folder / ORDER).read_bytes())
    with (folder / STEPS).open("a", encoding="utf-8", buffering=1) as told:
        try:
            outcome = _trained(order, _Clerk(told).note)
        except BrandVoiceError as error:
            outcome = Outcome(error=error.message, remedy=error.remedy)
    partial = folder / f".{OUTCOME}"
    partial.write_text(outcome.model_dump_json(), encoding="utf-8")
    partial.rename(folder / OUTCOME)


class _Clerk:
    """Writes steps down, and when they came."""

    def __init__(self, told: TextIO) -> None:
        self._told = told
        self._first: float | None = None

    def note(self, step: int, steps: int, loss: float | None) -> None:
        """Write a step down."""
        at = time.monotonic()
        self._first = at if self._first is None else self._first
        done = Step(step=step, steps=steps, loss=loss, seconds=at - self._first)
        self._told.write(done.model_dump_json() + "\n")


def _trained(order: Order, on_step: OnStep) -> Outcome:
    """Freeze and train, unless just that was done before."""
    workspace = Workspace(Path(order.workspace))
    with Store.open(workspace.database) as store:
        folder = load_brand(order.brand, workspace.brands)
        context = Context(workspace, order.settings, folder, store, _untracked, print)
        name = order.snapshot or freeze(context).name
        known = trained(context, name)
        if known is not None:
            return Outcome(adapter=known.name, is_known=True)
        return Outcome(adapter=train(context, snapshot_name=name, on_step=on_step).name)


def _untracked(items: Iterable[T], _label: str, _total: int, /) -> Iterable[T]:
    return items


def _end(*_: object) -> None:
    """SIGTERM as an exception, so that what is half built is taken away."""
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    os.nice(NICENESS)
    carry_out(Path(sys.argv[1]))
