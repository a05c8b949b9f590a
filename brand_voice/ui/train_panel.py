"""A distillation started from the page: one at a time, in a process of its own, seen by every page of this app.

It goes on when a page is closed and ends when the app does; stopped, it leaves nothing behind that counts. What
somebody trains in a terminal is not seen here while it runs; its adapter is, once it is there.
"""

import threading
from typing import NamedTuple

import gradio as gr

from brand_voice import snapshot
from brand_voice.errors import BrandVoiceError, InputError, TrainingError
from brand_voice.runs import Order, Outcome, Run
from brand_voice.ui import models_view
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import told
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.session import Session

WATCH_S = 1.0
"""How often a page looks how far the training is."""
FRESH = ""
"""The choice that freezes what is approved now."""


class Trainings:
    """The app's training, under way or the last one; safe for threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._run: Run | None = None
        self._lock = threading.Lock()
        session.at_close(self.stop)

    def start(self, brand: str, frozen: str | None) -> None:
        """Begin to train on a snapshot, or on what is approved now.

        Raises:
            TrainingError: another one is under way; two would take twice as long each.
            InputError: the brand has no such snapshot.
        """
        session = self._session
        known = {m.name for m in snapshot.manifests(session.workspace.snapshots, brand)}
        if frozen is not None and frozen not in known:
            raise InputError(f"{brand} has no snapshot {frozen}", remedy="choose another one to train on")
        with self._lock:
            if self._run is not None and self._run.is_running:
                raise TrainingError(
                    f"{self._run.order.brand} is being trained already", remedy="wait until it is done, or stop it"
                )
            root = str(session.workspace.root.resolve())
            self._run = Run(Order(workspace=root, brand=brand, settings=session.settings, snapshot=frozen))

    def of(self, brand: str) -> Run | None:
        """The brand's run, under way or just ended."""
        run = self._run
        return run if run is not None and run.order.brand == brand else None

    def stop(self) -> None:
        """End what is under way, within seconds."""
        with self._lock:
            if self._run is not None and self._run.is_running:
                self._run.stop()


class Ended(NamedTuple):
    """A training that is over."""

    run: str = ""
    adapter: str | None = None
    """None where it was stopped or failed."""


class TrainPanel(NamedTuple):
    """The panel's components."""

    session: Session
    trainings: Trainings
    brand: gr.Dropdown
    on: gr.Dropdown
    """The snapshot to train on."""
    go: gr.Button
    stop: gr.Button
    says: gr.Textbox
    seen: gr.HTML
    watch: gr.Timer
    done: gr.State
    """What this page saw end last; its `change` is the moment to show what came of it."""

    @property
    def parts(self) -> set[gr.Component]:
        """What changes while a training goes on."""
        return {self.go, self.stop, self.says, self.seen, self.watch, self.done}

    def choices(self, brand: str) -> Values:
        """What can be trained on."""
        names = [m.name for m in snapshot.manifests(self.session.workspace.snapshots, brand)]
        offered_now = [("Approved copy as of now", FRESH), *((name, name) for name in reversed(names))]
        return {self.on: gr.Dropdown(offered_now, value=FRESH)}

    def look(self, values: Values) -> Values:
        """What there is to say now: how far the training is, or how the last one ended."""
        run = self.trainings.of(values[self.brand])
        outcome = run.outcome() if run is not None else None
        if run is None:
            return self._shown("")
        if outcome is None:
            steps = run.steps()
            return self._shown(models_view.progress(steps), models_view.training(steps), is_running=True)
        return self._shown(_ending(outcome)) | {self.done: Ended(run.folder.name, outcome.adapter)}

    def start(self, values: Values) -> Values:
        """Begin, and watch."""
        try:
            self.trainings.start(values[self.brand], values[self.on] or None)
        except BrandVoiceError as error:
            return {self.says: told(error)}
        return self.look(values)

    def cancel(self, values: Values) -> Values:
        """End it now."""
        if self.trainings.of(values[self.brand]) is not None:
            self.trainings.stop()
        return self.look(values)

    def _shown(self, said: str, seen: str = "", *, is_running: bool = False) -> Values:
        return {
            self.says: said,
            self.seen: seen,
            self.go: gr.Button(interactive=not is_running),
            self.stop: gr.Button(interactive=is_running),
            self.watch: gr.Timer(active=is_running),
        }


def build_train_panel(session: Session, brand: gr.Dropdown) -> TrainPanel:
    """Lay the panel out; `wire` follows once the tab is there."""
    gr.HTML("<h2>Train</h2>", padding=False, elem_classes="bv-title")
    with gr.Row(elem_classes=["bv-admin", "bv-foot"]):
        on = gr.Dropdown([], label="On", elem_id="models-on", min_width=200, scale=3)
        go = gr.Button("Train", variant="primary", elem_id="models-train", min_width=100)
    says = quiet("Training", elem_id="models-training", notice=True)
    seen = gr.HTML("", padding=False, elem_id="models-training-seen", elem_classes="bv-filled")
    with gr.Row(elem_classes=["bv-few", "bv-admin"]):
        stop = offered("Stop the training", "models-train-stop")
    watch, trainings = gr.Timer(WATCH_S, active=False), Trainings(session)
    return TrainPanel(session, trainings, brand, on, go, stop, says, seen, watch, gr.State(Ended()))


def wire_train_panel(panel: TrainPanel) -> None:
    """Let the buttons work, and the page watch."""
    options, access = quick(panel.done), panel.session.access
    copywriter, admin = access.needs("copywriter"), access.needs("admin")
    at = {panel.brand, panel.on, panel.done}
    panel.go.click(admin(panel.start), at, panel.parts, api_name="models_train", **options)
    panel.stop.click(admin(panel.cancel), at, panel.parts, api_name="models_train_stop", **options)
    panel.watch.tick(copywriter(panel.look), at, panel.parts, api_name="models_train_watch", **options)


def _ending(outcome: Outcome) -> str:
    if outcome.error:
        return told(TrainingError(outcome.error, remedy=outcome.remedy))
    if outcome.is_known:
        return f"{outcome.adapter} was trained on this snapshot with these settings before; nothing was trained again."
    if outcome.adapter:
        return f"Trained: {outcome.adapter}. It is not live; evaluate it, then promote it."
    return "Stopped. No adapter was made; the snapshot that it began with stays."
