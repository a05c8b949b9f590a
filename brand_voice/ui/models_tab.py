"""Models: what is live, the adapters and what is known of them, and a training started from here.

Everybody who is signed in may look; what changes anything needs an admin. What is shown is read anew whenever the tab
is opened, another brand or adapter is chosen, or something was done.
"""

from pathlib import Path
from typing import NamedTuple

import gradio as gr

from brand_voice.errors import BrandVoiceError, InputError
from brand_voice.ui import models_view as view
from brand_voice.ui.access import name_of
from brand_voice.ui.brief_form import Values, brand_choices
from brand_voice.ui.copy_view import told
from brand_voice.ui.evaluate_panel import EvaluatePanel, build_evaluate_panel, wire_evaluate_panel
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.promotion_panel import Plan, PromotionPanel, build_promotion_panel, wire_promotion_panel
from brand_voice.ui.session import Session
from brand_voice.ui.stock import Stock, curve_of, stock_of
from brand_voice.ui.train_panel import TrainPanel, build_train_panel, wire_train_panel

PAGE = "report.html"
DOWNLOAD = """(page, adapter) => {
  if (!page) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([page], { type: "text/html" }));
  link.download = `report ${adapter}.html`;
  link.click();
  URL.revokeObjectURL(link.href);
}"""
"""Saved, not opened: in a tab of this address a report's HTML would have the rights of the page."""


class ModelsTab(NamedTuple):
    """The tab's components."""

    brand: gr.Dropdown
    adapter: gr.Dropdown
    """The one in focus."""
    by: gr.Textbox
    """Who promotes and rolls back, where nobody signs in."""
    notice: gr.Textbox
    standing: gr.HTML
    adapters: gr.HTML
    focus: gr.HTML
    save: gr.Button
    page: gr.Textbox
    """The report to be saved, unseen."""
    generations: gr.HTML
    snapshots: gr.HTML
    history: gr.HTML
    promotion: PromotionPanel
    evaluate: EvaluatePanel
    train: TrainPanel

    @property
    def shown(self) -> set[gr.Component]:
        """What tells of a brand's models."""
        views = (self.standing, self.adapters, self.focus, self.generations, self.snapshots, self.history)
        choices = {self.adapter, self.evaluate.against, self.save, *self.promotion.acts.values()}
        return {*views, *choices, self.notice, *self.promotion.parts}


def build_models_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab, remembered: gr.BrowserState) -> None:
    """Lay the tab out and wire it; `remembered` keeps the name in the browser, as for reviews."""
    tab = _layout(session)
    handlers = _Handlers(session, tab)
    train, options = tab.train, quick(tab.train.done)
    copywriter = session.access.needs("copywriter")
    page.load(copywriter(name_of), remembered, tab.by, api_name="models_by", **options)
    tab.by.blur(copywriter(name_of), tab.by, remembered, api_name="models_remember", **options)
    at = {tab.brand, tab.adapter, train.done, tab.evaluate.done, tab.promotion.plan}
    whole = {*tab.shown, *train.parts, train.on, *tab.evaluate.parts}
    tab_item.select(copywriter(handlers.open), at, whole, api_name="models_open", **options)
    tab.brand.input(copywriter(handlers.brand), at, whole, api_name="models_brand", **options)
    tab.adapter.input(copywriter(handlers.look), at, tab.shown, api_name="models_adapter", **options)
    train.done.change(copywriter(handlers.trained), at, {*tab.shown, train.on}, api_name="models_trained", **options)
    wire_train_panel(train)
    wire_promotion_panel(tab.promotion, tab.adapter)
    wire_evaluate_panel(tab.evaluate, tab.adapter)
    look = copywriter(handlers.look)
    tab.evaluate.done.change(look, at, tab.shown, api_name="models_evaluated", **options)
    tab.promotion.done.change(look, at, tab.shown, api_name="models_promoted", **options)
    saved = tab.save.click(copywriter(handlers.saved), at, {tab.page, tab.notice}, api_name="models_report", **options)
    saved.then(None, [tab.page, tab.adapter], None, js=DOWNLOAD)


