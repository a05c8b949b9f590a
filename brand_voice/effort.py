"""Reviewer effort: what people had to do to each writer's texts before they could go out.

Over the generations of an adapter this is the curve that says whether refreshing pays. A text counts by its last
verdict; one that a person wrote, or edited before it was sent to review, is nobody's generation.
"""

from collections.abc import Iterable

from rapidfuzz.distance import Levenshtein

from brand_voice.evidence import Effort
from brand_voice.rates import Rate
from brand_voice.store.verdicts import Reviewed


def effort(reviewed: Iterable[Reviewed]) -> tuple[Effort, ...]:
    """Effort by writer, in the order given.

    The distance is the number of inserted, deleted and replaced characters over the longer text's length, 0 for a
    text approved as it was.
    """
    return tuple(_effort(each) for each in reviewed)


def _effort(reviewed: Reviewed) -> Effort:
    kept = reviewed.approved + len(reviewed.edits)
    total = kept + reviewed.rejected
    distance = sum(Levenshtein.normalized_distance(before, after) for before, after in reviewed.edits)
    return Effort(
        writer=reviewed.writer,
        reviewed=total,
        untouched=Rate(hits=reviewed.approved, of=total),
        rejected=Rate(hits=reviewed.rejected, of=total),
        edit_distance=distance / kept if kept else None,
        is_teacher=reviewed.is_teacher,
    )
