"""Calibrate: let the student write for the validation briefs, and measure what its certainty tells about its texts.

Validation briefs alone: those of training would flatter the student, and the held-out ones, golden sets among them,
decide whether it is promoted. As those of an evaluation, the texts are kept beside the reports, and are not asked for
again.
"""

from brand_voice import calibration
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.errors import InputError
from brand_voice.promotion import adapter_of
from brand_voice.prompts import student_messages
from brand_voice.records import Brief
from brand_voice.samples import Asking, Writer
from brand_voice.screen.screening import Screener
from brand_voice.snapshot import split_of
from brand_voice.student import serving


def calibrate(context: Context, adapter_name: str | None = None) -> calibration.Calibration:
    """Measure an adapter, the brand's own by default, set its threshold, and save both.

    Raises:
        InputError: the brand has no validation briefs.
        ArtifactError: there is no adapter.
        ServeError: it cannot be served.
        ChatError: the server answers nobody any more; what it wrote is kept.
    """
    workspace, brand, settings = context.workspace, context.brand, context.settings
    adapter = adapter_of(context, adapter_name)
    briefs = validation_briefs(context)
    writer = Writer(adapter.name, adapter.name, adapter.name, lambda b: student_messages(brand.guide, b))
    asking = Asking(context, writer, briefs, settings.cascade.best_of)
    if asking.missing:
        with serving(context, adapter) as server, Chat(server.endpoint(adapter.name)) as chat:
            asking.ask(chat)
    drafts = [timed.draft for timed in asking.texts]
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
