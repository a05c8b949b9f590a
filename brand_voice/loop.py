"""From brief to adapter, stage by stage, on a workspace: what the commands and the demo have in common.

A stage yields records; here they are saved as they come, so that a kill loses only what is in flight and the next run
goes on from there.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from brand_voice import distill, generate, golden, preference, review, snapshot
from brand_voice.adopt import adopt, propose
from brand_voice.artifacts import read_manifest
from brand_voice.brief_files import CopyRow
from brand_voice.chat import Chat
from brand_voice.context import Context, saved
from brand_voice.errors import InputError
from brand_voice.merge import find_base
from brand_voice.promotion import next_step
from brand_voice.prompts import student_prompt_hash, teacher_messages
from brand_voice.recorded import candidates_recorded, recorded_teacher
from brand_voice.records import AdapterManifest, Brief, Draft, Record, Review, Screening, SnapshotManifest
from brand_voice.registry import adapters, find
from brand_voice.screen.screening import Screener
from brand_voice.settings import RECORDED, Endpoint, Settings
from brand_voice.shipped import shipped


class Ask(NamedTuple):
    """What to ask a teacher for."""

    teacher: str = RECORDED
    candidates: int | None = None
    """Drafts a brief; none asks for one, or for as many as are recorded."""
    limit: int | None = None
    """Briefs at most."""
    max_cost_usd: float | None = None
    """Cap on what the brand's attempts may cost altogether, those of earlier runs included."""


def teacher_endpoint(context: Context, name: str) -> AbstractContextManager[Endpoint]:
    """The configured teacher, or a local server that replays the brand's recordings."""
    if name != RECORDED:
        return nullcontext(context.settings.teacher_endpoint(name))
    brand = context.brand
    if not brand.recordings:
        raise InputError(
            f"{brand.guide.id} has no recorded copy", remedy="configure a teacher; README, Teachers, shows how"
        )
    return recorded_teacher(brand.guide, brand.briefs, brand.recordings)


def write_drafts(context: Context, ask: Ask) -> list[Draft]:
    """Let the teacher write what is missing; drafts that are there are not asked for again."""
    brand, store, sampling = context.brand, context.store, context.settings.teacher_sampling
    briefs = brand.briefs[: ask.limit]
    store.save_brand_briefs(briefs)
    recorded = candidates_recorded(brand.briefs, brand.recordings)

    def candidates(brief: Brief) -> int:
        if ask.teacher != RECORDED:
            return ask.candidates or 1
        takes = recorded.get(brief.hash, 1)
        return min(takes, ask.candidates or takes)

    with teacher_endpoint(context, ask.teacher) as endpoint, Chat(endpoint) as chat:
        wanted = generate.requests(
            briefs,
            lambda b: teacher_messages(brand.guide, b),
            author="teacher",
            model=endpoint.model,
            sampling=sampling,
            candidates=candidates,
        )
        done = store.ok_draft_ids(brand.guide.id)
        missing = list({r.draft_id: r for r in wanted if r.draft_id not in done}.values())
        cap = None if ask.max_cost_usd is None else max(0.0, ask.max_cost_usd - store.spent_usd(brand.guide.id))
        drafts = generate.generate(missing, chat, sampling, journal=store, max_cost_usd=cap)
        return list(saved(context.track(drafts, "generate", len(missing)), store.save_drafts))


def screen_drafts(context: Context) -> list[Screening]:
    """Hold every draft that has no screening under today's guide against the brand's rules."""
    brand, store = context.brand, context.store
    screener = Screener(brand.guide, brand.catalogue)
    screened = store.screenings(brand.guide.id)
    briefs = store.briefs_by_hash(brand.guide.id)
    todo = []
    for draft in store.drafts(brand.guide.id):
        known = screened.get((draft.id, 0))
        if known is None or known.guide_version != brand.guide.version:
            todo.append(draft)
    fresh = (screener.screen(d.text, briefs[d.brief_hash], draft_id=d.id) for d in todo)
    return list(saved(context.track(fresh, "screen", len(todo)), store.save_screenings))


def apply_recorded_reviews(context: Context, *, spare: int = 0) -> int:
    """Append the brand's recorded verdicts to the drafts their reviewer read; returns how many.

    The last `spare` lines of `reviews.jsonl` are left out.
    """
    brand, store = context.brand, context.store
    screener = Screener(brand.guide, brand.catalogue)
    drafts = {d.id: d for d in store.drafts(brand.guide.id, author="teacher")}
    briefs = store.briefs_by_hash(brand.guide.id)
    found = list(
        review.recorded_reviews(
            drafts.values(),
            briefs.values(),
            brand.reviews[: len(brand.reviews) - spare],
            recordings=brand.recordings,
            reviewed=store.reviewed_ids(brand.guide.id),
        )
    )
    edits = [
        review.screen_edit(verdict, briefs[drafts[verdict.draft_id].brief_hash], screener.screen)
        for verdict in context.track(found, "review", len(found))
    ]
    store.add_reviews(found, [e for e in edits if e is not None])
    return len(found)


