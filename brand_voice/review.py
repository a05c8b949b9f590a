"""A person's verdict on a draft becomes a record: approve it, edit it, or reject it with reasons.

An edit is signal, so it is kept exact: it must change the text, and the edited text is screened like any draft. A
text with `block` findings may still be approved; the reviewer sees the findings and may know better. This module
draws no queue and stores nothing: the shell shows, calls `review`, and appends what comes back.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Required, TypedDict, Unpack

from brand_voice.errors import InputError
from brand_voice.records import MAX_COPY_CHARS, Act, Brief, Draft, Reason, RecordedReview, Recording, Review, Screening


class Said(TypedDict, total=False):
    """What the reviewer said."""

    verdict: Required[Act]
    reviewer: Required[str]
    revision: Required[int]
    """1 for a draft's first verdict, else one more than the last verdict the reviewer saw."""
    text: str | None
    """The edited text; only an edit has one."""
    reasons: Sequence[Reason]
    note: str | None


def review(
    draft: Draft, brief: Brief, screener: Callable[[str, Brief], Screening], **said: Unpack[Said]
) -> tuple[Review, Screening | None]:
    """Make a verdict a record; an edit comes with the screening of its text, to be stored with it.

    Raises:
        InputError: the draft has no text, an edit is empty, endless or changes nothing, a rejection has no reason, or
            the reviewer has no name.
    """
    verdict = _review(draft, said)
    return verdict, screen_edit(verdict, brief, screener)


def screen_edit(verdict: Review, brief: Brief, screener: Callable[[str, Brief], Screening]) -> Screening | None:
    """Screen an edited text as the draft's revision of that number; other verdicts bring no new text."""
    if verdict.verdict != "edit" or verdict.final_text is None:
        return None
    screening = screener(verdict.final_text, brief)
    return screening.model_copy(update={"draft_id": verdict.draft_id, "revision": verdict.revision})


def recorded_reviews(
    drafts: Iterable[Draft],
    briefs: Iterable[Brief],
    recorded: Iterable[RecordedReview],
    *,
    recordings: Iterable[Recording],
    reviewed: Container[str] = frozenset(),
) -> Iterator[Review]:
    """First verdicts from a brand's `reviews.jsonl`, for the drafts that its reviewer really read.

    A recorded verdict holds for a draft of the recorded teacher with the same brief id and candidate, as long as the
    brief's content is today's and the text is the recorded one. All other drafts, and those whose id is in
    `reviewed`, are left for people.

    Args:
        drafts: the stored drafts of the brand.
        briefs: the brand's briefs as they are today.
        recorded: the lines of `reviews.jsonl`.
        recordings: the lines of `teacher.jsonl`: the texts that were read.
        reviewed: ids of drafts with a verdict.

    Raises:
        InputError: a recorded verdict is none: an edit without a change, a rejection without a reason.
    """
    hashes = {brief.id: brief.hash for brief in briefs}
    texts = {(line.brief_id, line.candidate): line.text.strip() for line in recordings}
    verdicts = {(line.brief_id, line.candidate): line for line in recorded}
    for draft in drafts:
        key = (draft.brief_id, draft.candidate)
        line = verdicts.get(key)
        is_todays = draft.brief_hash == hashes.get(draft.brief_id)
        is_what_was_read = draft.is_recorded and draft.is_ok and draft.text.strip() == texts.get(key)
        if line and is_todays and is_what_was_read and draft.id not in reviewed:
            yield _review(draft, _as_said(line))


def _as_said(line: RecordedReview) -> Said:
    return Said(
        verdict=line.verdict,
        text=line.final_text if line.verdict == "edit" else None,
        reasons=line.reasons,
        note=line.note,
        reviewer=line.reviewer,
        revision=1,
    )


def _review(draft: Draft, said: Said) -> Review:
    reasons = tuple(dict.fromkeys(said.get("reasons", ())))
    text = (said.get("text") or "").strip()
    if not draft.is_ok:
        raise InputError(f"draft {draft.id} failed ({draft.failure}): there is no text to judge", remedy="skip it")
    if not said["reviewer"].strip():
        raise InputError("a verdict needs the name of its reviewer", remedy="give the reviewer's name")
    if said["verdict"] == "reject" and not reasons:
        raise InputError(f"draft {draft.id}: a rejection needs a reason", remedy="choose at least one reason code")
    if said["verdict"] == "edit":
        _check_edit(draft, text)
    return Review(
        draft_id=draft.id,
        revision=said["revision"],
        verdict=said["verdict"],
        final_text={"approve": draft.text, "edit": text}.get(said["verdict"]),
        reasons=reasons,
        note=(said.get("note") or "").strip() or None,
        reviewer=said["reviewer"].strip(),
    )


def _check_edit(draft: Draft, text: str) -> None:
    if not text:
        raise InputError(f"draft {draft.id}: the edited text is empty", remedy="write the text, or reject the draft")
    if text == draft.text.strip():
        raise InputError(f"draft {draft.id}: the edit changes nothing", remedy="change the text, or approve the draft")
    if len(text) > MAX_COPY_CHARS:
        raise InputError(
            f"draft {draft.id}: the edited text has {len(text):,} characters; {MAX_COPY_CHARS:,} are the most",
            remedy="shorten it",
        )
