"""What stands around an evaluation's figures: people's votes, a judge's, reviewers' effort, and what it all costs.

A report is complete without any of it. So nothing here may lose one: a judge that fails or reaches its cap leaves the
rulings it gave, and a note that says why there are no more.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from brand_voice.ballots import Sides, held_out, votes_on
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.economics import economics
from brand_voice.effort import effort
from brand_voice.errors import BrandVoiceError, SettingsError
from brand_voice.evidence import Economics, JudgeFigures, Report
from brand_voice.figures import Scored, Side, firsts
from brand_voice.generate import Request, generate
from brand_voice.judge import SAMPLING, Duel, Question, judge_figures, questions, ruling
from brand_voice.protocol import AttemptError, said_in
from brand_voice.records import Ballot
from brand_voice.registry import adapters
from brand_voice.settings import RECORDED, Endpoint


def enrich(context: Context, report: Report, written: Sequence[Side] = ()) -> Report:
    """The report with votes, judge, effort and economics, as far as each is to be had.

    Args:
        context: where, for which brand.
        report: what was found already.
        written: the texts that it counts, for a judge to read; without them it reads what people voted on.
    """
    texts: dict[str, dict[str, Scored]] = {side.role: firsts(side.texts) for side in written}
    sides = Sides(report.adapter, _reference(context, report, texts.get("reference", {})))
    store, brand = context.store, context.brand
    ballots = held_out(store, brand, sides)
    judged, note = _judged(context, [*_voted(context, sides, ballots), *_golden(texts)], ballots)
    return report.model_copy(
        update={
            "votes": votes_on(store, brand, sides, context.settings.margins.reading),
            "judge": judged,
            "effort": effort(store.reviewed_by_writer(context.brand_id)),
            "economics": _economics(context, report),
            "notes": (*report.notes, *filter(None, [note])),
        }
    )


def _reference(context: Context, report: Report, texts: Mapping[str, Scored]) -> str:
    """The reference's name on its drafts; a teacher's, where no text tells, is the configured one's."""
    settings = context.settings
    for scored in texts.values():
        return scored.draft.adapter or scored.draft.model
    if report.against == "teacher" and settings.teacher in settings.teachers:
        return settings.teachers[settings.teacher].model
    return RECORDED if report.against == "teacher" else report.against


def _economics(context: Context, report: Report) -> Economics | None:
    trained = (m for m in adapters(context.workspace.adapters, context.brand_id) if m.name == report.adapter)
    manifest = next(trained, None)
    if manifest is None or "seconds" not in manifest.metrics:
        return None
    price = context.settings.machine_usd_per_hour
    return economics(report, training_seconds=manifest.metrics["seconds"], machine_usd_per_hour=price)


def _judged(context: Context, duels: Sequence[Duel], ballots: Sequence[Ballot]) -> tuple[JudgeFigures | None, str]:
    """A judge's figures where one is configured, and why they are missing or short."""
    if context.settings.judge is None:
        return None, ""
    try:
        endpoint = _judge_endpoint(context, context.settings.judge)
    except SettingsError as error:
        return None, _told(context, error)
    known = context.brand.guide.channels
    unlike = {duel.ids: duel for duel in duels if duel.brief.channel in known}
    duels = list(unlike.values())[: context.settings.judge_pairs]
    asked = {duel.ids: questions(duel, context.brand.guide, endpoint.model) for duel in duels}
    answers, note = _answers(context, endpoint, [question for both in asked.values() for question in both])
    rulings = {ids: ruling(*(answers.get(question.id) for question in both)) for ids, both in asked.items()}
    given = {ids: each for ids, each in rulings.items() if each is not None}
    figures = judge_figures(endpoint.model, duels, given, ballots) if answers else None
    return figures, note or ("" if duels else "Judge: there is no brief that both sides have written for.")


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


def _voted(context: Context, sides: Sides, ballots: Sequence[Ballot]) -> Iterator[Duel]:
    """The pairs that people voted on."""
    store = context.store
    briefs = store.briefs_by_hash(context.brand_id) if ballots else {}
    for ballot in ballots:
        ids = (ballot.vote.left, ballot.vote.right)
        candidate, reference = map(store.draft, ids if ballot.left == sides.candidate else reversed(ids))
        if candidate and reference:
            yield Duel(briefs[candidate.brief_hash], candidate, reference)


def _golden(texts: Mapping[str, Mapping[str, Scored]]) -> Iterator[Duel]:
    """First texts of both sides for the same golden briefs, in the order of the briefs' hashes."""
    ours, theirs = texts.get("candidate", {}), texts.get("reference", {})
    for key in sorted(ours.keys() & theirs.keys()):
        yield Duel(ours[key].brief, ours[key].draft, theirs[key].draft)


def _told(context: Context, error: BrandVoiceError) -> str:
    note = f"Judge: {error.message}; {error.remedy}."
    context.notify(note)
    return note
