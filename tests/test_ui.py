"""The launched app in headless Chromium: real store, real recorded teacher, a local server for the student."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched_app import ADAPTER, HOSTILE, LOGPROB, App, box, choose, copy_of, example, launched, says, shown, write
from playwright.sync_api import BrowserContext, Page, Route, expect

from brand_voice.brand import BrandFolder
from brand_voice.errors import BrandError, ServeError
from brand_voice.records import Brief, Draft, Review
from brand_voice.serve import StudentServer
from brand_voice.settings import Settings, TeacherSettings
from brand_voice.store.queue import Narrowed
from brand_voice.ui.app import launch
from brand_voice.ui.session import Session
from brand_voice.ui.student_seat import StudentSeat
from brand_voice.workspace import Workspace

UNRECORDED = "keeps a secret nobody recorded"


@pytest.fixture
def drafts(app: App) -> Iterator[list[Draft]]:
    """Three fresh drafts in an otherwise empty queue."""
    store, brand = app.session.store, app.brand
    for number, item in enumerate(store.queue("tidewater")):
        decide(app, item.draft.id, f"cleaner-{number}")
    store.save_brand_briefs(brand.briefs[:3])
    made = [draft_for(brief, f"{len(store.drafts('tidewater'))}-{n}") for n, brief in enumerate(brand.briefs[:3])]
    store.save_drafts(made)
    return made


def draft_for(brief: Brief, id_: str) -> Draft:
    return Draft(
        id=f"draft-{id_}",
        brand=brief.brand,
        brief_id=brief.id,
        brief_hash=brief.hash,
        author="student",
        model=ADAPTER,
        adapter=ADAPTER,
        text=f"Discover {brief.product.name}, a perfect journey into coffee number {id_}.",
    )


def decide(app: App, draft_id: str, reviewer: str) -> None:
    text = app.session.store.draft(draft_id).text
    app.session.store.add_review(
        Review(draft_id=draft_id, revision=1, verdict="approve", final_text=text, reviewer=reviewer)
    )


def review_tab(page: Page, reviewer: str = "Mia") -> Page:
    page.get_by_role("tab", name="Review").click()
    expect(page.locator("#review-approve")).to_be_visible()
    box(page, "review-reviewer").fill(reviewer)
    box(page, "review-reviewer").blur()
    return page


def in_focus(page: Page, draft: Draft) -> None:
    expect(box(page, "review-draft-id")).to_have_value(draft.id)
    expect(box(page, "review-copy")).to_have_value(draft.text)


def test_an_example_fills_the_form_and_both_sides_answer_it(app: App, opened: Callable[..., Page]) -> None:
    page = opened()
    example(page)
    write(page)
    message = box(page, "brief-message").input_value()
    assert message in copy_of(page, 2)
    expect(page.locator("#side-1-send")).to_be_visible()
    assert copy_of(page, 1) in {" ".join(r.text.split()) for r in app.brand.recordings}
    says(page, "side-1-figures", "recorded teacher: list price, not measured")
    says(page, "side-2-figures", "of a machine at $0.36 an hour")
    says(page, "side-2-count", " characters")
    expect(page.locator("#side-2-text .label").first).to_have_text("Warn")
    says(page, "side-2-findings", "Warn · No exclamation marks")


def test_an_unknown_brief_is_told_plainly_and_the_nearest_recorded_one_is_a_click_away(
    app: App, opened: Callable[..., Page]
) -> None:
    page = opened()
    example(page)
    box(page, "brief-message").fill(UNRECORDED)
    write(page)
    says(page, "side-1-problem", "has no recording for this brief")
    expect(page.locator("#side-1-send")).to_be_hidden()
    assert UNRECORDED in copy_of(page, 2)
    page.locator("#side-1-load").click()
    expect(box(page, "brief-message")).not_to_have_value(UNRECORDED)
    write(page)
    expect(page.locator("#side-1-send")).to_be_visible()
    expect(box(page, "side-1-problem")).to_be_hidden()


def test_a_text_sent_to_review_stands_in_the_queue_with_its_findings(app: App, opened: Callable[..., Page]) -> None:
    page = opened()
    example(page)
    box(page, "brief-message").fill(UNRECORDED)
    write(page)
    page.locator("#side-2-send").click()
    says(page, "side-2-sent", "In the review queue")
    stored = app.session.store.queue("tidewater", narrowed=Narrowed(author="student"))[-1]
    assert UNRECORDED in stored.draft.text
    assert (stored.draft.adapter, stored.draft.mean_logprob) == (ADAPTER, LOGPROB)
    assert stored.screening is not None
    assert "style" in {finding.check for finding in stored.screening.findings}
    write(page)
    page.locator("#side-2-send").click()
    says(page, "side-2-sent", "In the review queue")
    assert (
        app.session.store.queue("tidewater", narrowed=Narrowed(author="student"))[-1].draft.candidate
        == stored.draft.candidate + 1
    )


def test_empty_fields_of_a_brief_are_all_named_at_once(opened: Callable[..., Page]) -> None:
    page = opened()
    example(page)
    box(page, "brief-message").fill(" ")
    page.locator("#write-go").click()
    says(page, "write-notice", "Message is empty.\nTo do: correct the field Message.")
    box(page, "brief-name").fill("")
    page.locator("#write-go").click()
    says(
        page,
        "write-notice",
        "Product name is empty, Message is empty.\nTo do: correct the fields Product name, Message.",
    )


def test_choosing_a_product_fills_in_what_the_catalogue_knows_and_another_brand_empties_it(
    app: App, opened: Callable[..., Page]
) -> None:
    page = opened()
    product = app.brand.products[3]
    choose(page, "brief-product", product.name)
    expect(box(page, "brief-facts")).to_have_value("\n".join(product.facts))
    choose(page, "brief-brand", "Vela")
    expect(box(page, "brief-facts")).to_have_value("")
    says(page, "side-2-problem", "nothing for vela")
    example(page)
    page.locator("#write-go").click()
    expect(page.locator("#side-1-send")).to_be_visible()


def test_without_an_adapter_the_student_says_what_to_run(opened: Callable[..., Page], tmp_path: Path) -> None:
    with launched(tmp_path) as alone:
        page = opened(alone.url)
        says(page, "side-2-problem", "brand-voice distill --brand tidewater")
        example(page)
        page.locator("#write-go").click()
        expect(page.locator("#side-1-send")).to_be_visible()
        says(page, "side-2-problem", "There is no adapter of tidewater yet")


def test_an_unreachable_teacher_is_told_on_its_side_only(
    opened: Callable[..., Page], tmp_path: Path, student: StudentServer
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        teacher = TeacherSettings(base_url=url, model="m", max_attempts=1)
        with launched(tmp_path, student=student, teacher="far", teachers={"far": teacher}) as app:
            page = opened(app.url)
            example(page)
            write(page)
            says(page, "side-1-problem", "cannot connect to 127.0.0.1")
            expect(page.locator("#side-1-send")).to_be_hidden()


def test_approve_by_click_stores_the_verdict_and_shows_the_next_draft(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened(), "Mia")
    in_focus(page, drafts[0])
    says(page, "review-position", "1 of 3")
    says(page, "review-findings", '"perfect" is banned')
    page.locator("#review-approve").click()
    in_focus(page, drafts[1])
    says(page, "review-position", "1 of 2")
    [verdict] = app.session.store.reviews(drafts[0].id)
    assert (verdict.verdict, verdict.reviewer, verdict.final_text) == ("approve", "Mia", drafts[0].text)


def test_an_edit_is_screened_again_and_its_findings_are_told(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, drafts[0])
    box(page, "review-copy").fill("An artisanal thing!\nIndeed.")
    says(page, "review-findings", '"artisanal" is banned')
    expect(page.locator("#review-difference .label").first).to_have_text("Out")
    assert "An artisanal thing" in shown(page, "review-difference")  # in one piece, not word by word
    assert "\nIndeed" in page.locator("#review-difference").inner_text(), "a line of its own, as in the text"
    page.locator("#review-approve").click()
    says(page, "review-notice", "You changed the text")
    page.locator("#review-edit").click()
    in_focus(page, drafts[1])
    says(page, "review-notice", '"artisanal" is banned')
    [verdict] = app.session.store.reviews(drafts[0].id)
    assert (verdict.verdict, verdict.final_text) == ("edit", "An artisanal thing!\nIndeed.")
    screening = app.session.store.screening(drafts[0].id, revision=1)
    assert screening is not None
    assert "lexicon" in {finding.check for finding in screening.findings}


def test_a_rejection_without_a_reason_is_refused_and_with_one_by_keys_is_stored(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, drafts[0])
    page.keyboard.press("r")
    says(page, "review-notice", "a rejection needs a reason")
    assert app.session.store.reviews(drafts[0].id) == ()
    page.keyboard.press("2")
    page.keyboard.press("4")
    page.keyboard.press("r")
    in_focus(page, drafts[1])
    assert app.session.store.reviews(drafts[0].id)[0].reasons == ("wrong_fact", "cliche")


def test_a_notice_that_comes_while_another_tab_is_open_is_shown_whole(
    opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, drafts[0])
    held: list[Route] = []
    page.route("**/run/**", lambda route: held.append(route))  # noqa: PLW0108  Playwright marks what it calls
    with page.expect_request("**/run/**"):
        page.keyboard.press("r")
    page.get_by_role("tab", name="Compare").click()
    expect(box(page, "review-notice")).to_be_hidden()
    for route in held:
        route.continue_()
    page.unroute("**/run/**")
    says(page, "review-notice", "a rejection needs a reason")
    page.get_by_role("tab", name="Review").click()
    expect(box(page, "review-notice")).to_be_visible()
    content, seen = box(page, "review-notice").evaluate("area => [area.scrollHeight, area.clientHeight]")
    assert 30 < content <= seen


def test_a_verdict_without_a_name_is_refused(app: App, opened: Callable[..., Page], drafts: list[Draft]) -> None:
    page = review_tab(opened(), "")
    page.keyboard.press("a")
    says(page, "review-notice", "needs the name of its reviewer")
    assert app.session.store.reviews(drafts[0].id) == ()


def test_two_reviewers_at_once_are_given_different_drafts(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    first, second = review_tab(opened(), "Mia"), review_tab(opened(), "Noor")
    in_focus(first, drafts[0])
    in_focus(second, drafts[1])
    first.keyboard.press("a")
    in_focus(first, drafts[2])
    second.keyboard.press("j")
    says(second, "review-notice", "the last draft that is free")
    second.keyboard.press("a")
    says(second, "review-position", "somebody else holds it")
    assert [app.session.store.reviews(d.id)[0].reviewer for d in drafts[:2]] == ["Mia", "Noor"]


def test_who_decides_second_is_told_and_goes_on(app: App, opened: Callable[..., Page], drafts: list[Draft]) -> None:
    page = review_tab(opened(), "Mia")
    in_focus(page, drafts[0])
    decide(app, drafts[0].id, "Noor")
    page.keyboard.press("1")
    page.locator("#review-reject").click()
    in_focus(page, drafts[1])
    says(page, "review-notice", "Somebody decided this first")
    assert [r.reviewer for r in app.session.store.reviews(drafts[0].id)] == ["Noor"]


def test_what_is_skipped_comes_again_when_nothing_else_is_left(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, drafts[0])
    page.keyboard.press("s")
    in_focus(page, drafts[1])
    page.keyboard.press("a")
    in_focus(page, drafts[2])
    page.keyboard.press("a")
    in_focus(page, drafts[0])
    says(page, "review-notice", "Only what you skipped is left")
    assert app.session.store.waits(drafts[0].id)


def test_filters_narrow_the_queue_and_another_brand_clears_them(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, drafts[0])
    box(page, "review-search").fill(drafts[2].text[-12:].upper())
    box(page, "review-search").press("Enter")
    in_focus(page, drafts[2])
    says(page, "review-position", "1 of 1")
    choose(page, "review-author", "Teacher")
    says(page, "review-position", "that fits the filters")
    choose(page, "review-brand", "Vela")
    expect(box(page, "review-search")).to_have_value("")
    expect(box(page, "review-author")).to_have_value("Everybody")


def test_a_draft_stands_beside_the_other_texts_for_its_brief_and_the_nearest_approved_one(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    store, brief = app.session.store, app.brand.briefs[0]
    like = next(b for b in app.brand.briefs[3:] if b.channel == brief.channel)
    store.save_brand_briefs([like])
    twin = drafts[0].model_copy(update={"id": f"{drafts[0].id}-twin", "text": "Say it another way."})
    near = draft_for(like, f"{drafts[0].id}-near").model_copy(update={"text": f"{drafts[0].text} Nearly."})
    store.save_drafts([twin, near])
    decide(app, near.id, "Noor")
    page = review_tab(opened())
    in_focus(page, drafts[0])
    says(page, "review-others", "Student, waiting: Say it another way.")
    says(page, "review-nearest", "Nearly.")


def test_keys_decide_and_walk_the_queue_but_not_while_somebody_types(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, drafts[0])
    page.keyboard.press("j")
    in_focus(page, drafts[1])
    page.keyboard.press("k")
    in_focus(page, drafts[0])
    page.keyboard.press("e")
    page.keyboard.press("End")
    page.keyboard.type(" ajark")
    expect(box(page, "review-copy")).to_have_value(f"{drafts[0].text} ajark")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    says(page, "review-notice", "You changed the text")
    page.get_by_role("tab", name="Write").click()
    page.get_by_role("tab", name="Review").click()
    expect(box(page, "review-copy")).to_have_value(f"{drafts[0].text} ajark")
    page.keyboard.press("e")
    in_focus(page, drafts[1])
    assert app.session.store.reviews(drafts[0].id)[0].final_text == f"{drafts[0].text} ajark"
    page.keyboard.press("e")
    page.keyboard.press("End")
    page.keyboard.type(" too")
    page.keyboard.press("Control+Enter")
    in_focus(page, drafts[2])
    page.keyboard.press("a")
    says(page, "review-position", "Nothing of Tidewater Coffee waits for review")
    assert [app.session.store.reviews(draft.id)[0].final_text for draft in drafts[1:]] == [
        f"{drafts[1].text} too",
        drafts[2].text,
    ]
    assert app.session.store.counts("tidewater").unreviewed == 0


def test_undo_takes_the_last_verdict_back_and_the_draft_can_be_decided_anew(
    app: App, opened: Callable[..., Page], drafts: list[Draft]
) -> None:
    page = review_tab(opened())
    in_focus(page, drafts[0])
    page.keyboard.press("u")
    says(page, "review-notice", "nothing to undo")
    page.keyboard.press("a")
    in_focus(page, drafts[1])
    page.keyboard.press("u")
    in_focus(page, drafts[0])
    says(page, "review-position", "1 of 3")
    page.keyboard.press("2")
    page.keyboard.press("r")
    in_focus(page, drafts[1])
    assert [r.verdict for r in app.session.store.reviews(drafts[0].id)] == ["approve", "undo", "reject"]


def test_what_somebody_decided_since_is_not_undone(app: App, opened: Callable[..., Page], drafts: list[Draft]) -> None:
    page = review_tab(opened())
    page.keyboard.press("a")
    in_focus(page, drafts[1])
    overruled = Review(draft_id=drafts[0].id, revision=2, verdict="reject", reasons=("other",), reviewer="Noor")
    app.session.store.add_review(overruled)
    page.keyboard.press("u")
    says(page, "review-notice", "Somebody decided on that draft since")
    assert app.session.store.reviews(drafts[0].id)[-1] == overruled


def test_the_reviewers_name_survives_a_reload(opened: Callable[..., Page], drafts: list[Draft]) -> None:
    page = opened()
    before = page.evaluate("localStorage['brand-voice-reviewer'] ?? null")
    review_tab(page, "Zoë")
    page.wait_for_function("before => (localStorage['brand-voice-reviewer'] ?? null) !== before", arg=before)
    page.reload()
    page.get_by_role("tab", name="Review").click()
    says(page, "review-reviewer", "Zoë")


def test_hostile_text_in_brief_and_answer_is_shown_as_text(app: App, opened: Callable[..., Page]) -> None:
    page = opened()
    example(page)
    for field in ("brief-message", "brief-name", "brief-facts"):
        box(page, field).fill(HOSTILE)
    write(page)
    assert HOSTILE.removesuffix("\u202etxet").strip() in copy_of(page, 2)
    page.locator("#side-2-send").click()
    says(page, "side-2-sent", "In the review queue")
    hostile = app.session.store.queue("tidewater", narrowed=Narrowed(author="student"))[-1].draft
    for item in app.session.store.queue("tidewater"):
        if item.draft.id != hostile.id:
            decide(app, item.draft.id, "cleaner")
    page = review_tab(page)
    in_focus(page, hostile)
    page.locator("#review-reject").click()
    says(page, "review-notice", "a rejection needs a reason")
    assert page.evaluate("window.owned") is None
    assert page.locator("a[href^=javascript], img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_does_not_scroll_sideways_and_nothing_is_loaded_from_elsewhere(
    app: App, opened: Callable[..., Page], drafts: list[Draft], scheme: str
) -> None:
    page = opened(width=390, scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    example(page)
    write(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    review_tab(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for row in (("approve", "edit", "reject"), ("skip", "undo"), ("previous", "next")):
        boxes = [page.locator(f"#review-{name}").bounding_box() for name in row]
        assert len({(place["y"], place["width"], place["height"]) for place in boxes if place}) == 1, "an even row"
    assert [url for url in asked if not url.startswith((app.url, "data:", "blob:"))] == []
    assert len(asked) > 10


def test_a_port_in_use_and_another_machines_address_are_refused(app: App) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServeError, match="in use"):
            launch(app.session, port=taken.getsockname()[1], opens_browser=False)
    with pytest.raises(ServeError, match="no login"):
        launch(app.session, host="0.0.0.0", opens_browser=False)


def test_the_workspace_is_not_served(app: App, browser: BrowserContext) -> None:
    database = app.session.workspace.database
    assert database.is_file()
    answer = browser.request.get(f"{app.url}gradio_api/file={database}")
    assert answer.status in {403, 404}


def test_a_student_on_its_way_is_told_and_one_that_failed_says_why(student: StudentServer) -> None:
    seat, failed, may_start = StudentSeat(), StudentSeat(), threading.Event()

    def begin() -> StudentServer:
        may_start.wait()
        return student

    seat.start(begin)
    with pytest.raises(ServeError, match="is starting"):
        seat.chat("tidewater")
    may_start.set()
    with pytest.raises(ServeError, match="nothing for vela"):
        settled(seat).chat("vela")
    assert seat.chat("tidewater").endpoint.model == ADAPTER

    def fail() -> StudentServer:
        raise ServeError("out of memory", remedy="free some")

    failed.start(fail)
    with pytest.raises(ServeError, match="out of memory"):
        settled(failed).chat("tidewater")


def settled(seat: StudentSeat) -> StudentSeat:
    for thread in (t for t in threading.enumerate() if t.name == "student"):
        thread.join()
    return seat


def test_the_script_serves_the_app_until_ctrl_c(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "app.py"
    command = [sys.executable, str(script), "--workspace", str(tmp_path), "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=script.parent) as process:
        line = next(line for line in process.stderr if "The app is at" in line)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(line.split()[4]) as answer:
            assert b"brand_voice" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_an_unknown_first_brand_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrandError, match="no brand 'nope'"):
        Session(Workspace(tmp_path), Settings(), brand="nope")


def test_a_guide_that_cannot_be_read_is_told_above_the_page(opened: Callable[..., Page], tmp_path: Path) -> None:
    with launched(tmp_path) as alone:
        folder = Workspace(tmp_path).brands / "tidewater"
        shutil.copytree(alone.brand.path, folder)
        (folder / "brand.yaml").write_text("id: [")
        page = opened(alone.url)
        expect(page.locator(".bv-alarm")).to_contain_text("tidewater/brand.yaml is not YAML")
        shutil.copyfile(alone.brand.path / "brand.yaml", folder / "brand.yaml")
        page.reload()
        expect(page.locator("#write-go")).to_be_visible()
        expect(page.locator(".bv-alarm")).to_have_count(0)


def test_a_guide_that_somebody_edits_counts_in_the_running_app(tmp_path: Path, tidewater: BrandFolder) -> None:
    workspace, brief = Workspace(tmp_path), tidewater.briefs[0]
    with Session(workspace, Settings(), brand="tidewater") as session:
        assert "lexicon.banned.cream" not in {f.rule for f in session.screen("Cream first.", brief).findings}
        assert session.recorded_briefs("tidewater")
        folder = shutil.copytree(tidewater.path, workspace.brands / "tidewater")
        (folder / "brand.yaml").write_text(
            (folder / "brand.yaml").read_text().replace("term: artisanal", "term: cream")
        )
        assert "lexicon.banned.cream" in {f.rule for f in session.screen("Cream first.", brief).findings}
        (folder / "teacher.jsonl").unlink()
        (folder / "reviews.jsonl").unlink()
        assert not session.recorded_briefs("tidewater")
