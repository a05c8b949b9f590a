"""What is live for a brand: promoted through the gate, rolled back, tried on a share of the traffic, looked up.

Every change is one appended row, and the last row is what counts: a kill leaves the old state or the new one. The row
carries what was live when the change was decided; if that is no longer so, the store refuses it (`ConflictError`).

A canary passes the same check of its files, but not the gate: it gathers the evidence that the gate wants, on a share
of the traffic that somebody chose. Promoting or rolling back ends it: it was chosen beside another adapter.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from brand_voice import golden
from brand_voice.artifacts import find_manifests
from brand_voice.ballots import Sides, votes_on
from brand_voice.context import Context
from brand_voice.errors import ArtifactError, InputError, PromotionError
from brand_voice.evidence import Report
from brand_voice.gate import BASE, Gate, Terms, gate, misfits, strictest
from brand_voice.golden import GoldenManifest
from brand_voice.live import Promotion
from brand_voice.records import AdapterManifest
from brand_voice.registry import Filed, adapters, find, reports
from brand_voice.serve import published_address

WHO, WHY = "give your name: it stands in the history", "say why: the reason stays in the history"


class Judged(NamedTuple):
    """What the gate says of an adapter, and the report that it read."""

    gate: Gate
    filed: Filed | None
    """The newest report that fits, else the newest, else none."""
    decides: bool
    """Whether the report fits today, so that what it found is what was judged."""


class Listed(NamedTuple):
    """An adapter as it stands in a list."""

    manifest: AdapterManifest
    mark: Literal["live", "canary", ""]
    filed: Filed | None
    """The newest report on it."""


class History(NamedTuple):
    """All changes of what is live, oldest first, and how many promotions each golden set decided."""

    changes: tuple[Promotion, ...]
    decided: dict[str, int]


def adapter_of(context: Context, name: str | None = None) -> AdapterManifest:
    """The adapter named; without a name, or under the alias `<brand>`, the one that is live, else the newest.

    Raises:
        ArtifactError: there is none, it is damaged, or it was trained on another wording of the prompt.
    """
    live = context.store.standing(context.brand_id).live
    return find(context.workspace.adapters, context.brand_id, name, live=live)


def candidate_of(context: Context, name: str | None = None) -> AdapterManifest:
    """The adapter named, else the newest, live or not: who is to be evaluated or promoted.

    Raises:
        ArtifactError: there is none, it is damaged, or it was trained on another wording of the prompt.
    """
    live = context.store.standing(context.brand_id).live
    return find(context.workspace.adapters, context.brand_id, name, live=live if name else None)


def opponent(context: Context) -> str:
    """Whom a candidate is held against today: the adapter that is live, or `base` where none is that can be used."""
    return _usable_live(context)[0] or BASE


def looks(context: Context, name: str, adapter: str) -> int:
    """How many other adapters were held against a golden set's briefs before this one was, promoted or not.

    Each report is a look by which an adapter was chosen or left. A set that shares most of its briefs with another one
    is as worn as that.
    """
    family = _family(context, name)
    filed = reports(context.workspace.evaluations, context.brand_id).filed
    seen = [(each.report.created_at, each.report.adapter) for each in filed if each.report.golden in family]
    changes = context.store.promotions(context.brand_id)
    seen += [(change.created_at, change.adapter) for change in changes if change.golden in family]
    order = list(dict.fromkeys(adapter for _, adapter in sorted(seen)))
    return order.index(adapter) if adapter in order else len(order)


def _family(context: Context, name: str) -> set[str]:
    """The brand's golden sets that hold more than half of this one's briefs; one that cannot be read is left out."""
    parent = context.workspace.golden
    briefs: dict[str, set[str]] = {}
    for manifest in find_manifests(parent, GoldenManifest):
        if manifest.brand == context.brand_id:
            with suppress(ArtifactError):
                briefs[manifest.name] = {each.brief.hash for each in golden.load(parent / manifest.name)}
    own = briefs.get(name, set())
    return {name} | {other for other, theirs in briefs.items() if 2 * len(own & theirs) > len(own)}


def judge(context: Context, adapter: AdapterManifest) -> Judged:
    """Ask the gate whether an adapter may go live today.

    The newest report that fits decides, under the strictest margins of all that fit and with today's votes; it lets
    nothing pass that another one of them refuses. Where none fits, it is said why the one that comes nearest does not.
    """
    found = reports(context.workspace.evaluations, context.brand_id)
    about = found.about(adapter.name)
    broken = (f"not read, damaged or of an older version: {', '.join(found.unreadable)}",) if found.unreadable else ()
    if not about:
        return Judged(Gate((f"there is no report on {adapter.name}",), broken), None, decides=False)
    frozen = golden.newest(context.workspace.golden, context.brand_id)
    live, unusable = _usable_live(context)
    terms = Terms(
        adapter=adapter,
        live=live,
        golden=frozen.name if frozen else None,
        guide_version=context.brand.guide.version,
    )
    fitting = [each for each in about if not misfits(each.report, terms)]
    nearest = min(reversed(about), key=lambda each: len(misfits(each.report, terms)))
    filed = fitting[-1] if fitting else nearest
    held = [_held(context, each.report, [other.report for other in fitting]) for each in (fitting or [filed])]
    said = gate(held[-1], terms, decided=looks(context, filed.report.golden, adapter.name))
    against = [each.folder for each, report in zip(fitting, held, strict=False) if not gate(report, terms).passes]
    if said.passes and against:
        told = f"another report on the same question refuses it, and the worst one counts: {', '.join(against)}"
        said = said._replace(reasons=(told,))
    return Judged(said._replace(remarks=broken + unusable + said.remarks), filed, decides=bool(fitting))


def _held(context: Context, report: Report, beside: Sequence[Report]) -> Report:
    """A report as it decides: strictest margins, and the votes that there are by now."""
    made = [context.settings.margins.reading, *(each.votes.margin for each in (report, *beside) if each.votes)]
    votes = votes_on(context.store, context.brand, Sides(report.adapter, report.against), min(made))
    return strictest(report, beside).model_copy(update={"votes": votes})


def _usable_live(context: Context) -> tuple[str | None, tuple[str, ...]]:
    """Who is live and can be used, and a remark where somebody is live who cannot."""
    live = context.store.standing(context.brand_id).live
    if live is None:
        return None, ()
    try:
        find(context.workspace.adapters, context.brand_id, live)
    except ArtifactError as exc:
        return None, (f"{live} is live, but cannot be used, so the base stands in for it: {exc.message}",)
    return live, ()


def promote(context: Context, adapter: str | None, *, by: str, force_reason: str | None = None) -> Promotion:
    """Let an adapter go live, the newest where none is named; what the gate remarks is told.

    Raises:
        ArtifactError: there is no such adapter, or it is damaged.
        InputError: nobody's name, or forced without a reason.
        PromotionError: it is live already, or the gate refuses and nobody forces it; all reasons are named.
        ConflictError: somebody else promoted meanwhile.
    """
    live = context.store.standing(context.brand_id).live
    who = _said(by, "a name", WHO)
    reason = "" if force_reason is None else _said(force_reason, "a reason to force it", WHY)
    chosen = _other_than(context, live, adapter)
    judged = judge(context, chosen)
    for remark in judged.gate.remarks:
        context.notify(remark)
    if not judged.gate.passes and force_reason is None:
        raise _refusal(context, chosen, judged)
    promotion = Promotion(
        brand=context.brand_id,
        act="promote",
        adapter=chosen.name,
        previous=live,
        report=judged.filed.folder if judged.filed else None,
        golden=judged.filed.report.golden if judged.filed and judged.gate.passes else None,
        is_forced=not judged.gate.passes,
        reason=reason,
        by=who,
    )
    context.store.promote(promotion)
    return promotion


def rollback(context: Context, *, by: str, reason: str = "") -> Promotion:
    """Let the adapter go live again that was live before today's; twice in a row goes back two, not forth.

    An adapter that cannot be used any more is told and passed over. It ends a canary, too.

    Raises:
        InputError: nobody's name.
        PromotionError: there is nothing to go back to.
        ConflictError: somebody else changed what is live meanwhile.
    """
    who, brand = _said(by, "a name", WHO), context.brand_id
    live, before = context.store.standing(brand).live, back_to(context)
    if before is None:
        told = f"nothing is live for {brand}"
        if live:
            told = f"{live} is live for {brand}, and no usable one was before it"
        raise PromotionError(told, remedy=f"brand-voice promote --brand {brand} --adapter NAME")
    why = " ".join(reason.split())
    back = Promotion(brand=brand, act="rollback", adapter=before, previous=live, reason=why, by=who)
    context.store.promote(back)
    return back


def back_to(context: Context) -> str | None:
    """Whom a rollback brings back: the last one before today's that can be used; what is passed over is told."""
    went = _went_live(context.store.promotions(context.brand_id))
    for name in (each for each in reversed(went) if each != went[-1]):  # today's may have come back by a promotion
        try:
            find(context.workspace.adapters, context.brand_id, name)
        except ArtifactError as exc:
            context.notify(f"{name} is passed over: {exc.message}")
        else:
            return name
    return None


