"""The cascade: the student first, then the best of several of its texts, then the teacher within a budget.

A brief goes on as long as `handover.fault` finds fault with the text it has. Whatever fails on the way (the student's
server, the teacher, its budget), the best text there is gets delivered with the reason; only where nobody wrote
anything is that an error. Everything written is stored and can be reviewed, and each brief that went to the teacher is
remembered as an escalation: what the next adapter should learn.

Takes are numbered at random, since an answer to a person is no stage to be run again: who asks twice for the same
brief gets two texts, and no draft stands in another's way. The teacher's are numbered from 0, so that a text it wrote
for the same brief before, here or in `generate`, is delivered again instead of paid for again.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple

from brand_voice import calibration
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.daemons import begun
from brand_voice.desk import REASONS, RETRIED
from brand_voice.errors import BrandError, ChatError
from brand_voice.generate import Request, ask, generate, requests
from brand_voice.handover import Try, best, better, fault
from brand_voice.live import Answered, Escalation
from brand_voice.prompts import student_messages, teacher_messages
from brand_voice.records import Brief, Draft, Usage, draft_id
from brand_voice.screen.screening import Screener
from brand_voice.teacher import ENDLESS, NO_TIME, Patience, Reply, Teacher, opened_teacher

TEACHER_TEXTS = 3
"""Texts of the teacher for one brief that may turn out blocked before it is left alone with it."""
NONE_STANDS = "what the teacher wrote for this brief is blocked or was not approved"
FIRST_FREE, FREE = 1_000_000, 2_000_000_000
"""Candidates of live takes: beyond those of any stage, within 32 bits."""


class Asked(NamedTuple):
    """An answer, with all that was written for it."""

    answered: Answered
    brief: Brief
    tries: tuple[Try, ...]
    escalation: Escalation | None


class _Taught(NamedTuple):
    """What came of asking the teacher, and its text as it was judged."""

    reply: Reply
    tried: Try | None = None


@contextmanager
def opened(
    context: Context, student: Chat, *, screener: Screener | None = None, run_usd: float | None = None
) -> Iterator["Cascade"]:
    """The cascade of a brand before a running student, for as long as the block runs; its teacher is opened with it.

    Args:
        context: the brand, its settings and the store.
        student: the student's chat; its model is the adapter.
        screener: the brand's rules where they are prepared already.
        run_usd: what the teacher may cost for as long as the block runs, and it has all its time; none holds it to
            `cascade.max_usd` a day, shared with everybody on this workspace, and to `cascade.teacher_timeout_s`.

    Raises:
        SettingsError: the teacher is unknown, or has no key or no price.
        ArtifactError: the adapter's calibration cannot be read.
    """
    with opened_teacher(context, run_usd=run_usd) as teacher:
        yield Cascade(context, student, screener=screener, teacher=teacher)


class Cascade:
    """One adapter before its teacher; safe for threads."""

    def __init__(
        self, context: Context, student: Chat, *, screener: Screener | None = None, teacher: Teacher | None = None
    ) -> None:
        self._context = context
        self._student = student
        self._teacher = teacher
        self._screener = screener or Screener(context.brand.guide, context.brand.catalogue)
        self._known = {brief.hash: brief for brief in context.brand.briefs}
        found = calibration.find(context.workspace.calibrations, self.adapter)
        is_ours = found is not None and found.sampling == context.settings.student_sampling
        self._calibration = found if is_ours else None
        self._uncalibrated = "was calibrated with another sampling" if found else "is not calibrated"

    @property
    def adapter(self) -> str:
        """Who writes first."""
        return self._student.endpoint.model

    @property
    def teacher(self) -> str | None:
        """Who is asked last: its model's name; none where there is nobody."""
        return self._teacher.endpoint.model if self._teacher else None

    @property
    def min_mean_logprob(self) -> float | None:
        """Under this a text is handed over; none where only the rules decide."""
        return self._calibration.min_mean_logprob if self._calibration else None

    @property
    def decides(self) -> str:
        """What decides whether a text is handed over, in a sentence."""
        if self._calibration is None:
            return f"Only the rules decide: {self.adapter} {self._uncalibrated}."
        return self._calibration.sentence

    def answer(self, brief: Brief, patience: Patience = ENDLESS) -> Answered:
        """Answer a brief, and store all that was written for it.

        Once the patience is over nobody else is asked: the best text there is by then is the answer.

        Raises:
            InputError: the brand has no such channel.
            ChatError: nobody wrote a text.
            StoreError: the database cannot be used.
        """
        asked = self.ask(brief, patience)
        self.keep([asked])
        return asked.answered

    def keep(self, asked: Iterable[Asked]) -> None:
        """Store what was written for briefs, and which of them went to the teacher."""
        done, store = tuple(asked), self._context.store
        tries = [tried for each in done for tried in each.tries]
        if tries:
            store.save_brand_briefs(each.brief for each in done)
            store.save_drafts(tried.draft for tried in tries)
            store.save_screenings(tried.screening for tried in tries if tried.screening is not None)
            store.escalate(each.escalation for each in done if each.escalation is not None)

    def ask(self, brief: Brief, patience: Patience = ENDLESS) -> Asked:
        """Answer a brief; only what the teacher wrote is stored, at once, because it was paid for.

        Raises:
            InputError, ChatError, StoreError: as `answer`.
        """
        brief = self._known.get(brief.hash) or brief.model_copy(update={"id": f"write-{brief.hash}"})
        sampling, adapter = self._context.settings.student_sampling, self.adapter
        first = self._judged(ask(self._request(brief), self._student, sampling, adapter=adapter), brief)
        tries = [first]
        if fault(first, self.min_mean_logprob) and first.draft.failure in {None, *RETRIED} and not patience.is_over:
            tries += self._others(brief, patience)
        chosen = best(tries)
        wrong = fault(chosen, self.min_mean_logprob)
        taught = self._turn_to_teacher(brief, patience) if wrong else None
        return self._asked(brief, tries, chosen, taught)

    def _others(self, brief: Brief, patience: Patience) -> list[Try]:
        """The student's other texts, those that come in time."""
        sampling, came = self._context.settings.student_sampling, list[Try]()
        wanted = [self._request(brief) for _ in range(self._context.settings.cascade.best_of - 1)]

        def write() -> None:
            for draft in generate(wanted, self._student, sampling, adapter=self.adapter):
                came.append(self._judged(draft, brief))

        if patience.left_s is None:
            write()
        else:
            with suppress(TimeoutError):
                begun(write, "best-of").result(patience.left_s)
        return list(came)

    def _asked(self, brief: Brief, tries: list[Try], chosen: Try, taught: _Taught | None) -> Asked:
        after = better(chosen, taught.tried) if taught and taught.tried else chosen
        if after.screening is None:
            raise self._nobody(chosen, taught)
        by: Literal["student", "best_of", "teacher"] = "best_of" if len(tries) > 1 else "student"
        by = "teacher" if taught and after is taught.tried else by
        wrong = fault(chosen, self.min_mean_logprob)
        escalation = None
        if taught is not None and taught.reply.was_asked and not taught.reply.is_stored and wrong is not None:
            escalation = Escalation(brand=brief.brand, brief_hash=brief.hash, draft_id=chosen.draft.id, why=wrong)
        answered = Answered(
            draft=after.draft,
            screening=after.screening,
            by=by,
            why=self._why(tries, chosen, after, taught),
            takes=len(tries) + (taught is not None and taught.reply.was_asked and not taught.reply.is_stored),
            cost_usd=taught.reply.spent_usd if taught and taught.reply.spent_usd else None,
            usage=_usage(tries if taught is None or taught.reply.is_stored else [*tries, taught.tried]),
        )
        written = (*tries, taught.tried) if taught and taught.tried else tuple(tries)
        return Asked(answered, brief, written, escalation)

    def _request(self, brief: Brief) -> Request:
        guide, sampling = self._context.brand.guide, self._context.settings.student_sampling
        candidate = FIRST_FREE + secrets.randbelow(FREE)
        messages = student_messages(guide, brief)
        return Request(
            draft_id=draft_id(brief, messages, self.adapter, sampling, candidate),
            brief=brief,
            messages=messages,
            candidate=candidate,
            author="student",
            wants_logprobs=True,
        )

    def _judged(self, draft: Draft, brief: Brief) -> Try:
        if not draft.is_ok:
            return Try(draft, None)
        try:
            return Try(draft, self._screener.screen(draft.text, brief, draft_id=draft.id))
        except BrandError:  # a pattern of the guide that does not end on this text: nobody knows whether it may go out
            return Try(draft, None)

    def _turn_to_teacher(self, brief: Brief, patience: Patience) -> _Taught:
        """The teacher's text for a brief, one of before where it stands, or why there is none."""
        teacher = self._teacher
        if teacher is None:
            return _Taught(Reply(problem="there is no teacher to ask"))
        if patience.is_over:
            return _Taught(NO_TIME)
        earlier = None
        for request in self._teacher_requests(brief, teacher):
            reply = teacher.ask(request, self._context.settings.teacher_sampling, patience)
            if reply.draft is None or not reply.is_stored:
                is_last = earlier is not None and reply.draft is None and teacher.endpoint.is_recorded
                return self._taught(reply._replace(problem=NONE_STANDS) if is_last else reply, brief)
            earlier = self._taught(reply, brief)
            if earlier.tried and earlier.tried.is_publishable and self._stands(reply.draft):
                return earlier
        return _Taught(Reply(problem=NONE_STANDS))

    def _taught(self, reply: Reply, brief: Brief) -> _Taught:
        return _Taught(reply, self._judged(reply.draft, brief) if reply.draft else None)

    def _teacher_requests(self, brief: Brief, teacher: Teacher) -> Iterator[Request]:
        messages = teacher_messages(self._context.brand.guide, brief)
        model, sampling = teacher.endpoint.model, self._context.settings.teacher_sampling
        return requests(
            [brief], lambda _: messages, author="teacher", model=model, sampling=sampling, candidates=TEACHER_TEXTS
        )

    def _stands(self, draft: Draft) -> bool:
        """Whether no reviewer wanted a stored draft otherwise than it is."""
        verdicts = self._context.store.reviews(draft.id)
        return not verdicts or verdicts[-1].verdict in {"approve", "undo"}

    def _why(self, tries: list[Try], chosen: Try, after: Try, taught: _Taught | None) -> str:
        """The way of a brief in a sentence; it names rules and figures, and never repeats a text."""
        wrong = self._wrong(tries[0])
        passes = f"no blocking finding{self._certain(after)}"
        if not wrong:
            return f"The student's first text has {passes}."
        said = f"The student's first text {wrong}"
        if taught is None:
            return f"{said}; of its {len(tries)} texts this one is the best: {passes}."
        if len(tries) > 1:
            said += f", the best of {len(tries)} {self._wrong(chosen)}"
        if taught.tried is None:
            return f"{said}, and {taught.reply.problem}: this is the student's best."
        if after is not taught.tried:
            return f"{said}, the teacher's {self._wrong(taught.tried)}: this is the student's best."
        blocked = f", though it {self._wrong(after)}" if after.is_blocked else ""
        whence = "the teacher wrote this one before" if taught.reply.is_stored else "the teacher wrote this one"
        return f"{said}; {whence}{blocked}."

    def _wrong(self, tried: Try) -> str:
        """What is wrong with a text, after its subject; empty if nothing is."""
        match fault(tried, self.min_mean_logprob if tried.draft.author == "student" else None):
            case "blocked" if tried.screening is not None:
                return f"was blocked ({', '.join(dict.fromkeys(f.check for f in tried.screening.blocks))})"
            case "uncertain":
                return f"was too uncertain ({tried.draft.mean_logprob:.2f}, wanted {self.min_mean_logprob:.2f})"
            case "failed":
                kind = tried.draft.failure
                return f"did not come ({REASONS[kind] if kind else 'a rule did not end on it'})"
        return ""

    def _certain(self, tried: Try) -> str:
        if self.min_mean_logprob is None:
            return "; only the rules decided"
        certainty = tried.draft.mean_logprob
        return "" if certainty is None else f", and is certain enough ({certainty:.2f})"

    def _nobody(self, chosen: Try, taught: _Taught | None) -> ChatError:
        kind = chosen.draft.failure or "bad_answer"
        problem = taught.reply.problem if taught else ""
        return ChatError(
            f"no text: the student's {self._wrong(chosen)}, and {problem or 'the teacher gave none'}",
            remedy="look whether the student is served; README, Cascade, says how to give it a teacher",
            kind=kind,
        )


def _usage(tries: Iterable[Try | None]) -> Usage:
    """The tokens of all texts together."""
    counted = [tried.draft.usage for tried in tries if tried is not None]
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in counted),
        completion_tokens=sum(usage.completion_tokens for usage in counted),
    )
