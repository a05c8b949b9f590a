"""An evaluation of the adapter in focus, started from the page: in the background, one a brand, seen by every page.

It is an errand: called off, it stops after the text under way, and what was written stays, so that the next one goes on
from there. The texts come from a server that runs with this adapter already, or from one started for it.
"""

from typing import NamedTuple

import gradio as gr

from brand_voice import assess
from brand_voice.context import Track
from brand_voice.errors import InputError
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import told
from brand_voice.ui.errand import Errand
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.session import Session
from brand_voice.ui.stock import Stock

WATCH_S = 1.0
"""How often a page looks how far the evaluation is."""


class EvaluatePanel(NamedTuple):
    """The panel's components."""

    session: Session
    brand: gr.Dropdown
    against: gr.Dropdown
    go: gr.Button
    cancel: gr.Button
    says: gr.Textbox
    watch: gr.Timer
    done: gr.State
    """How many evaluations this page saw end; its `change` is the moment to show the report."""

    @property
    def parts(self) -> set[gr.Component]:
        """What changes while an evaluation goes on."""
        return {self.go, self.cancel, self.says, self.watch, self.done}

    def offered(self, stock: Stock, adapter: str | None) -> Values:
        """Whom an adapter can be held against: what is live and can be used, else its base, as the gate asks for."""
        live = stock.opponent
        rivals = [(f"{live} (live)", live)] if live not in (assess.BASE, adapter) else []
        choices = [*rivals, ("its base", assess.BASE), ("the teacher", assess.TEACHER)]
        return {self.against: gr.Dropdown(choices, value=choices[0][1], interactive=adapter is not None)}

    def look(self, values: Values) -> Values:
        """What there is to say now: how far the evaluation is, or how the last one ended."""
        errand = self._errand(values)
        if errand is not None and errand.is_alive():
            return self._shown(f"Evaluating. {errand.standing}", is_at_work=True)
        error = errand.outcome() if errand is not None else None
        if error is not None:
            return self._shown(told(error))
        return self._shown("Stopped. What was written stays." if errand is not None and errand.is_called_off else "")

    def start(self, values: Values, adapter: str) -> Values:
        """Begin in the background, or watch whoever did."""
        session, brand = self.session, values[self.brand]
        question = assess.Question(adapter=adapter, against=values[self.against])

        def work(track: Track) -> None:
            assess.assess(session.context(brand, track), question)

        session.errands.start(_name(brand), work)
        return self.look(values)

    def stop(self, values: Values) -> Values:
        """Stop after the text under way."""
        self.session.errands.call_off(_name(values[self.brand]))
        return self.look(values)

    def tick(self, values: Values) -> Values:
        """How far it is; once it is over, the page shows what came of it."""
        errand, shown = self._errand(values), self.look(values)
        is_over = errand is not None and errand.is_done and not errand.is_alive()
        return shown | ({self.done: values[self.done] + 1} if is_over else {})

    def _errand(self, values: Values) -> Errand | None:
        return self.session.errands.get(_name(values[self.brand]))

    def _shown(self, said: str, *, is_at_work: bool = False) -> Values:
        return {
            self.says: said,
            self.go: gr.Button(interactive=not is_at_work),
            self.cancel: gr.Button(interactive=is_at_work),
            self.watch: gr.Timer(active=is_at_work),
        }


def build_evaluate_panel(session: Session, brand: gr.Dropdown) -> EvaluatePanel:
    """Lay the panel out; `wire_evaluate_panel` follows once the adapter in focus is there."""
    with gr.Row(elem_classes=["bv-admin", "bv-foot"]):
        against = gr.Dropdown([], label="Against", elem_id="models-against", min_width=200, scale=3)
        go = gr.Button("Evaluate", elem_id="models-evaluate", min_width=100)
    says = quiet("Evaluation", elem_id="models-evaluation", notice=True)
    with gr.Row(elem_classes=["bv-few", "bv-admin"]):
        cancel = offered("Stop the evaluation", "models-evaluate-stop")
    watch = gr.Timer(WATCH_S, active=False)
    return EvaluatePanel(session, brand, against, go, cancel, says, watch, gr.State(0))


def wire_evaluate_panel(panel: EvaluatePanel, adapter: gr.Dropdown) -> None:
    """Let the buttons work on the adapter in focus, and the page watch."""
    options, access = quick(panel.done), panel.session.access
    copywriter, admin = access.needs("copywriter"), access.needs("admin")
    at = {panel.brand, panel.done}

    def start(values: Values) -> Values:
        if not values[adapter]:
            return {panel.says: told(InputError("there is no adapter to evaluate", remedy="press Train first"))}
        return panel.start(values, values[adapter])

    go = admin(start)
    panel.go.click(go, {*at, panel.against, adapter}, panel.parts, api_name="models_evaluate", **options)
    panel.cancel.click(admin(panel.stop), at, panel.parts, api_name="models_evaluate_stop", **options)
    panel.watch.tick(copywriter(panel.tick), at, panel.parts, api_name="models_evaluate_watch", **options)


def _name(brand: str) -> str:
    return f"evaluate/{brand}"
