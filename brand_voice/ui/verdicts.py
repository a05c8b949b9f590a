"""Many verdicts at once: drafts approved together, and an act taken back whole.

Each is an ordinary review row. Where somebody else was first, theirs stands and the others are stored all the same;
what comes back says which.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from brand_voice.records import Act, Review
from brand_voice.review import review
from brand_voice.store.queue import QueueItem
from brand_voice.ui.session import Session

MAX_QUOTED_CHARS = 60
Revisions = Mapping[str, int]
"""Drafts by id, each with the number of the last review somebody saw."""


class Outcome(NamedTuple):
    """What became of verdicts given together."""

    stored: list[list[str | int]]
    """Ids and revisions of those that count."""
    refused: tuple[str, ...]
    """How each of the others begins."""

    @property
    def taken_back(self) -> str:
        """What is to be said of verdicts taken back."""
        if not self.stored:
            which = "that draft" if len(self.refused) == 1 else "those drafts"
            return f"Somebody decided on {which} since; nothing was undone."
        if not self.refused:
            many = f"Taken back: {len(self.stored)} drafts wait again."
            return "Taken back; the draft waits again." if len(self.stored) == 1 else many
        said = f"Taken back: {len(self.stored)}. Somebody decided since on the others, which stay as they are:"
        return "\n".join([said, *self.refused])


def approve_all(session: Session, seen: Revisions, reviewer: str) -> Outcome:
    """Approve drafts as they were seen.

    Raises:
        InputError: the reviewer has no name.
        StoreError: the database cannot be used.
    """
    return _store(session, seen, "approve", reviewer)


def take_back(session: Session, act: Sequence[tuple[str, int]], reviewer: str) -> Outcome:
    """Take back the verdicts of one act, but for drafts that somebody decided on since.

    Raises:
        InputError: the reviewer has no name.
        StoreError: the database cannot be used.
    """
    return _store(session, dict(act), "undo", reviewer)


def _store(session: Session, seen: Revisions, verdict: Act, reviewer: str) -> Outcome:
    items = session.store.items(list(seen))

    def given(item: QueueItem) -> Review:
        revision = seen[item.draft.id] + 1
        said, _ = review(item.draft, item.brief, session.screen, verdict=verdict, reviewer=reviewer, revision=revision)
        return said

    verdicts = [given(items[id_]) for id_ in seen if id_ in items]
    refused = session.store.add_reviews_in_turn(verdicts)
    return Outcome(
        [[said.draft_id, said.revision] for said in verdicts if said.draft_id not in refused],
        tuple(_quoted(items[id_]) for id_ in refused),
    )


def _quoted(item: QueueItem) -> str:
    text = " ".join(item.draft.text.split())
    return f"“{text[:MAX_QUOTED_CHARS].rstrip()}{' …' if len(text) > MAX_QUOTED_CHARS else ''}”"
