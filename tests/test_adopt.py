"""Copy that people wrote: adopted with a brief, completed by a teacher without one."""

from pathlib import Path

import pytest
from servers import misbehaving_server

from brand_voice.adopt import adopt, propose
from brand_voice.brand import BrandFolder
from brand_voice.brief_files import CopyRow, copy_rows, read_copy
from brand_voice.chat import Chat
from brand_voice.errors import ChatError, InputError
from brand_voice.records import Sampling

COPY = """text,channel,key_message
Toba Rain takes cream without disappearing.,sms,takes cream
Slow mornings need 12 oz. Slow Mug.,tagline,
,sms,nothing
"""


@pytest.fixture
def rows(tmp_path: Path, tidewater: BrandFolder) -> list[CopyRow]:
    (tmp_path / "copy.csv").write_text(COPY)
    return read_copy(tmp_path / "copy.csv", brand=tidewater.guide, products=tidewater.products)


def test_only_rows_with_a_brief_are_adopted_and_always_under_the_same_id(rows: list[CopyRow]) -> None:
    (found,) = adopt(rows, reviewer=" Ann ")
    assert (found.draft.author, found.draft.text, found.draft.distillation_permitted) == ("person", rows[0].text, True)
    assert (found.review.verdict, found.review.final_text, found.review.reviewer) == ("approve", rows[0].text, "Ann")
    assert found.brief.id == f"import-{found.brief.hash}"
    assert next(adopt(rows, reviewer="Bea")).draft.id == found.draft.id
    with pytest.raises(InputError, match="needs the name"):
        next(adopt(rows, reviewer=" "))


def test_a_teacher_proposes_what_a_row_lacks_and_nothing_else(rows: list[CopyRow], tidewater: BrandFolder) -> None:
    with misbehaving_server() as server, Chat(server.endpoint("finds-a-brief")) as chat:
        whole, proposed, empty = propose(rows, tidewater.guide, chat, Sampling())
    assert (whole, empty) == (rows[0], rows[2])
    assert proposed.missing == ()
    assert proposed.cells["key_message"] == "slow mornings"
    assert (proposed.cells["facts"], proposed.cells["product_name"]) == ("12 oz", "Slow Mug")
    assert "offer" not in proposed.cells
    assert (proposed.cells["channel"], proposed.cells["text"]) == ("tagline", rows[1].text)


def test_a_proposed_product_does_not_contradict_the_one_the_text_names(tmp_path: Path, tidewater: BrandFolder) -> None:
    (tmp_path / "copy.csv").write_text("text,channel\nToba Rain takes its time.,sms\n")
    bare = read_copy(tmp_path / "copy.csv", brand=tidewater.guide, products=tidewater.products)
    with misbehaving_server() as server, Chat(server.endpoint("finds-a-brief")) as chat:
        (proposed,) = propose(bare, tidewater.guide, chat, Sampling())
    assert (proposed.cells["key_message"], proposed.missing) == ("slow mornings", ())
    assert "product_name" not in proposed.cells
    (complete,) = copy_rows([(0, proposed.cells)], brand=tidewater.guide, products=tidewater.products)
    assert complete.brief is not None, complete.problem


def test_a_teacher_that_talks_or_fails_leaves_the_row_as_it_was(rows: list[CopyRow], tidewater: BrandFolder) -> None:
    with misbehaving_server() as server:
        for model, told in (("ok", "answered with no brief"), ("empty", "")):
            with Chat(server.endpoint(model)) as chat:
                left = list(propose(rows, tidewater.guide, chat, Sampling()))[1]
            assert (left.missing, left.cells) == (rows[1].missing, rows[1].cells)
            assert left.problem is not None
            assert told in left.problem
        with Chat(server.endpoint("quota")) as chat, pytest.raises(ChatError):
            list(propose(rows, tidewater.guide, chat, Sampling()))
