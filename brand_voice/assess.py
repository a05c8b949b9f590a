"""An evaluation from beginning to end: golden set, leakage, texts of every writer, report.

The candidate is a student's adapter; it is held against the teacher, another adapter, or its own base with or without
approved examples in the prompt. What was asked once is not asked again: a second run computes the same report. On a CPU
models are served one after the other, each alone, because engines that share cores starve each other.
"""

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from brand_voice import golden, snapshot
from brand_voice.around import enrich
from brand_voice.brand import BrandFolder, brand_ids, load_brand
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.errors import BrandError, InputError
from brand_voice.evaluate import DECIDING, Subject, Voice, evaluate, markdown
from brand_voice.evidence import CascadePoint, Report
from brand_voice.figures import Scored, Side
from brand_voice.golden import GoldenBrief
from brand_voice.guide import Brand
from brand_voice.handover import Try, cascade_points
from brand_voice.loop import held_out, screen_drafts
from brand_voice.promotion import adapter_of, candidate_of, looks
from brand_voice.prompts import student_messages
from brand_voice.records import AdapterManifest, Brief, Draft, Example, Message
from brand_voice.registry import REPORT, as_filed, reports
from brand_voice.report.card import card
from brand_voice.report.page import page
from brand_voice.samples import Asking, Timed, Writer
from brand_voice.screen.screening import Screener
from brand_voice.serve import BASE_MODEL, StudentServer, attach
from brand_voice.student import start_base, start_server
from brand_voice.voice import Sample, VoiceJudge
from brand_voice.weighting import is_by_student

TEACHER, BASE, FEW_SHOT = "teacher", "base", "few_shot"
SHOTS = 2
"""Approved pairs in the prompt of `few_shot`."""
MIN_COPY = 40
"""Approved texts of a brand from which the voice judge learns it."""
MAX_COPY = 300
"""Approved texts of a brand that are enough: twice as many make the judge right 2 points more often and take three
times as long."""


class Question(NamedTuple):
    """What an evaluation is to answer."""

    adapter: str | None = None
    """The candidate; the newest where none is named."""
    against: str = TEACHER
    """`teacher`, `base`, `few_shot`, or an adapter's name; the alias `<brand>` is the live one."""
    samples: int = 3
    """Texts a brief."""
    new_golden: bool = False
    """Freeze the held-out briefs of today, where they differ from the golden set's."""


class Assessed(NamedTuple):
    """A report and where it lies."""

    report: Report
    folder: Path
    """Holds `report.json`."""
    sides: tuple[Side, ...]
    """The texts that the report counts."""


def assess(context: Context, question: Question, server: StudentServer | None = None) -> Assessed:
    """Answer the question on the brand's golden set, asking only for texts that are missing, and save the report.

    Args:
        context: where, for which brand.
        question: who is evaluated, against whom.
        server: one that runs already; used for the models it serves.

    Raises:
        InputError: nothing to hold the candidate against, or no held-out briefs.
        ArtifactError: no such adapter, its snapshot is gone, or it was trained on golden briefs.
        ServeError: a model cannot be served.
        ChatError: a server stopped answering; what it wrote is kept.
    """
    workspace, brand, store = context.workspace, context.brand, context.store
    adapter = candidate_of(context, question.adapter)
    if question.against == brand.guide.id:  # the alias: a report names who it was
        question = question._replace(against=adapter_of(context).name)
    train = snapshot.load(workspace.snapshots / adapter.snapshot, "train")
    manifest = _golden(context, is_new=question.new_golden)
    asked = golden.load(workspace.golden / manifest.name)
    golden.check_leakage(asked, store.approved(brand.guide.id), train)
    writers = [_adapter_writer(context, adapter), *_reference(context, question, adapter, train)]
    askings = [Asking(context, writer, [each.brief for each in asked], question.samples) for writer in writers]
    _answered(context, askings, adapter, server)
    screen_drafts(context)
    taught = _taught(context, asked, question.samples)
    sides = _sides(context, asked, [(asking.writer, asking.texts) for asking in askings], taught.texts)
    subject = Subject(
        adapter=adapter,
        guide=brand.guide,
        golden=manifest.name,
        decided_before=looks(context, manifest.name, adapter.name),
        against=question.against,
        samples=question.samples,
        margins=context.settings.margins,
    )
    report = enrich(context, evaluate(subject, sides, train, voice_of(context)), sides)
    report = report.model_copy(update={"cascade": curve(report, sides), "notes": (*report.notes, *taught.notes)})
    return Assessed(report, save_report(report, workspace.evaluations), tuple(sides))


