"""Calibrate: let the student write for the validation briefs, and measure what its certainty tells about its texts.

Validation briefs alone: those of training would flatter the student, and the held-out ones, golden sets among them,
decide whether it is promoted. A text that an earlier run asked for is not asked for again.
"""

from contextlib import nullcontext

from brand_voice import calibration
from brand_voice.chat import Chat
from brand_voice.context import Context, saved
from brand_voice.errors import InputError
from brand_voice.generate import generate, requests
from brand_voice.prompts import student_messages
from brand_voice.records import AdapterManifest, Brief, Draft
from brand_voice.registry import find
from brand_voice.screen.screening import Screener
from brand_voice.serve import StudentServer
from brand_voice.snapshot import split_of
from brand_voice.student import serving


def calibrate(
    context: Context, adapter_name: str | None = None, server: StudentServer | None = None
) -> calibration.Calibration:
    """Measure an adapter, the brand's own by default, set its threshold, and save both.

    Raises:
        InputError: the brand has no validation briefs.
        ArtifactError: there is no adapter.
        ServeError: it cannot be served.
        ChatError: too many texts did not come.
    """
    workspace, brand, settings = context.workspace, context.brand, context.settings
    adapter = find(workspace.adapters, brand.guide.id, adapter_name)
    briefs = validation_briefs(context)
    with (
        nullcontext(server) if server else serving(context, adapter) as running,
        Chat(running.endpoint(adapter.name)) as chat,
    ):
        drafts = _drafts(context, adapter, chat, briefs)
    screener, by_hash = Screener(brand.guide, brand.catalogue), {brief.hash: brief for brief in briefs}
    certain = [
        calibration.Certain(
            draft.brief_hash, draft.mean_logprob, bool(screener.screen(draft.text, by_hash[draft.brief_hash]).blocks)
        )
        for draft in drafts
        if draft.is_ok and draft.mean_logprob is not None
    ]
    measured = calibration.calibrated(
        adapter,
        certain,
        sampling=settings.student_sampling,
        guide_version=brand.guide.version,
        failed=len(drafts) - len(certain),
        max_false_alarms=settings.cascade.max_false_alarms,
    )
    calibration.save(measured, workspace.calibrations)
    return measured


def validation_briefs(context: Context) -> list[Brief]:
    """The brand's briefs, its own and those that came since, that stand on the side of validation."""
    brand, store = context.brand, context.store
    known = {b.hash: b for b in (*brand.briefs, *store.briefs(brand.guide.id))}.values()
    briefs = [b for b in known if split_of(b, is_unseen=brand.is_unseen(b)) == "validation"]
    if not briefs:
        raise InputError(
            f"{brand.guide.id} has no validation briefs", remedy="add briefs: about one of eight is a validation brief"
        )
    return briefs


def _drafts(context: Context, adapter: AdapterManifest, chat: Chat, briefs: list[Brief]) -> list[Draft]:
    """Several texts a brief with their log-probabilities; one that was stored without these is asked for again."""
    brand, store, settings = context.brand, context.store, context.settings
    wanted = requests(
        briefs,
        lambda b: student_messages(brand.guide, b),
        author="student",
        model=adapter.name,
        sampling=settings.student_sampling,
        candidates=settings.cascade.best_of,
    )
    store.save_brand_briefs(briefs)
    asked = {r.draft_id: r.model_copy(update={"wants_logprobs": True}) for r in wanted}
    found = (store.draft(id_) for id_ in asked)
    known = [d for d in found if d is not None and d.is_ok and d.mean_logprob is not None]
    missing = [r for id_, r in asked.items() if id_ not in {d.id for d in known}]
    fresh = generate(missing, chat, settings.student_sampling, adapter=adapter.name)
    return [*known, *saved(context.track(fresh, "calibrate", len(missing)), store.save_drafts)]
