"""What is live is changed in two steps: a button says what would happen and what the gate finds, another one does it.

The first step changes nothing. It remembers what was live when it was read, so that nobody confirms a change of
something else. Where the gate refuses, the second step needs a reason, which stays in the history.
"""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from brand_voice import promotion
from brand_voice.context import Context
from brand_voice.errors import BrandVoiceError, ConflictError, InputError
from brand_voice.live import Promotion
from brand_voice.ui.access import name_of
from brand_voice.ui.brief_form import Values
from brand_voice.ui.copy_view import told
from brand_voice.ui.events import quick
from brand_voice.ui.parts import offered, quiet
from brand_voice.ui.session import Session
from brand_voice.ui.stock import Stock

MAX_LINES = 60
"""Of a plan: the gate's reasons are all seen, on a narrow page too."""
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5)
CONFIRM = {
    "promote": "Promote",
    "rollback": "Roll back",
    "canary": "Start the canary",
    "end_canary": "End the canary",
}


class Plan(NamedTuple):
    """A change that was shown and not yet made."""

    act: str
    adapter: str
    """The adapter it is about."""
    live: str | None
    """What was live when it was shown."""
    is_forced: bool = False
    """Whether the gate refuses it."""
    said: str = ""
    """What was shown."""


class PromotionPanel(NamedTuple):
    """The panel's components."""

    session: Session
    brand: gr.Dropdown
    by: gr.Textbox
    acts: dict[str, gr.Button]
    """Which change is to be planned."""
    says: gr.Textbox
    share: gr.Dropdown
    reason: gr.Textbox
    confirm: gr.Button
    leave: gr.Button
    plan: gr.State
    done: gr.State
    """How many changes this page made or met; its `change` is the moment to show them."""

    @property
    def parts(self) -> set[gr.Component]:
        """What changes while a change is planned."""
        return {self.says, self.share, self.reason, self.confirm, self.leave, self.plan}

    def offered(self, stock: Stock, adapter: str | None, plan: Plan | None) -> Values:
        """The changes that can be planned for the adapter in focus; an open plan that no longer fits is dropped.

        Without one nothing is said of it: a page may look twice, and what was planned in between stays.
        """
        live, canary, _ = stock.standing
        names = [manifest.name for manifest in stock.adapters]
        can = {
            "promote": adapter in names and adapter != live,
            "rollback": live is not None and len({change.adapter for change in stock.promotions}) > 1,
            "canary": live in names and adapter in names and adapter not in (live, canary),
            "end_canary": canary is not None,
        }
        buttons = {button: gr.Button(interactive=can[act]) for act, button in self.acts.items()}
        fits = plan is None or (
            plan.live == live and (plan.adapter == adapter or plan.act in ("rollback", "end_canary"))
        )
        return buttons | ({} if fits else self.closed(""))

    def closed(self, said: str) -> Values:
        """No plan."""
        return {
            self.says: said,
            self.share: gr.Dropdown(interactive=False),
            self.reason: gr.Textbox("", interactive=False),
            self.confirm: gr.Button(interactive=False),
            self.leave: gr.Button(interactive=False),
            self.plan: None,
        }

    def planned(self, plan: Plan) -> Values:
        """A plan, with what it asks for."""
        has_reason = plan.is_forced or plan.act == "rollback"
        label = "Why all the same? The reason is kept" if plan.is_forced else "Why (if you like)"
        verb = "Promote all the same" if plan.is_forced else CONFIRM[plan.act]
        return {
            self.says: plan.said,
            self.share: gr.Dropdown(interactive=plan.act == "canary"),
            self.reason: gr.Textbox("", label=label, interactive=has_reason),
            self.confirm: gr.Button(verb, interactive=True),
            self.leave: gr.Button(interactive=True),
            self.plan: plan,
        }


def build_promotion_panel(session: Session, brand: gr.Dropdown, by: gr.Textbox) -> PromotionPanel:
    """Lay the panel out; `wire_promotion_panel` follows once the adapter in focus is there."""
    with gr.Row(elem_classes=["bv-few", "bv-admin"]):
        acts = {
            "promote": offered("Promote the adapter …", "models-promote"),
            "rollback": offered("Roll back …", "models-rollback"),
            "canary": offered("Try it on a share …", "models-canary"),
            "end_canary": offered("End the canary …", "models-end-canary"),
        }
    says = quiet("What would happen", elem_id="models-plan", notice=True)
    says.max_lines = MAX_LINES
    shares = [(f"{share:.0%}", share) for share in SHARES]
    share = gr.Dropdown(
        shares,
        value=0.1,
        label="Share of the traffic",
        interactive=False,
        elem_id="models-share",
        elem_classes="bv-asked",
    )
    reason = gr.Textbox(
        label="Why", max_lines=3, max_length=500, interactive=False, elem_id="models-reason", elem_classes="bv-asked"
    )
    with gr.Row(elem_classes=["bv-few", "bv-admin"]):
        confirm = offered("Promote", "models-confirm")
        leave = offered("Leave it as it is", "models-leave")
    return PromotionPanel(
        session=session,
        brand=brand,
        by=by,
        acts=acts,
        says=says,
        share=share,
        reason=reason,
        confirm=confirm,
        leave=leave,
        plan=gr.State(None),
        done=gr.State(0),
    )


