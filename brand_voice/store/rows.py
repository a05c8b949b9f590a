"""Records to rows and back; knows the tables' columns and opens nothing."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from sqlalchemy import RowMapping

from brand_voice.records import Ballot, Brief, Draft, Record, Screening, Severity, Usage, Vote

R = TypeVar("R", bound=Record)
_DRAFT_FIELDS = tuple(name for name in Draft.model_fields if name != "usage")


def brief_rows(new: Iterable[Brief]) -> list[dict[str, Any]]:
    """Columns of `briefs`; of several contents for one id the last is the current one."""
    rows = [
        {"brand": brief.brand, "id": brief.id, "hash": brief.hash, "record": brief.model_dump(mode="json")}
        for brief in new
    ]
    last = {(row["brand"], row["id"]): row["hash"] for row in rows}
    return [row | {"is_current": last[row["brand"], row["id"]] == row["hash"]} for row in rows]


def brief_of(row: RowMapping) -> Brief:
    """The brief of a row that holds `record`."""
    return Brief.model_validate(row["record"])


def draft_row(draft: Draft) -> dict[str, Any]:
    """Columns of `drafts`; the cached `revision` is the trigger's."""
    return draft.model_dump(exclude={"usage"}) | draft.usage.model_dump()


def draft_of(row: RowMapping) -> Draft:
    """The draft of a row that holds the columns of `drafts`."""
    usage = Usage(prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"])
    return Draft(usage=usage, **{name: row[name] for name in _DRAFT_FIELDS})


def screening_row(screening: Screening) -> dict[str, Any]:
    """Columns of `screenings`, the findings counted by severity."""
    found = Counter(finding.severity for finding in screening.findings)
    counts = {f"{severity}_count": found[severity] for severity in get_args(Severity)}
    return screening.model_dump(mode="json") | counts


def record_of(kind: type[R], row: RowMapping) -> R:
    """The record of a row whose columns are named like the record's fields; other columns are left."""
    return kind.model_validate({name: row[name] for name in kind.model_fields})


def ballot_of(row: RowMapping) -> Ballot:
    """The ballot of a row of `ballot_rows`."""
    return Ballot(
        vote=record_of(Vote, row),
        channel=row["channel"],
        left=row["left_contender"],
        right=row["right_contender"],
        left_chars=row["left_chars"],
        right_chars=row["right_chars"],
        brief_hash=row["brief_hash"],
    )