def start_canary(context: Context, adapter: str | None, share: float, *, by: str) -> Promotion:
    """Give an adapter a share of the traffic beside the one that is live; a canary that runs gives way to it.

    Raises:
        ArtifactError: there is no such adapter, or it is damaged.
        InputError: nobody's name, or no share between 0 and 1.
        PromotionError: nothing is live, it is live itself, or both cannot be served side by side.
        ConflictError: somebody else changed what is live meanwhile.
    """
    who, brand = _said(by, "a name", WHO), context.brand_id
    if not 0 < share < 1:
        raise InputError(f"a canary's share lies between 0% and 100%; saw {share:.0%}", remedy="try --canary 10%")
    live = context.store.standing(brand).live
    if live is None:
        raise PromotionError(
            f"nothing is live for {brand} that a canary could run beside", remedy=f"brand-voice promote --brand {brand}"
        )
    chosen = _other_than(context, live, adapter)
    if context.settings.serve.mode == "merged":
        raise PromotionError("a merged server holds one adapter only", remedy="set serve.mode = 'lora' for a canary")
    if chosen.student_hash != adapter_of(context).student_hash:
        raise PromotionError(
            f"{chosen.name} and {live} were trained on different students and cannot be served side by side",
            remedy=f"brand-voice evaluate --brand {brand} --adapter {chosen.name} --against {live}",
        )
    canary = Promotion(brand=brand, act="canary", adapter=live, previous=live, canary=chosen.name, share=share, by=who)
    context.store.promote(canary)
    engine = published_address(context.workspace.server_file)
    if engine is not None and engine.is_running and engine.lora_rank is None:
        told = "the engine that runs now holds one adapter only, so it gets no traffic yet"
        context.notify(f"{told}: start `serve` again, with serve.mode = 'lora' or 'auto'")
    return canary


