"""Approved copy that people wrote becomes approved drafts: most brands own copy before they own briefs.

A row with a brief is adopted as it stands: a draft of the author `person`, approved by whoever imports it. A row
without one trains nobody until somebody says what the copy was to do. A teacher may propose that; a person confirms
it, by importing the completed row. This module reads no file and stores nothing.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import Field, ValidationError

from brand_voice.brief_files import LIST_MARK, CopyRow
from brand_voice.budget import Journal
from brand_voice.chat import Chat
from brand_voice.errors import ChatError, InputError
from brand_voice.guide import Brand
from brand_voice.prompts import proposal_messages
from brand_voice.records import Brief, Draft, Record, Review, Sampling, Text, content_hash

PERSON = "person"
"""Stands for the model of what no model wrote."""


class Adopted(NamedTuple):
    """A row's records, ready to be stored."""

    brief: Brief
    draft: Draft
    review: Review


class Proposal(Record):
    """What a teacher takes a text's brief to have been."""

    key_message: Text
    offer: Text | None = None
    occasion: Text | None = None
    cta: Text | None = None
    product_name: Text | None = None
    facts: tuple[Text, ...] = Field(default=(), max_length=20)


def adopt(rows: Iterable[CopyRow], *, reviewer: str) -> Iterator[Adopted]:
    """Turn rows with a brief into approved drafts; others are passed over.

    Importing a file twice adds nothing: a draft's id is made of text and brief.

    Raises:
        InputError: the reviewer has no name.
    """
    if not reviewer.strip():
        raise InputError("an approval needs the name of who gives it", remedy="give --reviewer, your name")
    for row in rows:
        if row.brief is None:
            continue
        brief = row.brief.model_copy(update={"id": f"import-{row.brief.hash}"})
        draft = draft_of_person(brief, row.text)
        approval = Review(
            draft_id=draft.id, revision=1, verdict="approve", final_text=row.text, reviewer=reviewer.strip()
        )
        yield Adopted(brief, draft, approval)


def draft_of_person(brief: Brief, text: str) -> Draft:
    """What a person wrote for a brief; the same text for the same brief has the same id."""
    return Draft(
        id=content_hash([brief.hash, PERSON, text]),
        brand=brief.brand,
        brief_id=brief.id,
        brief_hash=brief.hash,
        author="person",
        model=PERSON,
        text=text,
        distillation_permitted=True,
    )


def propose(
    rows: Sequence[CopyRow], guide: Brand, chat: Chat, sampling: Sampling, *, journal: Journal | None = None
) -> Iterator[CopyRow]:
    """Let a teacher fill in what rows lack; a row it makes nothing of comes back with the problem.

    Raises:
        ChatError: the account is out of credit.
    """
    for row in rows:
        yield row if not row.missing else _proposed(row, guide, chat, sampling, journal)


def _proposed(row: CopyRow, guide: Brand, chat: Chat, sampling: Sampling, journal: Journal | None) -> CopyRow:
    messages = proposal_messages(guide, row.text, row.cells)
    try:
        answer = chat.complete(messages, sampling, journal=journal, draft_id=content_hash(["proposal", row.text]))
        proposal = Proposal.model_validate(json.loads(_json_in(answer.text)))
    except ChatError as error:
        if error.kind == "quota":
            raise
        return row.model_copy(update={"problem": error.message})
    except (ValueError, ValidationError):
        return row.model_copy(update={"problem": f"{chat.endpoint.name} answered with no brief"})
    said = proposal.model_dump(exclude_none=True) | {"facts": LIST_MARK.join(proposal.facts)}
    if "sku" in row.cells:
        said.pop("product_name", None)  # the catalogue has its name, and another one would contradict it
    cells = {name: value for name, value in said.items() if value} | row.cells
    return row.model_copy(update={"cells": cells, "missing": tuple(name for name in row.missing if name not in cells)})


def _json_in(answer: str) -> str:
    """The object in an answer that may stand in a fence or between words."""
    return answer[answer.find("{") : answer.rfind("}") + 1]