def curve(report: Report, sides: Sequence[Side]) -> tuple[CascadePoint, ...]:
    """Quality against cost if the candidate handed over to the teacher; nothing where that wrote none of the texts."""
    by_role = {side.role: side for side in sides}
    teacher = by_role.get("reference" if report.against == TEACHER else "teacher")
    if teacher is None:
        return ()
    student, taught = ([Try(s.draft, s.screening) for s in side.texts] for side in (by_role["candidate"], teacher))
    figures = report.side("candidate")
    usd = figures.cost.usd_per_thousand if figures else None
    return cascade_points(student, taught, usd_per_student_text=None if usd is None else usd / 1_000)


def save_report(report: Report, parent: Path) -> Path:
    """Write a report into a folder of its own below `parent` and return that; it is never changed afterwards.

    One that says what the newest on the same adapter, opponent and golden set says, only later, is that one.
    """
    alike = (report.against, report.golden)
    filed = reports(parent, report.brand).about(report.adapter)
    newest = next((each for each in reversed(filed) if (each.report.against, each.report.golden) == alike), None)
    if newest is not None:
        earlier, _ = as_filed(report.model_copy(update={"created_at": newest.report.created_at}))
        if earlier == newest.folder:
            return parent / earlier
    name, text = as_filed(report)
    folder = parent / name
    folder.mkdir(parents=True, exist_ok=True)
    files = {"report.html": page(report), "report.md": markdown(report) + "\n", "card.md": card(report), REPORT: text}
    for file, text in files.items():  # `report.json` last: a folder without it holds no report
        partial = folder / f".{file}.{os.getpid()}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / file)
    return folder


def voice_of(context: Context) -> Voice | None:
    """A judge of voice from approved copy in the brand's language for training briefs, the brand's own and all others'.

    It is the same one whoever is evaluated: no adapter's snapshot, and no text that a student wrote and nobody changed,
    has a say in it. So shares of different reports compare as long as no further copy is approved.

    None where there is too little copy of this brand, or of every other one.
    """
    if find_spec("sklearn") is None:
        context.notify("voice is not measured: scikit-learn is not installed (`make setup`)")
        return None
    own = context.brand_id
    language = context.brand.guide.locales[0].split("-")[0]
    copy = {own: _approved_copy(context, context.brand, language)}
    products = list(context.brand.products)
    for other in brand_ids(context.workspace.brands):
        folder = _readable(context, other) if other != own else None
        samples = _approved_copy(context, folder, language) if folder else []
        if folder and len(samples) >= MIN_COPY:
            copy[other] = samples
            products += folder.products
    if len(copy) < 2 or len(copy[own]) < MIN_COPY:
        context.notify(f"voice is not measured: it takes {MIN_COPY} approved texts of this brand and of another one")
        return None
    return Voice(VoiceJudge.fit(copy, products), language)


def _readable(context: Context, brand_id: str) -> BrandFolder | None:
    """Another brand, unless its folder is in the making."""
    try:
        return load_brand(brand_id, context.workspace.brands)
    except BrandError as error:
        context.notify(f"voice is told apart without {brand_id}: {error.message}")
        return None


def _approved_copy(context: Context, folder: BrandFolder, language: str) -> list[Sample]:
    """Approved copy for training briefs, none of it a student's own: the store's, or where that is little, recorded."""
    briefs = {brief.id: brief for brief in folder.briefs}
    approved = context.store.approved(folder.guide.id)
    stored = [(a.brief, a.review.final_text) for a in approved if not is_by_student(a)]
    recorded = [(briefs[r.brief_id], r.final_text) for r in folder.reviews if r.verdict != "reject"]
    taught, known = (
        [
            Sample(text, brief)
            for brief, text in pairs
            if text
            and brief.locale.startswith(f"{language}-")
            and snapshot.split_of(brief, is_unseen=folder.is_unseen(brief)) == "train"
        ]
        for pairs in (stored, recorded)
    )
    return _enough(taught if len(taught) >= MIN_COPY else known)


