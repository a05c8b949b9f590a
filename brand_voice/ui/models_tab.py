"""Models: what is live, the adapters and what is known of them, and a training started from here.

Everybody who is signed in may look; what changes anything needs an admin. What is shown is read anew whenever the tab
is opened, another brand or adapter is chosen, or something was done.
"""

from typing import NamedTuple

import gradio as gr

from brand_voice.errors import BrandVoiceError, InputError
from brand_voice.ui import models_view as view
from brand_voice.ui.access import name_of
from brand_voice.ui.brief_form import Values, brand_choices
from brand_voice.ui.copy_view import told
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.session import Session
from brand_voice.ui.stock import PAGE, Stock, curve_of, stock_of
from brand_voice.ui.train_panel import TrainPanel, build_train_panel, wire_train_panel

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
    train: TrainPanel

    @property
    def shown(self) -> set[gr.Component]:
        """What tells of a brand's models."""
        views = (self.standing, self.adapters, self.focus, self.generations, self.snapshots, self.history)
        return {*views, self.adapter, self.notice, self.save}


def build_models_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab, remembered: gr.BrowserState) -> None:
    """Lay the tab out and wire it; `remembered` keeps the name in the browser, as for reviews."""
    tab = _layout(session)
    handlers = _Handlers(session, tab)
    train, options = tab.train, quick(tab.train.done)
    copywriter = session.access.needs("copywriter")
    page.load(copywriter(name_of), remembered, tab.by, api_name="models_by", **options)
    tab.by.blur(copywriter(name_of), tab.by, remembered, api_name="models_remember", **options)
    at, whole = {tab.brand, tab.adapter, train.done}, {*tab.shown, *train.parts, train.on}
    tab_item.select(copywriter(handlers.open), at, whole, api_name="models_open", **options)
    tab.brand.input(copywriter(handlers.brand), at, whole, api_name="models_brand", **options)
    tab.adapter.input(copywriter(handlers.look), at, tab.shown, api_name="models_adapter", **options)
    train.done.change(copywriter(handlers.trained), at, {*tab.shown, train.on}, api_name="models_trained", **options)
    wire_train_panel(train)
    saved = tab.save.click(copywriter(handlers.saved), at, {tab.page, tab.notice}, api_name="models_report", **options)
    saved.then(None, [tab.page, tab.adapter], None, js=DOWNLOAD)


def _layout(session: Session) -> ModelsTab:
    with gr.Row():
        first = session.first_brand.guide.id
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
        return self.look(values) | self._tab.train.choices(values[self._tab.brand]) | self._tab.train.look(values)

    def brand(self, values: Values) -> Values:
        """Another brand, the adapter that is live in focus."""
        return self.open(values | {self._tab.adapter: None})

    def trained(self, values: Values) -> Values:
        """A new adapter came: it is in focus."""
        wanted = values | {self._tab.adapter: values[self._tab.train.done]}
        return self.look(wanted) | self._tab.train.choices(values[self._tab.brand])

    def look(self, values: Values) -> Values:
        """What the brand has now; what went wrong stands in the notice, and nothing old beside it."""
        tab = self._tab
        try:
            stock = stock_of(self._session, values[tab.brand])
        except BrandVoiceError as error:
            empty = dict.fromkeys((tab.standing, tab.adapters, tab.focus, tab.generations, tab.snapshots), "")
            return {**empty, tab.notice: told(error), tab.save: gr.Button(interactive=False)}
        return {tab.notice: ""} | self._shown(stock, values[tab.adapter])

    def saved(self, values: Values) -> Values:
        """The report in focus, as a text that the browser saves."""
        tab = self._tab
        try:
            stock = stock_of(self._session, values[tab.brand])
            return {tab.page: _page(stock, values[tab.adapter]), tab.notice: ""}
        except BrandVoiceError as error:
            return {tab.page: "", tab.notice: told(error)}

    def _shown(self, stock: Stock, wanted: str | None) -> Values:
        tab, workspace = self._tab, self._session.workspace
        manifest = stock.adapter(wanted)
        filed = stock.reports.get(manifest.name) if manifest else None
        names = [(_label(stock, each.name), each.name) for each in stock.adapters]
        curve = curve_of(workspace.adapters / manifest.name) if manifest else None
        return {
            tab.adapter: gr.Dropdown(names, value=manifest.name if manifest else None),
            tab.standing: view.standing(stock, str(workspace.adapters)),
            tab.adapters: view.adapters(stock),
            tab.focus: view.focus(stock, manifest, curve),
            tab.save: gr.Button(interactive=filed is not None and filed.page is not None),
            tab.generations: view.generations(stock),
            tab.snapshots: view.snapshots(stock),
            tab.history: view.history(stock),
        }


def _label(stock: Stock, name: str) -> str:
    mark = {stock.standing.live: " (live)", stock.standing.canary: " (canary)"}.get(name, "")
    return name + mark


def _page(stock: Stock, wanted: str | None) -> str:
    manifest = stock.adapter(wanted)
    filed = stock.reports.get(manifest.name) if manifest else None
    path = filed.page if filed else None
    if path is None:
        raise InputError(f"this report has no {PAGE}", remedy="evaluate again: brand-voice evaluate writes one")
    return path.read_text(encoding="utf-8")
