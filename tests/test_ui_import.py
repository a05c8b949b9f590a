"""Import approved copy in the browser: what becomes of the rows, of bad files, and of hostile cells."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched_app import HOSTILE, App, box, choose, launched, says
from playwright.sync_api import Locator, Page, expect
from servers import misbehaving_server

from brand_voice.settings import TeacherSettings

TEXT, CHANNEL, PRODUCT, MESSAGE = 2, 3, 5, 6
"""Columns of the table."""
COPY = """text,channel,key_message
{0} takes cream without disappearing.,sms,takes cream
{0} waits for nobody.,,no waiting
,sms,nothing
{0} again.,fax,again
"""


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where Gradio keeps what is uploaded."""
    folder = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def alone(uploads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app without a student, and with the recorded teacher."""
    with launched(tmp_path_factory.mktemp("alone")) as app:
        yield app


def import_panel(page: Page, reviewer: str = "Ann") -> Page:
    page.get_by_role("tab", name="Review").click()
    expect(box(page, "review-position")).not_to_have_value("")  # by then the remembered name is in its field
    page.get_by_role("button", name="Import approved copy").click()
    expect(page.locator("#import-go")).to_be_visible()
    box(page, "review-reviewer").fill(reviewer)
    box(page, "review-reviewer").blur()
    return page


def choose_file(page: Page, content: str | bytes, name: str = "copy.csv") -> None:
    data = content.encode() if isinstance(content, str) else content
    page.locator("#import-file input[type=file]").set_input_files({"name": name, "mimeType": "", "buffer": data})
    expect(page.locator("#import-file .file-preview")).to_contain_text(name.partition(".")[0])


def upload(page: Page, content: str | bytes, name: str = "copy.csv") -> None:
    choose_file(page, content, name)
    page.locator("#import-go").click()


def cell(page: Page, column: int, row: int = 0) -> Locator:
    return page.locator(f"#import-table [data-row='{row}'][data-col='{column}']").first


def fill(page: Page, column: int, text: str, row: int = 0) -> None:
    cell(page, column, row).dblclick()
    cell(page, column, row).locator("textarea").fill(text)
    page.keyboard.press("Enter")
    expect(cell(page, column, row)).to_contain_text(text)


def approved(app: App, containing: str) -> list[tuple[str, str, str]]:
    found = (a for a in app.session.store.approved("tidewater") if containing in a.draft.text)
    return [(a.draft.text, a.brief.channel, a.review.reviewer) for a in found]


def test_complete_rows_are_approved_and_the_rest_is_told_completed_and_imported(
    alone: App, opened: Callable[..., Page]
) -> None:
    page = import_panel(opened(alone.url))
    says(page, "review-demo", "no drafts yet")
    upload(page, COPY.format("Toba Rain"))
    says(page, "import-says", "1 new approved texts, 0 were there already, 1 to be completed below, 2 unusable")
    says(page, "import-says", "Row 3: text: saw nothing; expected the copy.")
    says(page, "import-says", "Row 4: channel: saw 'fax'")
    expect(box(page, "review-demo")).to_be_hidden()
    expect(cell(page, 0)).to_contain_text("2")
    expect(cell(page, 1)).to_contain_text("fill in channel")
    fill(page, CHANNEL, "tagline")
    page.locator("#import-complete").click()
    says(page, "import-says", "1 new approved texts, 0 were there already.")
    expect(page.locator("#import-table")).to_be_hidden()
    assert approved(alone, "Toba Rain") == [
        ("Toba Rain takes cream without disappearing.", "sms", "Ann"),
        ("Toba Rain waits for nobody.", "tagline", "Ann"),
    ]
    upload(page, COPY.format("Toba Rain"))
    says(page, "import-says", "0 new approved texts, 1 were there already")


def test_what_is_still_incomplete_or_wrong_stays_in_the_table(alone: App, opened: Callable[..., Page]) -> None:
    page = import_panel(opened(alone.url))
    upload(page, "text,key_message\nToba Rain stays.,it stays\nToba Rain goes.,\nToba Rain comes.,it comes\n")
    says(page, "import-says", "3 to be completed below")
    fill(page, CHANNEL, "fax")
    fill(page, CHANNEL, "sms", row=2)
    page.locator("#import-complete").click()
    says(page, "import-says", "1 new approved texts, 0 were there already, 2 to be completed below")
    says(page, "import-says", "Row 1: channel: saw 'fax'")
    expect(cell(page, 1)).to_contain_text("channel: saw 'fax'")
    expect(cell(page, TEXT, row=1)).to_contain_text("Toba Rain goes.")
    upload(page, COPY.format("Toba Rain"))
    says(page, "import-says", "The table still holds rows")
    page.locator("#import-discard").click()
    expect(page.locator("#import-table")).to_be_hidden()


def test_a_channel_stands_in_for_empty_cells_and_the_choice_follows_the_brand(
    alone: App, opened: Callable[..., Page]
) -> None:
    page = import_panel(opened(alone.url))
    choose(page, "import-channel", "Push notification")
    upload(page, "text,key_message\nToba Rain pushes.,it pushes\n")
    says(page, "import-says", "1 new approved texts")
    assert approved(alone, "pushes") == [("Toba Rain pushes.", "push_notification", "Ann")]
    choose(page, "review-brand", "Vela")
    expect(box(page, "import-channel")).to_have_value("None")


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "empty.csv", "Empty.csv is empty"),
        ("text\nKäse\n".encode("latin-1"), "latin.csv", "Latin.csv is not UTF-8"),
        (b"PK\x03\x04\x14\x00\x06\x00", "book.xlsx", "Book.xlsx is a workbook, not a CSV"),
        (b"copy,channel\nhello,sms\n", "columns.csv", "missing: text; unknown: 'copy'"),
        (b"text\n" + b"x" * 1_000_000 + b"\n", "long.csv", "Row 1: text: saw"),
        (b'text\n"never closed\n', "quotes.csv", "unexpected end of data"),
    ],
)
def test_a_file_that_is_no_such_thing_gets_the_commands_error_and_is_deleted(
    alone: App, opened: Callable[..., Page], uploads: Path, content: bytes, name: str, told: str
) -> None:
    page = import_panel(opened(alone.url))
    choose_file(page, content, name)
    assert list(uploads.glob(f"*/{name}"))
    page.locator("#import-go").click()
    says(page, "import-says", told)
    assert str(uploads) not in box(page, "import-says").input_value()
    assert not list(uploads.glob(f"*/{name}"))
    expect(page.locator("#import-table")).to_be_hidden()


def test_without_a_name_or_a_file_nothing_is_read_and_the_upload_stays(
    alone: App, opened: Callable[..., Page], uploads: Path
) -> None:
    page = import_panel(opened(alone.url), " ")
    upload(page, "text\nToba Rain.\n", "kept.csv")
    says(page, "import-says", "fill in Your name, above")
    assert list(uploads.glob("*/kept.csv"))
    box(page, "review-reviewer").fill("Ann")
    page.locator("#import-go").click()
    says(page, "import-says", "1 to be completed below")
    page.locator("#import-discard").click()
    expect(page.locator("#import-discard")).to_be_hidden()
    page.locator("#import-go").click()
    says(page, "import-says", "choose a CSV file")


def test_hostile_cells_are_shown_as_text_and_imported_as_they_are(alone: App, opened: Callable[..., Page]) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([("text", "key_message", "cta"), (HOSTILE, HOSTILE, HOSTILE), ("", HOSTILE, "")])
    page = import_panel(opened(alone.url))
    upload(page, stream.getvalue())
    says(page, "import-says", "1 to be completed below")
    expect(cell(page, TEXT)).to_contain_text("<script>window.owned=1</script>")
    fill(page, CHANNEL, "sms")
    fill(page, PRODUCT, "<b>Mug</b>")
    page.locator("#import-complete").click()
    says(page, "import-says", "1 new approved texts")
    assert (HOSTILE, "sms", "Ann") in approved(alone, "owned")
    assert page.evaluate("window.owned") is None
    assert page.locator("a[href^=javascript], img[src=x]").count() == 0


def test_keys_typed_into_the_table_press_no_button(alone: App, opened: Callable[..., Page]) -> None:
    draft = alone.session.answered("teacher", alone.session.recorded_briefs("tidewater")[0])
    page = import_panel(opened(alone.url))
    expect(box(page, "review-copy")).to_have_value(draft.text)
    upload(page, "text,channel\nToba Rain types.,sms\n")
    says(page, "import-says", "1 to be completed below")
    page.evaluate("void (document.querySelector('#review-approve').onclick = () => { window.pressed = true })")
    cell(page, MESSAGE).click()
    expect(cell(page, MESSAGE)).to_be_focused()
    page.keyboard.press("a")
    assert page.evaluate("window.pressed") is None
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Copy").click()
    page.keyboard.press("a")
    assert page.evaluate("window.pressed") is True


def test_the_recorded_teacher_proposes_nothing_and_says_what_to_do(alone: App, opened: Callable[..., Page]) -> None:
    page = import_panel(opened(alone.url))
    upload(page, "text,channel\nToba Rain asks.,sms\n")
    says(page, "import-says", "1 to be completed below")
    page.locator("#import-propose").click()
    says(page, "import-says", "The recorded teacher proposes no briefs")
    says(page, "import-says", "To do: configure a teacher")
    expect(cell(page, TEXT)).to_contain_text("Toba Rain asks.")


ASKED = "text,channel\nSlow mornings need 12 oz.,sms\nToba Rain is slow.,tagline\n"


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("finds-a-brief", "2 of 2 rows completed by the teacher"),
        ("ok", "Row 2: far answered with no brief"),
        ("quota", "To do:"),
    ],
)
def test_a_configured_teacher_is_asked_and_no_row_is_lost(
    opened: Callable[..., Page], tmp_path: Path, model: str, told: str
) -> None:
    with misbehaving_server() as server:
        endpoint = server.endpoint(model)
        far = TeacherSettings(base_url=endpoint.base_url, model=model, max_attempts=1)
        with launched(tmp_path, teacher="far", teachers={"far": far}) as app:
            page = import_panel(opened(app.url))
            upload(page, ASKED)
            says(page, "import-says", "2 to be completed below")
            page.locator("#import-propose").click()
            says(page, "import-says", told)
            expect(page.locator("#import-cancel")).to_be_hidden()
            expect(cell(page, TEXT, row=1)).to_contain_text("Toba Rain is slow.")
            page.locator("#import-complete").click()
            says(page, "import-says", f"{2 if model == 'finds-a-brief' else 0} new approved texts")
            assert len(approved(app, "slow")) == (model == "finds-a-brief")


def test_proposing_is_called_off_and_what_came_stays(opened: Callable[..., Page], tmp_path: Path) -> None:
    with misbehaving_server() as server:
        far = TeacherSettings(
            base_url=server.endpoint("hang-after-one").base_url, model="hang-after-one", max_attempts=1
        )
        with launched(tmp_path, teacher="far", teachers={"far": far}) as app:
            page = import_panel(opened(app.url))
            upload(page, ASKED)
            says(page, "import-says", "2 to be completed below")
            page.locator("#import-propose").click()
            says(page, "import-says", "Propose: 1 of 2")
            page.locator("#import-cancel").click()
            expect(page.locator("#import-cancel")).to_be_hidden()
            server.release.set()
            says(page, "import-says", "0 of 2 rows completed by the teacher")
            expect(cell(page, TEXT, row=1)).to_contain_text("Toba Rain is slow.")
