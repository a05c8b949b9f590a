"""`POST /v1/copy`: a brief as fields in; a text, what the rules say of it, who wrote it and why it is this one.

Writing and screening are synchronous like the rest of the house and run in threads. Neither brief nor text is kept.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from brand_voice.answer_files import SOURCE_TYPE
from brand_voice.brief_files import brief_of_fields
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.desk import REASONS, RETRIED
from brand_voice.errors import BrandError, ChatError, InputError
from brand_voice.gateway.accounts import Entry
from brand_voice.gateway.fleet import Engine
from brand_voice.gateway.refusals import RefusedError, bad_request, engine_failed, too_late
from brand_voice.gateway.router import LOOK_AGAIN_S, Router, Target
from brand_voice.generate import generate, requests
from brand_voice.live import Answered
from brand_voice.prompts import student_messages
from brand_voice.protocol import REMEDIES
from brand_voice.records import Brief, Draft, Screening
from brand_voice.screen.screening import Screener

Answer = Callable[[Brief], Answered]
"""Writes a text for a brief, in the caller's thread; raises `ChatError` where no text came of it."""
THREADS = 64
TEACHER_AFTER_S = 5.0
"""How long a brief waits for an engine where the teacher could write as well."""
TAKES = 2
"""A text with a blocking finding, or one that did not end, is asked for once more."""
OF_THE_ENGINE = frozenset({"unreachable", "server_error", "bad_answer"})
"""Failures that another engine, or the teacher, may not meet."""


def student_answer(context: Context, screener: Screener, chat: Chat, adapter: str) -> Answer:
    """The student alone: one text, and another where the first one is blocked."""

    def answer(brief: Brief) -> Answered:
        started = time.monotonic()
        tries: list[tuple[Draft, Screening]] = []
        failure = None
        for take in range(TAKES):
            draft = _ask(context, chat, adapter, brief, take)
            failure = draft.failure
            if failure is not None and failure not in RETRIED:
                break
            if failure is None:
                tries.append((draft, screener.screen(draft.text, brief, draft_id=draft.id)))
                if not _blocks(tries[-1][1]):
                    break
        if not tries:
            assert failure is not None, "a draft without a failure is a try"
            raise ChatError(REASONS[failure], remedy=REMEDIES[failure], kind=failure)
        draft, screening = min(tries, key=lambda each: _blocks(each[1]))
        price, seconds = context.settings.machine_usd_per_hour, time.monotonic() - started
        return Answered(
            draft,
            screening,
            by="student",
            why=_why(take + 1, _blocks(screening)),
            takes=take + 1,
            cost_usd=None if price is None else seconds / 3_600 * price,
        )

    return answer


class Copywriter:
    """Answers briefs, for the event loop; the work is done in threads."""

    def __init__(self, context: Context, router: Router, *, teacher: Answer | None = None) -> None:
        """Prepare; `teacher` writes where no engine answers in time."""
        self._context = context
        self._router = router
        self._teacher = teacher
        self._screener = Screener(context.brand.guide, context.brand.catalogue)
        self._threads = ThreadPoolExecutor(THREADS, "copy")
        self._chats: dict[tuple[Engine, str], Chat] = {}

    def close(self) -> None:
        """Drop the connections; nobody waits for texts that are still being written."""
        for chat in self._chats.values():
            chat.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def brief(self, fields: dict[str, Any]) -> Brief:
        """The brief that the fields make; `model` is none of them.

        Raises:
            RefusedError: they make none.
        """
        brand = self._context.brand
        try:
            return brief_of_fields(fields, brand=brand.guide, products=brand.products)
        except InputError as error:
            raise bad_request(error.message, error.remedy, code="invalid_brief") from error

    async def write(self, model: str, brief: Brief, entry: Entry) -> dict[str, Any]:
        """A text for a brief.

        Raises:
            RefusedError: none came of it in time.
        """
        seconds = self._context.settings.gateway.deadline_s
        try:
            answered = await self._answered(model, brief, entry, time.monotonic() + seconds)
        except TimeoutError as exc:
            raise too_late(seconds) from exc
        except ChatError as error:
            raise engine_failed(error.message) from error
        except BrandError as error:  # a pattern of the guide that does not end on this text
            raise RefusedError(500, error.message, code="screening_failed", remedy=error.remedy) from error
        entry.usage, entry.why = answered.draft.usage, f"{answered.by}, {answered.takes} takes"
        return _told(answered)

    async def _answered(self, model: str, brief: Brief, entry: Entry, deadline: float) -> Answered:
        wait_s = deadline - time.monotonic()
        patience = deadline - wait_s + min(wait_s / 2, TEACHER_AFTER_S) if self._teacher else deadline
        while True:
            try:
                target = await self._router.wait(model, patience)
            except RefusedError as error:
                if self._teacher is None or error.code == "model_not_found":
                    raise
                entry.adapter = "teacher"
                return await self._written(self._teacher, brief, deadline)
            entry.adapter = target.adapter
            answer = student_answer(self._context, self._screener, self._chat(target), target.adapter)
            with target.engine.busy():
                try:
                    return await self._written(answer, brief, deadline)
                except ChatError as error:
                    if error.kind not in OF_THE_ENGINE or target.engine.server.is_alive:
                        raise
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _written(self, answer: Answer, brief: Brief, deadline: float) -> Answered:
        async with asyncio.timeout(deadline - time.monotonic()):
            return await asyncio.get_running_loop().run_in_executor(self._threads, answer, brief)

    def _chat(self, target: Target) -> Chat:
        for key in [key for key in self._chats if not key[0].server.is_alive]:
            self._chats.pop(key).close()
        key = (target.engine, target.adapter)
        if key not in self._chats:
            endpoint = target.engine.server.endpoint(target.adapter)
            seconds = self._context.settings.gateway.deadline_s
            self._chats[key] = Chat(endpoint.model_copy(update={"read_timeout_s": seconds, "max_attempts": 1}))
        return self._chats[key]


def _ask(context: Context, chat: Chat, adapter: str, brief: Brief, take: int) -> Draft:
    sampling = context.settings.student_sampling
    render = partial(student_messages, context.brand.guide)
    wanted = requests([brief], render, author="student", model=adapter, sampling=sampling, candidates=take + 1)
    return next(iter(generate(list(wanted)[take:], chat, sampling, adapter=adapter)))


def _blocks(screening: Screening) -> int:
    return sum(finding.severity == "block" for finding in screening.findings)


def _why(takes: int, blocks: int) -> str:
    if takes == 1:
        return "the student's first text has no blocking finding"
    return f"of the student's {takes} texts this one has the fewest blocking findings: {blocks}"


def _told(answered: Answered) -> dict[str, Any]:
    draft, findings = answered.draft, answered.screening.findings
    return {
        "object": "copy",
        "text": draft.text,
        "status": "blocked" if _blocks(answered.screening) else "ok",
        "findings": [finding.model_dump(mode="json") for finding in findings],
        "by": answered.by,
        "why": answered.why,
        "takes": answered.takes,
        "model": draft.model,
        "brief_id": draft.brief_id,
        "usage": draft.usage.model_dump(),
        "cost_usd": answered.cost_usd,
        "guide_version": answered.screening.guide_version,
        "digital_source_type": SOURCE_TYPE,
    }
