"""Trainings in a process of their own: a real one of the tiny student, and the ways in which one ends."""

import os
import signal
from pathlib import Path

import pytest
from processes import wait_until_gone
from shelf import review_texts

from brand_voice.brand import BrandFolder
from brand_voice.registry import adapters
from brand_voice.runs import Order, Outcome, Run
from brand_voice.settings import Settings, TrainingSettings
from brand_voice.snapshot import manifests
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

PATIENCE_S = 300


def order(workspace: Workspace, base: Path) -> Order:
    training = TrainingSettings(max_steps=6, batch_size=4, max_length=900)
    settings = Settings(student=str(base), training=training)
    return Order(workspace=str(workspace.root), brand="tidewater", settings=settings)


@pytest.fixture
def workspace(tmp_path: Path, tidewater: BrandFolder) -> Workspace:
    """A workspace with approved copy."""
    made = Workspace(tmp_path)
    with Store.open(made.database) as store:
        review_texts(store, tidewater, None, approved=24)
    return made


def ended(run: Run) -> Outcome:
    assert run._process.exits_within(PATIENCE_S)
    outcome = run.outcome()
    assert outcome is not None
    return outcome


def test_a_run_freezes_trains_and_tells_every_step(workspace: Workspace, base: Path) -> None:
    run = Run(order(workspace, base))
    assert run.outcome() is None
    outcome = ended(run)
    [manifest] = adapters(workspace.adapters, "tidewater")
    assert outcome == Outcome(adapter=manifest.name)
    assert [m.name for m in manifests(workspace.snapshots, "tidewater")] == [manifest.snapshot]
    steps = run.steps()
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert {step.steps for step in steps} == {6}
    assert steps[-1].loss is not None
    assert (steps[0].seconds_left, steps[-1].seconds_left) == (None, 0)


def test_a_run_that_is_stopped_leaves_no_adapter_and_no_process(workspace: Workspace, base: Path) -> None:
    run = Run(order(workspace, base))
    run.stop()
    wait_until_gone(run._process.pid)
    assert run.outcome() == Outcome()
    assert adapters(workspace.adapters) == []


def test_what_keeps_a_run_from_training_is_told_with_its_remedy(tmp_path: Path, base: Path) -> None:
    outcome = ended(Run(order(Workspace(tmp_path), base)))
    assert "no approved copy of tidewater" in outcome.error
    assert outcome.remedy == "review drafts first: brand-voice review --brand tidewater"


def test_a_run_that_is_killed_says_where_its_log_is(workspace: Workspace, base: Path) -> None:
    run = Run(order(workspace, base))
    os.killpg(run._process.pid, signal.SIGKILL)
    outcome = ended(run)
    assert "the training ended with code -9" in outcome.error
    assert outcome.remedy == f"read {run.folder / 'log.txt'}"
