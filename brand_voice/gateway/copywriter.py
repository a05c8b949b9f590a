"""`POST /v1/copy`: a brief as fields in; a text, what the rules say of it, who wrote it and why it is this one.

The cascade writes it: the student, the best of several of its texts, then the teacher within its budget; what was
written is stored and can be reviewed. It is synchronous like the rest of the house and runs in threads. Where no engine
answers, a brief waits for one, and with a teacher it does not wait long.
"""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from brand_voice import cascade
from brand_voice.answer_files import SOURCE_TYPE
from brand_voice.brief_files import brief_of_fields
from brand_voice.cascade import Cascade
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.errors import BrandVoiceError, ChatError, InputError
from brand_voice.gateway.accounts import Entry
from brand_voice.gateway.fleet import Engine
from brand_voice.gateway.refusals import RefusedError, bad_request, engine_failed, too_late
from brand_voice.gateway.router import LOOK_AGAIN_S, Router, Target
from brand_voice.live import Answered
from brand_voice.records import Brief
from brand_voice.screen.screening import Screener

THREADS = 64
TEACHER_AFTER_S = 5.0
"""How long a brief waits for an engine where the teacher could write as well."""
OF_THE_ENGINE = frozenset({"unreachable", "server_error", "bad_answer"})
"""Failures that another engine may not meet."""


class Copywriter:
    """Answers briefs, for the event loop; the work is done in threads."""

    def __init__(self, context: Context, router: Router) -> None:
        self._context = context
        self._router = router
        self._screener = Screener(context.brand.guide, context.brand.catalogue)
        self._threads = ThreadPoolExecutor(THREADS, "copy")
        self._turn = threading.Lock()
        self._opened: dict[tuple[Engine, str], tuple[Cascade, ExitStack]] = {}
        self._latest: Cascade | None = None
        """Where its engine has gone, it turns to the teacher."""

    def open(self) -> None:
        """Prepare for what is live.

        Raises:
            SettingsError: the cascade's teacher is unknown, or has no key or no price.
        """
        target = self._router.standing_by()
        if target is not None:
            self._open(target)

    def close(self) -> None:
        """Drop the connections; nobody waits for texts that are still being written."""
        for _, stack in self._opened.values():
            stack.close()
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
        except RefusedError:
            raise
        except ChatError as error:
            raise engine_failed(error.message) from error
        except BrandVoiceError as error:
            raise RefusedError(500, error.message, code="copy_failed", remedy=error.remedy) from error
        entry.adapter = "teacher" if answered.by == "teacher" else answered.draft.adapter
        entry.usage, entry.why = answered.draft.usage, answered.why
        return _told(answered, brief)

    async def _answered(self, model: str, brief: Brief, entry: Entry, deadline: float) -> Answered:
        spare = self._latest if self._latest and self._latest.teacher else None
        wait_s = deadline - time.monotonic()
        patience = deadline - wait_s + min(wait_s / 2, TEACHER_AFTER_S) if spare else deadline
        while True:
            try:
                target = await self._router.wait(model, patience)
            except RefusedError as error:
                if spare is None or error.code == "model_not_found":
                    raise
                return await self._from_teacher(spare, brief, deadline, error)
            entry.adapter = target.adapter
            with target.engine.busy():
                try:
                    return await self._written(await self._cascade(target), brief, deadline)
                except ChatError as error:
                    if error.kind not in OF_THE_ENGINE or target.engine.server.is_alive:
                        raise
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _from_teacher(self, spare: Cascade, brief: Brief, deadline: float, otherwise: RefusedError) -> Answered:
        try:
            return await self._written(spare, brief, deadline)
        except ChatError:
            raise otherwise from None

    async def _written(self, by: Cascade, brief: Brief, deadline: float) -> Answered:
        async with asyncio.timeout(deadline - time.monotonic()):
            return await asyncio.get_running_loop().run_in_executor(self._threads, by.answer, brief)

    async def _cascade(self, target: Target) -> Cascade:
        known = self._opened.get((target.engine, target.adapter))
        if known is None:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._open, target)
        return known[0]

    def _open(self, target: Target) -> Cascade:
        """A cascade before an adapter; those whose engine has gone are closed."""
        with self._turn:
            key = (target.engine, target.adapter)
            if key in self._opened:
                return self._opened[key][0]
            stack = ExitStack()
            endpoint = target.engine.server.endpoint(target.adapter)
            limits = {"read_timeout_s": self._context.settings.gateway.deadline_s, "max_attempts": 1}
            chat = stack.enter_context(Chat(endpoint.model_copy(update=limits)))
            opened = stack.enter_context(cascade.opened(self._context, chat, screener=self._screener))
            for gone in [each for each in self._opened if not each[0].server.is_alive]:
                self._opened.pop(gone)[1].close()
            self._opened[key], self._latest = (opened, stack), opened
            return opened


def _told(answered: Answered, brief: Brief) -> dict[str, Any]:
    draft, findings = answered.draft, answered.screening.findings
    is_blocked = any(finding.severity == "block" for finding in findings)
    return {
        "object": "copy",
        "id": draft.id,
        "brief_id": brief.id,
        "text": draft.text,
        "status": "blocked" if is_blocked else "ok",
        "findings": [finding.model_dump(mode="json") for finding in findings],
        "by": answered.by,
        "why": answered.why,
        "takes": answered.takes,
        "model": draft.adapter or draft.model,
        "usage": draft.usage.model_dump(),
        "cost_usd": answered.cost_usd,
        "guide_version": answered.screening.guide_version,
        "digital_source_type": SOURCE_TYPE,
    }