def import_copy(context: Context, rows: Iterable[CopyRow], *, reviewer: str) -> int:
    """Store rows that have a brief as approved drafts of a person; returns how many are new.

    New is what has no verdict yet: what an import that was killed stored without its approval is approved now.
    """
    brand, store = context.brand, context.store
    screener = Screener(brand.guide, brand.catalogue)
    judged = store.reviewed_ids(brand.guide.id)
    fresh = {a.draft.id: a for a in adopt(rows, reviewer=reviewer) if a.draft.id not in judged}
    screenings = [
        screener.screen(a.draft.text, a.brief, draft_id=a.draft.id)
        for a in context.track(fresh.values(), "import", len(fresh))
    ]
    store.save_brand_briefs(a.brief for a in fresh.values())
    store.save_drafts(a.draft for a in fresh.values())
    store.save_screenings(screenings)
    store.add_reviews(a.review for a in fresh.values())
    return len(fresh)


def propose_briefs(context: Context, rows: Sequence[CopyRow]) -> Iterator[CopyRow]:
    """Let the configured teacher say what the briefs of published texts were.

    Rows come back in their order, one by one: whatever ends this early, those that came are the caller's to keep.

    Raises:
        InputError: no teacher is configured: recordings propose nothing.
    """
    settings = context.settings
    if settings.teacher == RECORDED:
        raise InputError(
            "the recorded teacher proposes no briefs", remedy="configure a teacher; README, Teachers, shows how"
        )
    missing = sum(bool(row.missing) for row in rows)
    with Chat(settings.teacher_endpoint(settings.teacher)) as chat:
        done = propose(rows, context.brand.guide, chat, settings.teacher_sampling, journal=context.store)
        yield from context.track(done, "propose", missing)


def freeze(context: Context) -> SnapshotManifest:
    """Freeze what is approved into a snapshot; nothing in it gives away a held-out brief, of today's or golden."""
    brand = context.brand
    approved = context.store.approved(brand.guide.id)
    unseen = frozenset(a.brief.hash for a in approved if brand.is_unseen(a.brief))
    parent, settings = context.workspace.snapshots, context.settings.snapshot
    asked = [each.brief for each in held_out(context)]
    frozen = golden.newest(context.workspace.golden, brand.guide.id)
    if frozen is not None:
        asked += [each.brief for each in golden.load(context.workspace.golden / frozen.name)]
    return snapshot.freeze(brand.guide, approved, unseen, parent, held_out=asked, settings=settings)


def held_out(context: Context) -> list[golden.GoldenBrief]:
    """The brand's held-out briefs of today: what a new golden set would hold."""
    brand = context.brand
    briefs = context.store.briefs(brand.guide.id)
    sides = ((brief, snapshot.split_of(brief, is_unseen=brand.is_unseen(brief))) for brief in briefs)
    return [golden.GoldenBrief(brief=brief, split=split) for brief, split in sides if split in golden.HELD_OUT]


def student_of(settings: Settings) -> str:
    """Path or hub id of the base student.

    Raises:
        InputError: a path that is no folder.
    """
    student = settings.student or str(shipped("data") / "base-student")
    looks_like_path = student.startswith((".", "/", "~")) or student.count("/") > 1
    if looks_like_path and not Path(student).expanduser().is_dir():
        raise InputError(f"no student at {student}", remedy="give a folder with a model, or a hub id like org/name")
    return str(Path(student).expanduser()) if looks_like_path else student


def train(context: Context, *, snapshot_name: str | None, on_step: distill.OnStep) -> AdapterManifest:
    """Distil the newest snapshot, or the one named, into a new adapter."""
    workspace, settings = context.workspace, context.settings
    folder = _snapshot_folder(context, snapshot_name)
    frozen = distill.Snapshot(
        manifest=read_manifest(folder, SnapshotManifest),
        train=snapshot.load(folder, "train"),
        validation=snapshot.load(folder, "validation"),
    )
    return distill.distill(
        context.brand.guide, frozen, student_of(settings), settings.training, parent=workspace.adapters, on_step=on_step
    )


def _snapshot_folder(context: Context, name: str | None) -> Path:
    parent = context.workspace.snapshots
    return snapshot.newest(parent, context.brand_id) if name is None else parent / name


def trained(context: Context, snapshot_name: str, *, on_top_of: str | None = None) -> AdapterManifest | None:
    """The newest adapter of this snapshot with today's settings, student and prompt; none where there is none.

    `on_top_of` names the adapter that it was trained further from on edits; none for one that was only distilled.
    """
    settings, parent = context.settings, context.workspace.adapters
    student = student_of(settings)
    wanted = settings.training.model_dump() | {"renames": distill.is_renaming(student, settings.training)}
    further = settings.preference.model_dump() | {"adapter": on_top_of}
    base = find_base(student).hash
    for known in reversed(adapters(parent, context.brand_id)):
        edits = known.training.get("preference")
        is_kind = edits is None if on_top_of is None else edits is not None and further.items() <= edits.items()
        is_todays = known.student_hash == base and known.prompt_hash == student_prompt_hash()
        if is_kind and is_todays and known.snapshot == snapshot_name and wanted.items() <= known.training.items():
            return find(parent, context.brand_id, known.name)
    return None