def wire_promotion_panel(panel: PromotionPanel, adapter: gr.Dropdown) -> None:
    """Let the buttons plan, and the last one do it; `adapter` is the one in focus."""
    admin, options = panel.session.access.needs("admin"), quick(panel.done)
    desk = _Desk(panel, adapter)
    for act, button in panel.acts.items():
        planned = admin(desk.planner(act))
        button.click(planned, {panel.brand, adapter}, panel.parts, api_name=f"models_plan_{act}", **options)
    said = {panel.brand, panel.by, panel.share, panel.reason, panel.plan, panel.done}
    changed = {*panel.parts, panel.done}
    panel.confirm.click(admin(desk.confirm), said, changed, api_name="models_confirm", **options)
    panel.leave.click(admin(desk.leave), None, panel.parts, api_name="models_leave", **options)


class _Desk:
    """The panel's handlers."""

    def __init__(self, panel: PromotionPanel, adapter: gr.Dropdown) -> None:
        self._panel = panel
        self._adapter = adapter

    def planner(self, act: str) -> Callable[[Values], Values]:
        """A handler that says what a change would do."""

        def plan(values: Values) -> Values:
            context = self._context(values)
            try:
                return self._panel.planned(_planned(context, act, values[self._adapter]))
            except BrandVoiceError as error:
                return self._panel.closed(told(error))

        return plan

    def confirm(self, values: Values, request: gr.Request) -> Values:
        """Do what was planned; what keeps it from being done is told, and the plan stays."""
        panel, plan = self._panel, values[self._panel.plan]
        if plan is None:
            return panel.closed("")
        by, reason = name_of(request, values[panel.by]), values[panel.reason] or ""
        try:
            done = _carried_out(self._context(values), plan, values[panel.share], by=by, reason=reason)
        except ConflictError as error:
            return panel.closed(told(error)) | {panel.done: values[panel.done] + 1}
        except BrandVoiceError as error:
            return {panel.says: f"{told(error)}\n{plan.said}"}
        return panel.closed(_done(done)) | {panel.done: values[panel.done] + 1}

    def leave(self) -> Values:
        """Drop the plan."""
        return self._panel.closed("")

    def _context(self, values: Values) -> Context:
        return self._panel.session.context(values[self._panel.brand])


def _planned(context: Context, act: str, adapter: str | None) -> Plan:
    """A change, with what it would do in words.

    Raises:
        BrandVoiceError: it cannot be made.
    """
    standing = context.store.standing(context.brand_id)
    live, beside = standing.live, f"in place of {standing.live}" if standing.live else "as the first one"
    ends = f"\nThe canary {standing.canary} ends." if standing.canary and act in ("promote", "rollback") else ""
    if act == "rollback":
        back = promotion.back_to(context)
        if back is None:
            raise InputError("no usable adapter was live before this one", remedy="promote another adapter")
        return Plan(act, back, live, said=f"{back} goes live again {beside}.{ends}")
    if act == "end_canary":
        said = f"{live} gets all traffic again; {standing.canary} gets none."
        return Plan(act, standing.canary or "", live, said=said)
    chosen = promotion.candidate_of(context, adapter)
    if act == "canary":
        said = f"{chosen.name} gets a share of the traffic beside {live}. The gate is not asked."
        return Plan(act, chosen.name, live, said=said)
    gate = promotion.judge(context, chosen).gate
    found = "The gate lets it pass." if gate.passes else _listed("The gate refuses it:", gate.reasons)
    kept = f"\n{_listed('To keep in mind:', gate.remarks)}" if gate.remarks else ""
    said = f"{chosen.name} goes live {beside}.{ends}\n{found}{kept}"
    return Plan(act, chosen.name, live, is_forced=not gate.passes, said=said)


def _carried_out(context: Context, plan: Plan, share: float, *, by: str, reason: str) -> Promotion:
    """Make the change.

    Raises:
        ConflictError: something else is live by now than when the change was shown.
        BrandVoiceError: it cannot be made.
    """
    live = context.store.standing(context.brand_id).live
    if live != plan.live:
        raise ConflictError(
            f"by now {live or 'nothing'} is live, not {plan.live or 'nothing'}", remedy="look again, then decide"
        )
    if plan.act == "rollback":
        return promotion.rollback(context, by=by, reason=reason)
    if plan.act == "canary":
        return promotion.start_canary(context, plan.adapter, share, by=by)
    if plan.act == "end_canary":
        return promotion.end_canary(context, by=by)
    return promotion.promote(context, plan.adapter, by=by, force_reason=reason if plan.is_forced else None)


def _done(change: Promotion) -> str:
    if change.act == "canary":
        return f"{change.canary} gets {change.share:.0%} of the traffic now."
    return f"{change.adapter} {'gets all traffic' if change.act == 'end_canary' else 'is live'} now."


def _listed(title: str, lines: tuple[str, ...]) -> str:
    return "\n".join([title, *(f"– {line}" for line in lines)])