def end_canary(context: Context, *, by: str) -> Promotion:
    """Give all traffic back to the adapter that is live.

    Raises:
        InputError: nobody's name.
        PromotionError: there is no canary.
        ConflictError: somebody else changed what is live meanwhile.
    """
    who, brand, standing = _said(by, "a name", WHO), context.brand_id, context.store.standing(context.brand_id)
    if standing.live is None or standing.canary is None:
        raise PromotionError(f"{brand} has no canary", remedy=f"brand-voice promote --brand {brand} --canary 10%")
    end = Promotion(brand=brand, act="end_canary", adapter=standing.live, previous=standing.live, by=who)
    context.store.promote(end)
    return end


def history(context: Context) -> History:
    """What was live when, by whom and why; a golden set decides where the gate let pass, not where it was forced."""
    changes = context.store.promotions(context.brand_id)
    return History(changes, dict(Counter(change.golden for change in changes if change.golden is not None)))


def listed(context: Context) -> tuple[Listed, ...]:
    """All adapters of the brand, oldest first, with what they are today and the newest report on each."""
    standing = context.store.standing(context.brand_id)
    filed = reports(context.workspace.evaluations, context.brand_id)
    marks: dict[str | None, Literal["live", "canary"]] = {standing.canary: "canary", standing.live: "live"}
    return tuple(
        Listed(each, marks.get(each.name, ""), next(reversed(filed.about(each.name)), None))
        for each in adapters(context.workspace.adapters, context.brand_id)
    )


def next_step(context: Context) -> str | None:
    """The command that brings the newest adapter closer to going live; none where it was live, or the gate refuses."""
    brand, store = context.brand_id, context.store
    trained = adapters(context.workspace.adapters, brand)
    if not trained or trained[-1].name in {change.adapter for change in store.promotions(brand)}:
        return None
    judged = judge(context, trained[-1])
    if judged.gate.passes:
        return f"brand-voice promote --brand {brand}"
    return None if judged.decides else _evaluation(context, trained[-1].name)


def _went_live(changes: Sequence[Promotion]) -> list[str]:
    """The adapters that can be gone back to, the one that is live last: a rollback takes off what it leaves behind."""
    stack: list[str] = []
    for change in changes:
        if change.act == "rollback":
            while stack and stack[-1] != change.adapter:
                stack.pop()
        if change.adapter not in stack[-1:]:
            stack.append(change.adapter)
    return stack


def _other_than(context: Context, live: str | None, name: str | None) -> AdapterManifest:
    """The candidate, unless it is live."""
    chosen, brand = candidate_of(context, name), context.brand_id
    if chosen.name == live:
        raise PromotionError(
            f"{live} is live for {brand} already", remedy=f"name another one: brand-voice adapters --brand {brand}"
        )
    return chosen


def _refusal(context: Context, adapter: AdapterManifest, judged: Judged) -> PromotionError:
    again = _evaluation(context, adapter.name)
    return PromotionError(
        f"{adapter.name} may not go live: {'; '.join(judged.gate.reasons)}",
        remedy="train on more reviewed copy, or --force REASON" if judged.decides else again,
        reasons=judged.gate.reasons,
    )


def _evaluation(context: Context, adapter: str) -> str:
    return f"brand-voice evaluate --brand {context.brand_id} --adapter {adapter} --against {opponent(context)}"


def _said(text: str, what: str, remedy: str) -> str:
    if not text.strip():
        raise InputError(f"{what} is missing", remedy=remedy)
    return " ".join(text.split())