def _enough(copy: Sequence[Sample]) -> list[Sample]:
    """As many texts as the judge needs, by hash of the brief, so that they stay the same ones."""
    return sorted(copy, key=lambda sample: sample.brief.hash)[:MAX_COPY]


def _golden(context: Context, *, is_new: bool) -> golden.GoldenManifest:
    """The brand's golden set; frozen on first use, or where a new one is asked for."""
    brand, parent = context.brand, context.workspace.golden
    today, channels = held_out(context), brand.guide.channels
    known = golden.newest(parent, brand.guide.id)
    if known is None or is_new:
        return golden.freeze(brand.guide.id, today, parent, channels=channels)
    frozen = golden.load(parent / known.name)
    golden.check_channels(frozen, channels)
    askable = {each.brief.hash for each in today if each.brief.channel in channels}
    later = len(askable - {each.brief.hash for each in frozen})
    if later:
        told = f"{later} held-out briefs came after golden set {known.name}, which stays as it is"
        context.notify(f"{told}; --new-golden freezes one with them")
    return known


def _adapter_writer(context: Context, adapter: AdapterManifest) -> Writer:
    return Writer(adapter.name, adapter.name, adapter.name, lambda b: student_messages(context.brand.guide, b))


def _reference(
    context: Context, question: Question, adapter: AdapterManifest, train: Sequence[Example]
) -> list[Writer]:
    """Whom to ask beside the candidate; nobody where the teacher's drafts are there."""
    guide, against = context.brand.guide, question.against
    key = adapter.student_hash[:16]
    match against:
        case "teacher":
            return []
        case "base":
            return [Writer(f"base-{key}", BASE_MODEL, None, lambda b: student_messages(guide, b))]
        case "few_shot":
            name = f"few_shot-{key}-{adapter.snapshot}"
            return [Writer(name, BASE_MODEL, None, lambda b: few_shot_messages(guide, train, b))]
    if against == adapter.name:
        raise InputError(f"{against} cannot be held against itself", remedy="name another adapter, or `teacher`")
    return [_adapter_writer(context, adapter_of(context, against))]


def few_shot_messages(guide: Brand, train: Sequence[Example], brief: Brief) -> tuple[Message, ...]:
    """The student's prompt after approved pairs of the same channel and locale, as earlier turns."""
    known = [e for e in train if (e.brief.channel, e.brief.locale) == (brief.channel, brief.locale)]
    turns: list[Message] = []
    for example in random.Random(brief.hash).sample(known, min(SHOTS, len(known))):
        turns += [*student_messages(guide, example.brief), Message(role="assistant", content=example.text)]
    return (*turns, *student_messages(guide, brief))


def _answered(
    context: Context, askings: Sequence[Asking], candidate: AdapterManifest, server: StudentServer | None
) -> None:
    """Let every writer write what is missing; whoever is not served yet is, for as long as that takes."""
    for asking in askings:
        writer = asking.writer
        if not asking.missing:
            continue
        # A base is told apart by who is served beside it: any student's is called the same.
        needed = {writer.model, writer.adapter or candidate.name}
        with ExitStack() as stack:
            running = [s for s in (server, attach(context.workspace.server_file)) if s and needed <= {*s.models}]
            chosen = running[0] if running else stack.enter_context(_started(context, writer, candidate))
            with Chat(chosen.endpoint(writer.model)) as chat:
                asking.ask(chat)


def _started(context: Context, writer: Writer, candidate: AdapterManifest) -> StudentServer:
    if writer.adapter is None:
        return start_base(context, candidate)
    return start_server(context, adapter_of(context, writer.adapter))


class _Taught(NamedTuple):
    """A teacher's texts for golden briefs."""

    texts: list[Timed]
    notes: tuple[str, ...]
    """Which other teachers' were left out."""


