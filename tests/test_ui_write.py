"""The Write tab's texts: edited, mended, compared word by word, several at once, exported, stopped."""

import csv
import io
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from launched_app import ADAPTER, HOSTILE, App, EchoStudent, box, choose, copy_of, example, launched, says, write
from playwright.sync_api import Page, expect

from brand_voice.address import ServerAddress
from brand_voice.answer_files import EDITED_SOURCE_TYPE, SOURCE_TYPE
from brand_voice.errors import InputError
from brand_voice.recorded import LoopbackServer
from brand_voice.serve import StudentServer
from brand_voice.settings import Settings
from brand_voice.store.queue import Narrowed
from brand_voice.ui.cascades import Cascades, CascadeWriting
from brand_voice.ui.session import STUDENT, TEACHER, Session
from brand_voice.ui.writing import Writing
from brand_voice.workspace import Workspace

OLDER = "tidewater@20260101-fedcba"


class Halting(NamedTuple):
    """A student that writes a word and goes on when it is told to."""

    student: StudentServer
    may_go_on: threading.Event


@pytest.fixture
def halting() -> Iterator[Halting]:
    may_go_on = threading.Event()

    class Student(EchoStudent):
        def setup(self) -> None:
            super().setup()
            at_once = self.wfile.write

            def halt(data: bytes) -> int:
                head, mark, tail = data.partition(b"\n\n")
                sent = at_once(head + mark)
                if tail:
                    may_go_on.wait(60)
                return sent + at_once(tail)

            self.wfile.write = halt

    server = LoopbackServer(0, Student)
    with server.running():
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        address = ServerAddress(pid=os.getpid(), base_url=base_url, key="k", models=(ADAPTER,))
        yield Halting(StudentServer(address), may_go_on)
        may_go_on.set()


def unseen(app: App, page: Page, message: str) -> None:
    """A brief that only the student answers, with its message."""
    example(page)
    box(page, "brief-message").fill(message)
    write(page)


def test_an_edit_is_screened_as_it_is_typed_and_goes_to_review_as_a_persons_draft(
    app: App, opened: Callable[..., Page]
) -> None:
    page = opened()
    unseen(app, page, "warms slow mornings")
    written = copy_of(page, 2)
    box(page, "side-2-copy").fill("An artisanal morning.")
    says(page, "side-2-findings", '"artisanal" is banned')
    expect(page.locator("#side-2-text .label").first).to_have_text("Block")
    box(page, "side-2-copy").fill("A slow morning, made warm.")
    says(page, "side-2-count", "26 of")
    page.locator("#side-2-send").click()
    says(page, "side-2-sent", "In the review queue.")
    sent = app.session.store.queue("tidewater", narrowed=Narrowed(author="person"))[-1]
    assert (sent.draft.text, sent.draft.model) == ("A slow morning, made warm.", "person")
    assert sent.screening is not None
    assert written not in {item.draft.text for item in app.session.store.queue("tidewater", limit=1_000)}


def test_a_rules_fix_is_one_click_and_leaves_the_rest_of_the_text(app: App, opened: Callable[..., Page]) -> None:
    page = opened()
    unseen(app, page, "is roasted for you")
    box(page, "side-2-copy").fill("We purchase slow roasting. We purchase it well.")
    page.locator("#side-2-fixes label").filter(has_text="“purchase” → “get”").click()
    expect(box(page, "side-2-copy")).to_have_value("We get slow roasting. We get it well.")
    expect(page.locator("#side-2-fixes")).to_be_hidden()


def test_several_texts_are_picked_from_and_keep_their_edits(app: App, opened: Callable[..., Page]) -> None:
    page = opened()
    choose(page, "write-number", "2")
    texts = page.locator("#side-1-pick label")
    while texts.count() < 2:  # recorded texts of some briefs are nearly the same
        example(page)
        write(page, 1, 2)
        says(page, "side-2-problem", "1 of 2: the others came out nearly the same")  # it echoes
    first = copy_of(page, 1)
    page.locator("#side-1-copy textarea").fill("My own line.")
    texts.filter(has_text="2").click()
    expect(box(page, "side-1-copy")).not_to_have_value("My own line.")
    assert copy_of(page, 1) != first
    texts.filter(has_text="1").click()
    expect(box(page, "side-1-copy")).to_have_value("My own line.")


def test_any_two_texts_are_compared_word_by_word(app: App, opened: Callable[..., Page]) -> None:
    page = opened()
    unseen(app, page, "tastes of plums")
    box(page, "side-2-copy").fill(f"Figs! {copy_of(page, 2)}")
    expect(page.locator("#side-2-text")).to_contain_text("Figs")
    page.get_by_role("button", name="Word difference").click()
    expect(page.locator("#difference-shown .highlighted")).to_have_text([re.compile(r"Figs!\s*In")])
    choose(page, "difference-second", "2 Student, as written")
    says(page, "difference-equal", "the same, word for word")


