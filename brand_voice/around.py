"""What stands around an evaluation's figures: people's votes, a judge's, reviewers' effort, and what it all costs.

A report is complete without any of it. So nothing here may lose one: a judge that fails or reaches its cap leaves the
rulings it gave, and a note that says why there are no more.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.economics import economics
from brand_voice.effort import effort
from brand_voice.errors import BrandVoiceError, SettingsError
from brand_voice.evidence import Economics, JudgeFigures, Report
from brand_voice.generate import Request, generate
from brand_voice.judge import SAMPLING, Duel, Question, judge_figures, questions, ruling
from brand_voice.protocol import AttemptError, said_in
from brand_voice.records import Ballot, Brief, Draft
from brand_voice.registry import adapters
from brand_voice.settings import RECORDED, Endpoint
from brand_voice.snapshot import split_of
from brand_voice.vote import vote_figures

HELD_OUT = ("test", "unseen_product")


class Sides(NamedTuple):
    """The two sides of a report, by the names under which their drafts are stored."""

    candidate: str
    reference: str

    @property
    def names(self) -> set[str]:
        """Both."""
        return {self.candidate, self.reference}


def enrich(context: Context, report: Report) -> Report:
    """The report with votes, judge, effort and economics, as far as each is to be had."""
    sides = Sides(report.adapter, _reference(context, report))
    ballots = [b for b in context.store.ballots(context.brand_id) if {b.left, b.right} == sides.names]
    margin = context.settings.margins.reading
    judged, note = _judged(context, sides, ballots)
    return report.model_copy(
        update={
            "votes": vote_figures(ballots, *sides, margin) if ballots else None,
            "judge": judged,
            "effort": effort(context.store.reviewed_by_writer(context.brand_id)),
            "economics": _economics(context, report),
            "notes": (*report.notes, *filter(None, [note])),
        }
    )


def _reference(context: Context, report: Report) -> str:
    settings, side = context.settings, report.side("reference")
    if report.against == "teacher" and settings.teacher == RECORDED:
        return RECORDED
    if report.against == "teacher" and settings.teacher in settings.teachers:
        return settings.teachers[settings.teacher].model
    return side.name if side else report.against


def _economics(context: Context, report: Report) -> Economics | None:
    trained = (m for m in adapters(context.workspace.adapters, context.brand_id) if m.name == report.adapter)
    manifest = next(trained, None)
    if manifest is None or "seconds" not in manifest.metrics:
        return None
    price = context.settings.machine_usd_per_hour
    return economics(report, training_seconds=manifest.metrics["seconds"], machine_usd_per_hour=price)


def _judged(context: Context, sides: Sides, ballots: Sequence[Ballot]) -> tuple[JudgeFigures | None, str]:
    """A judge's figures where one is configured, and why they are missing or short."""
    if context.settings.judge is None:
        return None, ""
    try:
        endpoint = _judge_endpoint(context, context.settings.judge)
    except SettingsError as error:
        return None, _told(context, error)
    duels = _duels(context, sides, ballots)
    asked = {duel.ids: questions(duel, context.brand.guide, endpoint.model) for duel in duels}
    answers, note = _answers(context, endpoint, [question for both in asked.values() for question in both])
    rulings = {ids: ruling(*(answers.get(question.id) for question in both)) for ids, both in asked.items()}
    given = {ids: each for ids, each in rulings.items() if each is not None}
    return (judge_figures(endpoint.model, duels, given, ballots) if given else None), note


def _judge_endpoint(context: Context, name: str) -> Endpoint:
    if name == RECORDED:
        raise SettingsError("the recorded teacher judges nothing", remedy="set judge to one of the [teachers.NAME]")
    return context.settings.teacher_endpoint(name)


def _answers(context: Context, endpoint: Endpoint, asked: Sequence[Question]) -> tuple[dict[str, str], str]:
    """Answers by their questions' ids, paid for in an earlier run or now; and why there are no more."""
    answers: dict[str, str] = {}
    for id_, raw in context.store.raw_answers([question.id for question in asked]).items():
        with suppress(AttemptError):  # what was streamed or stopped half-way is asked for again
            answers[id_] = said_in(raw, endpoint.name)
    missing = [
        Request(draft_id=q.id, brief=q.brief, messages=q.messages, candidate=q.is_swapped, author="teacher")
        for q in asked
        if q.id not in answers
    ]
    cap = context.settings.judge_max_cost_usd
    try:
        with Chat(endpoint) as chat:
            drafts = generate(missing, chat, SAMPLING, journal=context.store, max_cost_usd=cap)
            for draft in context.track(drafts, "judge", len(missing)):
                if draft.is_ok:
                    answers[draft.id] = draft.text
    except BrandVoiceError as error:
        return answers, _told(context, error)
    return answers, ""


def _duels(context: Context, sides: Sides, ballots: Sequence[Ballot]) -> list[Duel]:
    """What the judge reads: the pairs people voted on, then held-out briefs that both wrote for, by their hashes."""
    brand, store = context.brand, context.store
    briefs = {h: b for h, b in store.briefs_by_hash(brand.guide.id).items() if b.channel in brand.guide.channels}
    duels: dict[tuple[str, str], Duel] = {}

    def add(candidate: Draft | None, reference: Draft | None) -> None:
        if candidate and reference and candidate.brief_hash in briefs:
            duel = Duel(briefs[candidate.brief_hash], candidate, reference)
            duels.setdefault(duel.ids, duel)

    for ballot in ballots:
        ids = (ballot.vote.left, ballot.vote.right)
        candidate, reference = ids if ballot.left == sides.candidate else reversed(ids)
        add(store.draft(candidate), store.draft(reference))
    takes = _first_takes(context)
    ours, theirs = takes.get(sides.candidate, {}), takes.get(sides.reference, {})
    for hash_ in sorted(ours.keys() & theirs.keys() & briefs.keys()):
        if _is_held_out(context, briefs[hash_]):
            add(ours[hash_], theirs[hash_])
    return list(duels.values())[: context.settings.judge_pairs]


def _first_takes(context: Context) -> dict[str, dict[str, Draft]]:
    """Every writer's newest first take for every brief, by writer and the brief's hash."""
    found: dict[str, dict[str, Draft]] = defaultdict(dict)
    for draft in context.store.drafts(context.brand_id):
        if draft.candidate == 0:
            found[draft.adapter or draft.model][draft.brief_hash] = draft
    return found


def _is_held_out(context: Context, brief: Brief) -> bool:
    return split_of(brief, is_unseen=context.brand.is_unseen(brief)) in HELD_OUT


def _told(context: Context, error: BrandVoiceError) -> str:
    note = f"Judge: {error.message}; {error.remedy}."
    context.notify(note)
    return note
