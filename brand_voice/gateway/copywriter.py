"""`POST /v1/copy`: a brief as fields in; a text, what the rules say of it, who wrote it and why it is this one.

The cascade writes it: the student, the best of several of its texts, then the teacher within its budget; what was
written is stored and can be reviewed. It is synchronous like the rest of the house and runs in threads. Where no engine
answers, a brief waits for one, and with a teacher it does not wait long.
"""

import asyncio
import threading
import time
from http import HTTPStatus
from typing import Any

import httpx2

from brand_voice.answer_files import SOURCE_TYPE
from brand_voice.brief_files import brief_of_fields
from brand_voice.context import Context
from brand_voice.daemons import Crew
from brand_voice.errors import BrandVoiceError, ChatError, InputError
from brand_voice.gateway.accounts import Entry
from brand_voice.gateway.fleet import Engine
from brand_voice.gateway.refusals import RefusedError, bad_request, engine_failed, too_late
from brand_voice.gateway.router import LOOK_AGAIN_S, Router, Target
from brand_voice.gateway.seats import Seats
from brand_voice.live import Answered
from brand_voice.records import Brief
from brand_voice.teacher import Patience

THREADS = 64
TEACHER_AFTER_S = 5.0
"""How long a brief waits for an engine where the teacher could write as well."""
TO_ANSWER_S = 1.0
"""Left of the deadline for storing and sending what there is; a tenth of what is left, if that is less."""
HEALTH_TIMEOUT_S = 5.0
OF_THE_ENGINE = frozenset({"unreachable", "server_error", "bad_answer"})
"""Failures that another engine may not meet."""


class Copywriter:
    """Answers briefs, for the event loop; the work is done in threads."""

    def __init__(self, context: Context, router: Router) -> None:
        self._context = context
        self._router = router
        self._seats = Seats(context)
        self._crew = Crew(THREADS, "copy")

    def open(self) -> None:
        """Prepare for what is live.

        Raises:
            SettingsError: the cascade's teacher is unknown, or has no key or no price.
        """
        self._seats.open()
        target = self._router.standing_by()
        if target is not None:
            with self._seats.at(target):
                pass

    def close(self) -> None:
        """Drop the connections; nobody waits for texts that are still being written."""
        self._crew.close()
        self._seats.close()

    def brief(self, fields: dict[str, Any]) -> Brief:
        """The brief that the fields make; `model` is none of them.

        Raises:
            RefusedError: they make none.
        """
        brand = self._seats.brand
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
            if error.kind == "rejected":
                raise bad_request(error.message, "shorten the brief", code="invalid_brief") from error
            raise engine_failed(error.message) from error
        except BrandVoiceError as error:
            raise RefusedError(500, error.message, code="copy_failed", remedy=error.remedy) from error
        entry.usage, entry.why = answered.usage, answered.why
        return _told(answered, brief)

    async def _answered(self, model: str, brief: Brief, entry: Entry, deadline: float) -> Answered:
        has_spare = self._seats.has_spare
        wait_s = deadline - time.monotonic()
        patience = deadline - wait_s + min(wait_s / 2, TEACHER_AFTER_S) if has_spare else deadline
        while True:
            try:
                target = await self._router.wait(model, patience)
            except RefusedError as error:
                if not has_spare or error.code == "model_not_found":
                    raise
                entry.adapter = "teacher"
                return await self._from_teacher(brief, deadline, error)
            entry.adapter = target.adapter
            with target.engine.busy():
                try:
                    return await self._written(target, brief, deadline)
                except ChatError as error:
                    if error.kind not in OF_THE_ENGINE or await _is_well(target.engine):
                        raise
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _from_teacher(self, brief: Brief, deadline: float, otherwise: RefusedError) -> Answered:
        try:
            return await self._written(None, brief, deadline)
        except ChatError:
            raise otherwise from None

    async def _written(self, target: Target | None, brief: Brief, deadline: float) -> Answered:
        """The cascade's answer; once nobody waits for it, it begins nothing more."""
        gone = threading.Event()
        left_s = deadline - time.monotonic()
        patience = Patience(deadline - min(TO_ANSWER_S, left_s / 10), gone.is_set)

        def write() -> Answered:
            with self._seats.at(target) as cascade:
                return cascade.answer(brief, patience)

        try:
            async with asyncio.timeout(left_s):
                return await asyncio.wrap_future(self._crew.submit(write))
        finally:
            gone.set()


async def _is_well(engine: Engine) -> bool:
    """Whether an engine lives and says so itself: vLLM's API process outlives its dead core by a moment."""
    if not engine.server.is_alive:
        return False
    url = engine.server.base_url.removesuffix("/v1") + "/health"
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=HEALTH_TIMEOUT_S) as client:  # no proxy before loopback
            return (await client.get(url)).status_code == HTTPStatus.OK
    except httpx2.TransportError:
        return False


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
        "usage": answered.usage.model_dump(),
        "cost_usd": answered.cost_usd,
        "guide_version": answered.screening.guide_version,
        "digital_source_type": SOURCE_TYPE,
    }