def train_further(context: Context, *, snapshot_name: str | None, on_step: distill.OnStep) -> AdapterManifest:
    """Train a snapshot's adapter further on its edits; it is distilled unless it is there."""
    name = _snapshot_folder(context, snapshot_name).name
    adapter = trained(context, name) or train(context, snapshot_name=name, on_step=on_step)
    return prefer(context, adapter, on_step=on_step)


def prefer(context: Context, adapter: AdapterManifest, *, on_step: distill.OnStep) -> AdapterManifest:
    """Train an adapter further on the edits of its snapshot.

    Raises:
        InputError: too few edits.
    """
    settings = context.settings
    return preference.prefer(
        context.brand.guide,
        preference.Start(adapter, student_of(settings), edits(context, adapter.snapshot)),
        settings.preference,
        max_length=settings.training.max_length,
        parent=context.workspace.adapters,
        on_step=on_step,
    )


def edits(context: Context, snapshot_name: str) -> list[preference.Pair]:
    """The edits in a snapshot's training split: what was made of a draft, over the draft."""
    examples = snapshot.load(context.workspace.snapshots / snapshot_name, "train")
    drafts = (context.store.draft(e.draft_id) for e in examples if e.verdict == "edit")
    return preference.pairs_of(examples, {d.id: d for d in drafts if d is not None})


def decide(context: Context, draft_id: str, said: review.Said) -> tuple[Review, Screening | None]:
    """Store a verdict on a draft; an edit is screened again.

    Raises:
        InputError: no such draft, or the verdict is incomplete.
        ConflictError: somebody decided it in the meantime.
    """
    brand, store = context.brand, context.store
    draft = store.draft(draft_id)
    brief = store.briefs_by_hash(brand.guide.id).get(draft.brief_hash) if draft else None
    if draft is None or brief is None:
        raise InputError(f"no draft {draft_id!r} of {brand.guide.id}", remedy="brand-voice review lists the queue")
    revision = len(store.reviews(draft_id)) + 1
    screener = Screener(brand.guide, brand.catalogue)
    said["revision"] = revision
    verdict, screening = review.review(draft, brief, screener.screen, **said)
    store.add_review(verdict, screening)
    return verdict, screening


class State(Record):
    """How far a brand is, and what to do next."""

    brand: str
    briefs: int
    drafts: int
    failed: int
    findings: dict[str, int]
    verdicts: dict[str, int]
    unreviewed: int
    snapshots: tuple[str, ...]
    adapters: tuple[str, ...]
    next: str
    live: str | None = None
    canary: str | None = None
    share: float = 0.0
    """Of the traffic, the canary's."""

    def screen(self) -> str:
        """The state as lines of text."""

        def listed(counts: dict[str, int]) -> str:
            return ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"

        beside = f"; {self.canary} gets {self.share:.0%}" if self.canary else ""
        rows = (
            ("briefs", f"{self.briefs}"),
            ("drafts", f"{self.drafts}, {self.failed} failed"),
            ("findings", listed(self.findings)),
            ("verdicts", f"{listed(self.verdicts)}; {self.unreviewed} wait"),
            ("snapshots", ", ".join(self.snapshots[-3:]) or "none"),
            ("adapters", ", ".join(self.adapters[-3:]) or "none"),
            ("live", f"{self.live or 'none'}{beside}"),
            ("next", self.next),
        )
        return "\n".join([self.brand, *(f"  {name:<10} {value}" for name, value in rows)])


def state_of(context: Context) -> State:
    """Count what a brand has and name the next step."""
    brand, workspace = context.brand_id, context.workspace
    counts = context.store.counts(brand)
    frozen = tuple(m.name for m in snapshot.manifests(workspace.snapshots, brand))
    trained = tuple(m.name for m in adapters(workspace.adapters, brand))
    promotable = next_step(context)
    standing = context.store.standing(brand)
    approved = sum(n for verdict, n in counts.verdicts.items() if verdict != "reject")
    steps = (
        (not counts.drafts, f"brand-voice generate --brand {brand}"),
        (not approved, f"brand-voice review --brand {brand}, or brand-voice app"),
        (not frozen, f"brand-voice snapshot --brand {brand}"),
        (not trained, f"brand-voice distill --brand {brand}"),
        (promotable is not None, promotable or ""),
        (bool(counts.unreviewed), f"brand-voice app: {counts.unreviewed} drafts wait for review"),
    )
    command = next((each for is_due, each in steps if is_due), f"brand-voice write --brand {brand} --template")
    return State(
        brand=brand,
        briefs=max(counts.briefs, len(context.brand.briefs)),
        drafts=counts.drafts,
        failed=counts.failed,
        findings={k: v for k, v in counts.findings.items()},
        verdicts={k: v for k, v in counts.verdicts.items()},
        unreviewed=counts.unreviewed,
        snapshots=frozen,
        adapters=trained,
        next=command,
        live=standing.live,
        canary=standing.canary,
        share=standing.share,
    )
