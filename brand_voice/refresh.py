"""From newly approved copy to the next adapter: snapshot, distil, evaluate against what is live, propose or promote.

Made for cron. Nothing is remembered between runs but what the steps leave behind, and every step looks for that first:
a snapshot is found by its content, an adapter by snapshot and settings, a report by adapter, opponent and golden set, a
promotion by what is live. So a run that was killed anywhere is simply run again, and a run without new approvals ends
at once. A lock that the kernel takes back with the process keeps two runs on one brand apart.

A golden set that is looked at every night lets chance pass in the end. So approvals count as new from the newest
snapshot that made an adapter judged on it against what is live, refused or not; and from that of an adapter which a
person rolled back, because its like would come out again. It does not know how the gate decides.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, NamedTuple, Protocol

from brand_voice import golden, loop, preference, promotion, snapshot
from brand_voice.assess import Question, assess
from brand_voice.context import Context
from brand_voice.distill import OnStep
from brand_voice.errors import ConflictError
from brand_voice.gate import BASE
from brand_voice.records import AdapterManifest, Approved, Record
from brand_voice.registry import Filed, adapters, find, reports

BY = "refresh"
"""Who promotes, in the history."""


class Bar(Protocol):
    """A progress bar for training."""

    def __call__(self, label: str, /) -> AbstractContextManager[OnStep]:
        """Open one under a label."""
        ...


class Ask(NamedTuple):
    """What a refresh is asked for."""

    is_auto: bool = False
    """Promote when the gate passes."""
    prefers: bool = False
    """Train further on edits (DPO) after distillation."""


class Refreshed(Record):
    """What a refresh came to."""

    brand: str
    outcome: Literal["nothing_new", "proposed", "refused", "promoted"]
    sentence: str
    fresh: int
    """Approvals to train on since the newest snapshot that was judged, rolled back, or is live."""
    live: str | None
    """What was live before."""
    snapshot: str | None = None
    adapter: str | None = None
    report: str | None = None
    """Folder of the report that decides, below `evaluations/`."""
    beside: str | None = None
    """Folder of the report against distillation alone, where edits were trained on."""
    reasons: tuple[str, ...] = ()
    """Why it may not go live."""
    remarks: tuple[str, ...] = ()
    """What the gate did not judge, and what to keep in mind."""


def refresh(context: Context, ask: Ask, *, bar: Bar) -> Refreshed:
    """Make the next adapter of a brand out of what was approved since the live one's snapshot and the last look.

    Raises:
        ConflictError: another refresh of the brand is running, or somebody promoted meanwhile.
        InputError: nothing approved may be trained on, or too few edits.
        TrainingError: the training failed.
        ArtifactError: golden briefs were trained on.
        ServeError: an adapter cannot be served.
    """
    with _alone(context):
        live = context.store.standing(context.brand_id).live
        looks = _looks(context, live)
        fresh, least = len(fresh_approvals(context, live, looks)), context.settings.refresh.min_new
        done = Refreshed(brand=context.brand_id, outcome="nothing_new", sentence="", fresh=fresh, live=live)
        found = _judged(context, ask, live, looks) if fresh < least else _adapters(context, ask, bar)
        if found is None:
            told = f"nothing new: {fresh} approvals to train on that no judged adapter saw, {least} make a refresh"
            return done.model_copy(update={"sentence": told})
        adapter, plain = found
        done = done.model_copy(update={"snapshot": adapter.snapshot, "adapter": adapter.name})
        if adapter.name == live:
            told = f"nothing new: {fresh} new approvals left the snapshot as it was, and {live} is live"
            return done.model_copy(update={"sentence": told})
        return _decided(context, ask, adapter, _evaluated(context, adapter, plain, done))


class Look(NamedTuple):
    """An adapter that was judged, or taken back."""

    until: str
    """The newest approval that it could learn from."""
    adapter: str


def fresh_approvals(context: Context, live: str | None, looks: Sequence[Look] = ()) -> list[Approved]:
    """What was approved since the snapshot of an adapter, and the newest of `looks`, and may be trained on.

    Everything where there is neither. Held-out briefs, channels that are gone, and texts whose terms forbid training
    do not count: they make no better adapter.
    """
    brand = context.brand
    since = max([_looked_at_until(context, live) if live else "", *(look.until for look in looks)])
    return [
        a
        for a in context.store.approved(brand.guide.id)
        if a.review.created_at > since
        and a.draft.distillation_permitted
        and a.brief.channel in brand.guide.channels
        and snapshot.split_of(a.brief, is_unseen=brand.is_unseen(a.brief)) == "train"
    ]


def _looked_at_until(context: Context, live: str) -> str:
    """The newest approval that the adapter's snapshot looked at."""
    adapter = find(context.workspace.adapters, context.brand_id, live)
    known = {m.name: m for m in snapshot.manifests(context.workspace.snapshots, context.brand_id)}
    frozen = known.get(adapter.snapshot)
    return adapter.created_at if frozen is None else frozen.approved_until or frozen.created_at


def _looks(context: Context, live: str | None) -> list[Look]:
    """Who was judged against the live adapter on today's golden set, or rolled back, in the order of what they saw."""
    workspace, brand = context.workspace, context.brand_id
    frozen = golden.newest(workspace.golden, brand)
    on = (live or BASE, frozen.name if frozen else None)
    seen = {m.name: m.approved_until or m.created_at for m in snapshot.manifests(workspace.snapshots, brand)}
    made = {m.name: m.snapshot for m in adapters(workspace.adapters, brand)}
    judged = (f.report for f in reports(workspace.evaluations, brand).filed)
    looks = [Look(seen.get(r.snapshot, r.created_at), r.adapter) for r in judged if (r.against, r.golden) == on]
    for act in context.store.promotions(brand):
        if act.act == "rollback" and act.previous:
            looks.append(Look(seen.get(made.get(act.previous, ""), act.created_at), act.previous))
    return sorted(looks)