def _layout(session: Session) -> ModelsTab:
    with gr.Row():
        first = session.first_brand
        brand = gr.Dropdown(brand_choices(session), value=first, label="Brand", elem_id="models-brand")
        adapter = gr.Dropdown([], label="Adapter", elem_id="models-adapter", scale=2)
        by = gr.Textbox(
            label="Your name",
            max_lines=1,
            placeholder="Stands in the history",
            interactive=not session.access.has_login,
            elem_id="models-by",
        )
    notice = quiet("Notice", elem_id="models-notice", notice=True)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            with gr.Column(elem_classes="bv-card"):
                standing = _view("models-standing")
                promotion = build_promotion_panel(session, brand, by)
            with gr.Column(elem_classes="bv-card"):
                train = build_train_panel(session, brand)
            with gr.Column(elem_classes=["bv-card", "bv-filled"]):
                generations = _view("models-generations")
        with gr.Column(scale=7, min_width=300):
            with gr.Column(elem_classes="bv-card"):
                adapters = _view("models-adapters")
            with gr.Column(elem_classes=["bv-card", "bv-filled"]):
                focus = _view("models-focus")
                with gr.Row(elem_classes="bv-few"):
                    save = offered("Save the report", "models-save")
                page = gr.Textbox(visible="hidden", elem_id="models-page")
                evaluate = build_evaluate_panel(session, brand)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300, elem_classes="bv-card"):
            snapshots = _view("models-snapshots")
        with gr.Column(scale=7, min_width=300, elem_classes="bv-card"):
            history = _view("models-history")
    return ModelsTab(
        brand=brand,
        adapter=adapter,
        by=by,
        notice=notice,
        standing=standing,
        adapters=adapters,
        focus=focus,
        save=save,
        page=page,
        generations=generations,
        snapshots=snapshots,
        history=history,
        promotion=promotion,
        evaluate=evaluate,
        train=train,
    )


def _view(id_: str) -> gr.HTML:
    return gr.HTML("", padding=False, elem_id=id_)


class _Handlers:
    """The tab's handlers; everything they show is read anew."""

    def __init__(self, session: Session, tab: ModelsTab) -> None:
        self._session = session
        self._tab = tab

    def open(self, values: Values) -> Values:
        """Everything, the training included."""
        tab = self._tab
        return (
            self.look(values)
            | tab.train.choices(values[tab.brand])
            | tab.train.look(values)
            | tab.evaluate.look(values)
        )

    def brand(self, values: Values) -> Values:
        """Another brand, the adapter that is live in focus."""
        return self.open(values | {self._tab.adapter: None})

    def trained(self, values: Values) -> Values:
        """A training is over: the adapter that came of it is in focus."""
        adapter = values[self._tab.train.done].adapter or values[self._tab.adapter]
        return self.look(values | {self._tab.adapter: adapter}) | self._tab.train.choices(values[self._tab.brand])

    def look(self, values: Values) -> Values:
        """What the brand has now; what went wrong stands in the notice, and nothing old beside it."""
        tab = self._tab
        try:
            stock = stock_of(self._session, values[tab.brand])
        except BrandVoiceError as error:
            empty = dict.fromkeys((tab.standing, tab.adapters, tab.focus, tab.generations, tab.snapshots), "")
            rests = dict.fromkeys((tab.save, *tab.promotion.acts.values()), gr.Button(interactive=False))
            return {**empty, **rests, **tab.promotion.closed(""), tab.notice: told(error)}
        return {tab.notice: ""} | self._shown(stock, values[tab.adapter], values[tab.promotion.plan])

    def saved(self, values: Values) -> Values:
        """The report in focus, as a text that the browser saves."""
        tab = self._tab
        try:
            stock = stock_of(self._session, values[tab.brand])
            manifest = stock.adapter(values[tab.adapter])
            path = self._report(stock, manifest.name) if manifest else None
            if path is None:
                raise InputError(f"this report has no {PAGE}", remedy="evaluate again: brand-voice evaluate writes one")
            return {tab.page: path.read_text(encoding="utf-8"), tab.notice: ""}
        except BrandVoiceError as error:
            return {tab.page: "", tab.notice: told(error)}

    def _shown(self, stock: Stock, wanted: str | None, plan: Plan | None) -> Values:
        tab, workspace = self._tab, self._session.workspace
        manifest = stock.adapter(wanted)
        name = manifest.name if manifest else None
        names = [(_label(stock, each.name), each.name) for each in stock.adapters]
        curve = curve_of(workspace.adapters / name) if name else None
        return {
            tab.adapter: gr.Dropdown(names, value=name),
            tab.standing: view.standing(stock, str(workspace.adapters)),
            tab.adapters: view.adapters(stock),
            tab.focus: view.focus(stock, manifest, curve),
            tab.save: gr.Button(interactive=name is not None and self._report(stock, name) is not None),
            tab.generations: view.generations(stock),
            tab.snapshots: view.snapshots(stock),
            tab.history: view.history(stock),
            **tab.promotion.offered(stock, name, plan),
            **tab.evaluate.offered(stock, name),
        }

    def _report(self, stock: Stock, adapter: str) -> Path | None:
        """The report on an adapter to be read by people, where there is one."""
        filed = stock.reports.get(adapter)
        path = self._session.workspace.evaluations / filed.folder / PAGE if filed else None
        return path if path is not None and path.is_file() else None


def _label(stock: Stock, name: str) -> str:
    mark = {stock.standing.live: " (live)", stock.standing.canary: " (canary)"}.get(name, "")
    return name + mark