def test_the_export_holds_every_text_as_it_stands_with_its_mark(app: App, opened: Callable[..., Page]) -> None:
    page = opened()
    example(page)
    write(page)
    expect(page.locator("#side-1-send")).to_be_visible()
    box(page, "side-2-copy").fill(f"=1+1 {HOSTILE}")
    expect(page.locator("#write-export")).to_be_visible()
    with page.expect_download() as download:
        page.locator("#write-export").click()
    content = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    teacher, student = csv.DictReader(io.StringIO(content, newline=""))
    assert (teacher["author"], teacher["digital_source_type"]) == ("teacher", SOURCE_TYPE)
    assert (student["is_edited"], student["digital_source_type"]) == ("True", EDITED_SOURCE_TYPE)
    assert student["text"] == f"'=1+1 {HOSTILE}"
    assert page.evaluate("window.owned") is None


def test_whoever_is_chosen_writes_and_who_stays_keeps_the_text(
    opened: Callable[..., Page], student: StudentServer, tmp_path: Path
) -> None:
    both = StudentServer(student.address.model_copy(update={"models": (OLDER, ADAPTER)}))
    with launched(tmp_path, student=both) as app:
        page = opened(app.url)
        expect(page.locator("#side-3")).to_be_hidden()
        says(page, "side-2-who", ADAPTER)
        choose(page, "write-writers", OLDER)
        says(page, "side-3-who", OLDER)
        example(page)
        write(page)
        expect(page.locator("#side-3-send")).to_be_visible()
        text = copy_of(page, 2)
        page.locator("#write-writers").get_by_label("Remove Teacher").or_(
            page.locator("#write-writers .token-remove").first
        ).first.click()
        expect(page.locator("#side-1")).to_be_hidden()
        assert copy_of(page, 2) == text


def test_stop_drops_what_is_half_written(opened: Callable[..., Page], halting: Halting, tmp_path: Path) -> None:
    with launched(tmp_path, student=halting.student) as app:
        page = opened(app.url)
        example(page)
        page.locator("#write-go").click()
        expect(page.locator("#side-2-text .text").first).to_be_visible()
        page.locator("#write-stop").click()
        expect(page.locator("#write-stop")).to_be_hidden()
        halting.may_go_on.set()
        says(page, "side-2-problem", "Stopped.")
        expect(page.locator("#side-2-send")).to_be_hidden()


def test_a_text_that_is_no_longer_at_hand_says_so(app: App) -> None:
    with pytest.raises(InputError, match="no longer at hand"):
        app.session.send_to_review("gone")


def test_texts_that_differ_are_kept_and_recorded_ones_end(app: App) -> None:
    brief = app.session.recorded_briefs("tidewater")[0]
    writing = Writing(app.session, TEACHER, brief, wanted=5)
    writing.run()
    assert 2 <= len({written.draft.text for written in writing.written}) < 5
    assert writing.error is None
    echo = Writing(app.session, STUDENT, brief, wanted=3)
    echo.run()
    assert len(echo.written) == 1


def test_student_then_teacher_is_a_side_that_says_whose_text_it_is_and_why(
    app: App, opened: Callable[..., Page]
) -> None:
    page = opened()
    choose(page, "write-writers", "Student, then teacher")
    says(page, "side-3-who", f"{ADAPTER}, then the recorded teacher. Only the rules decide: {ADAPTER} is not")
    says(page, "side-3-who", "All it writes is stored for review at once.")
    example(page)
    box(page, "brief-message").fill("tastes of plums " * 60)
    write(page, 2, 3)
    says(page, "side-3-why", f"Written by the student, {ADAPTER}. The student's first text was blocked (length")
    says(page, "side-3-why", "and the teacher has no recording for this brief: this is the student's best.")
    expect(page.locator("#side-2-why")).to_be_hidden()
    says(page, "side-3-sent", "Stored for review already.")
    expect(page.locator("#side-3-send")).to_be_hidden()
    box(page, "side-3-copy").fill("A line of my own.")
    page.locator("#side-3-send").click()
    says(page, "side-3-sent", "In the review queue.")


def test_what_the_student_cannot_do_the_recorded_teacher_does_in_the_demo(app: App) -> None:
    session = app.session
    brief = next(b for b in session.recorded_briefs("tidewater") if b.offer)  # the echo leaves offers out
    writing = CascadeWriting(session, Cascades(session), brief)
    writing.run()
    (written,) = writing.written
    assert (written.draft.author, written.screening.blocks) == ("teacher", ())
    assert written.why.startswith("Written by the recorded teacher. The student's first text was blocked (")
    assert [e.brief_hash for e in session.store.escalations("tidewater")][-1] == brief.hash
    token = session.keep(written)
    session.edit(token, "A line of my own.")
    assert session.send_to_review(token) == "In the review queue."


def test_a_student_that_is_not_there_is_told_on_the_cascades_side_too(tmp_path: Path) -> None:
    with Session(Workspace(tmp_path), Settings(), brand="tidewater") as session:
        writing = CascadeWriting(session, Cascades(session), session.recorded_briefs("tidewater")[0])
        writing.run()
    assert writing.error is not None
    assert "brand-voice distill" in writing.error.remedy