def _taught(context: Context, asked: Sequence[GoldenBrief], samples: int) -> _Taught:
    """The newest draft of each brief's first takes, of the teacher who wrote for most briefs; on a tie, who wrote last.

    One stray draft by another one does not replace the reference.
    """
    hashes = {each.brief.hash for each in asked}
    drafts = context.store.drafts(context.brand_id, author="teacher", ok_only=False)
    found = [Timed(draft=d, seconds=None) for d in drafts if d.brief_hash in hashes]
    reach: dict[str, set[str]] = defaultdict(set)
    for draft in (timed.draft for timed in reversed(found) if timed.draft.is_ok):
        reach[draft.model].add(draft.brief_hash)
    teacher = max(reach, key=lambda model: len(reach[model]), default=None)
    newest = {(t.draft.brief_hash, t.draft.candidate): t for t in found if t.draft.model == teacher and t.is_final}
    texts = [timed for (_, candidate), timed in sorted(newest.items()) if candidate < samples]
    others = sorted(f"{model} ({len(briefs)} briefs)" for model, briefs in reach.items() if model != teacher)
    told = f"The teacher is {teacher}, who wrote for most golden briefs; left out: {', '.join(others)}."
    return _Taught(texts, (told,) if others else ())


def _sides(
    context: Context,
    asked: Sequence[GoldenBrief],
    found: Sequence[tuple[Writer, list[Timed]]],
    taught: Sequence[Timed],
) -> list[Side]:
    """Candidate, reference, and beside them the teacher, where it is not the reference, and an echo of the brief."""
    usd_per_hour = context.settings.machine_usd_per_hour
    scored = _scorer(context, asked)
    if len(found) == 1 and not any(timed.draft.is_ok for timed in taught):
        raise InputError(
            f"no draft of a teacher for any golden brief of {context.brand_id}",
            remedy=f"brand-voice generate --brand {context.brand_id}, or hold it --against another adapter",
        )
    sides = [
        Side(_spoken(writer), role, scored(texts), usd_per_hour)
        for role, (writer, texts) in zip(DECIDING, found, strict=False)
    ]
    if taught:
        name = f"the teacher ({taught[0].draft.model})"
        sides.append(Side(name, "teacher" if len(sides) > 1 else "reference", scored(taught)))
    limits = {name: channel.max_chars for name, channel in context.brand.guide.channels.items()}
    echoes = [_echo(each.brief, limits.get(each.brief.channel, 0)) for each in asked]
    return [*sides, Side("echo of the brief", "echo", scored(echoes))]


def _spoken(writer: Writer) -> str:
    return writer.adapter or ("the base with examples" if writer.name.startswith(FEW_SHOT) else "the base")


def _scorer(context: Context, asked: Sequence[GoldenBrief]) -> Callable[[Iterable[Timed]], list[Scored]]:
    """What the rules say of texts for golden briefs; texts for a brief of the same content under another id count."""
    screener = Screener(context.brand.guide, context.brand.catalogue)
    known = {each.brief.hash: each for each in asked}

    def scored(texts: Iterable[Timed]) -> list[Scored]:
        rows = []
        for draft, seconds, is_alone in ((timed.draft, timed.seconds, timed.is_alone) for timed in texts):
            brief, split = known[draft.brief_hash].brief, known[draft.brief_hash].split
            screening = screener.screen(draft.text, brief, draft_id=draft.id) if draft.is_ok else None
            rows.append(Scored(brief, split, draft, screening, seconds=seconds, is_alone=is_alone))
        return rows

    return scored


def _echo(brief: Brief, max_chars: int) -> Timed:
    draft = Draft(
        id=f"echo-{brief.hash}",
        brand=brief.brand,
        brief_id=brief.id,
        brief_hash=brief.hash,
        author="person",
        model="echo",
        text=echoed(brief, max_chars),
    )
    return Timed(draft=draft, seconds=None)


def echoed(brief: Brief, max_chars: int) -> str:
    """Name, message, offer and call to action, then as many facts as there is room for: what a text must beat."""
    parts = list(filter(None, (brief.product.name, brief.offer, brief.key_message, brief.cta)))
    for fact in brief.product.facts:
        if fact not in parts and len(". ".join([*parts, fact])) < max_chars:
            parts.append(fact)
    return ". ".join(parts) + "."