def _judged(
    context: Context, ask: Ask, live: str | None, looks: Sequence[Look]
) -> tuple[AdapterManifest, AdapterManifest | None] | None:
    """The candidate of a run before this one that was judged already: to be decided on, without another look."""
    if not looks or len(fresh_approvals(context, live)) < context.settings.refresh.min_new:
        return None
    newest = {look.adapter for look in looks if look.until == looks[-1].until}
    for known in adapters(context.workspace.adapters, context.brand_id):
        plain = loop.trained(context, known.snapshot) if known.name in newest else None
        further = loop.trained(context, known.snapshot, on_top_of=plain.name) if plain and ask.prefers else None
        candidate = further if ask.prefers else plain
        if candidate and candidate.name == known.name and promotion.judge(context, candidate).decides:
            return candidate, plain if ask.prefers else None
    return None


def _check_live(context: Context, live: str | None) -> None:
    """Refuse to go on with an opponent that is not live any more."""
    today = context.store.standing(context.brand_id).live
    if today != live:
        raise ConflictError(
            f"{today or 'nothing'} is live for {context.brand_id} by now, not {live or 'nothing'}",
            remedy="run the refresh again: it judges against what is live",
        )


@contextmanager
def _alone(context: Context) -> Iterator[None]:
    """Hold the brand's lock; the kernel gives it back however this process ends."""
    path = context.workspace.root / f".refresh-{context.brand_id}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            raise ConflictError(
                f"another refresh of {context.brand_id} is running (process {lock.read().strip() or 'unknown'})",
                remedy="wait until it is done",
            ) from exc
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _adapters(context: Context, ask: Ask, bar: Bar) -> tuple[AdapterManifest, AdapterManifest | None]:
    """The candidate and, where it was trained further on edits, the adapter that it came from."""
    context.notify("== snapshot")
    frozen = loop.freeze(context)
    context.notify(f"{frozen.name}: " + ", ".join(f"{split} {count}" for split, count in frozen.counts.items()))
    if ask.prefers:
        preference.check_pairs(loop.edits(context, frozen.name), context.settings.preference)
    plain = loop.trained(context, frozen.name)
    if plain is None:
        context.notify("== distill")
        with bar("distill") as on_step:
            plain = loop.train(context, snapshot_name=frozen.name, on_step=on_step)
    if not ask.prefers:
        return plain, None
    further = loop.trained(context, frozen.name, on_top_of=plain.name)
    if further is None:
        context.notify("== preference")
        with bar("preference") as on_step:
            further = loop.prefer(context, plain, on_step=on_step)
    return further, plain


def _evaluated(context: Context, adapter: AdapterManifest, plain: AdapterManifest | None, done: Refreshed) -> Refreshed:
    """The reports: against what is live, or the base; for edits also against distillation alone."""
    samples = context.settings.refresh.samples
    _check_live(context, done.live)
    judged = promotion.judge(context, adapter)
    if not judged.decides:
        context.notify("== evaluate")
        assess(context, Question(adapter=adapter.name, against=done.live or BASE, samples=samples))
        judged = promotion.judge(context, adapter)
    beside = None
    if plain is not None and plain.name != done.live:
        filed = reports(context.workspace.evaluations, context.brand_id).about(adapter.name)
        known = next((each for each in filed if each.report.against == plain.name), None)
        if known is None:
            context.notify("== evaluate against distillation alone")
            found = assess(context, Question(adapter=adapter.name, against=plain.name, samples=samples))
            known = Filed(found.folder.name, found.report)
        beside = known.folder
        context.notify(f"against distillation alone ({beside}): {known.report.sentence}")
    return done.model_copy(
        update={
            "remarks": judged.gate.remarks,
            "report": judged.filed.folder if judged.filed else None,
            "beside": beside,
            "reasons": (*judged.gate.reasons, *_rolled_back(context, adapter)),
        }
    )


def _rolled_back(context: Context, adapter: AdapterManifest) -> tuple[str, ...]:
    """That a person took this adapter back: what the figures say of it is no longer the question."""
    for act in reversed(context.store.promotions(context.brand_id)):
        if act.act == "rollback" and act.previous == adapter.name:
            return (f"{act.by} rolled it back on {act.created_at[:10]}{f': {act.reason}' if act.reason else ''}",)
    return ()


def _decided(context: Context, ask: Ask, adapter: AdapterManifest, done: Refreshed) -> Refreshed:
    """Promote, propose, or say why not."""
    place = f"in place of {done.live}" if done.live else "as the first one"
    if done.reasons or not ask.is_auto:  # a promotion tells them itself
        for remark in done.remarks:
            context.notify(remark)
    _check_live(context, done.live)
    if done.reasons:
        stays = f", {done.live} stays live" if done.live else ""
        told = f"{adapter.name} stays out{stays}: {'; '.join(done.reasons)}"
        return done.model_copy(update={"outcome": "refused", "sentence": told})
    if not ask.is_auto:
        command = f"brand-voice promote --brand {done.brand} --adapter {adapter.name}"
        told = f"{adapter.name} may go live {place}: {command}"
        return done.model_copy(update={"outcome": "proposed", "sentence": told})
    context.notify("== promote")
    promotion.promote(context, adapter.name, by=BY)
    told = f"{adapter.name} is live {place}"
    return done.model_copy(update={"outcome": "promoted", "sentence": told})
