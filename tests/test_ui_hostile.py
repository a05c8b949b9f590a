"""A brand, briefs and answers full of markup and control tokens, and endless lines, thrown at every tab."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from launched_app import HOSTILE, App, EchoStudent, box, choose, copy_of, example, launched, says, shown, write
from playwright.sync_api import Page, expect
from shelf import file_report, shelve

from brand_voice.address import ServerAddress
from brand_voice.live import Promotion
from brand_voice.recorded import LoopbackServer
from brand_voice.serve import StudentServer
from brand_voice.shipped import shipped

ADAPTERS = ("tidewater@20260101-<i>", "tidewater@20260102-${window.owned=5}")
MEGABYTE = "x" * 1_000_000


class TwoStudents(EchoStudent):
    """Says who it is after the message, so that two adapters' texts differ."""

    def answer(self, body: dict[str, str], text: str) -> str:
        return f"{text} {body['model']} {len(body['model']) * 'word '}"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app of a workspace whose own version of a shipped brand is hostile in every text a page shows."""
    workspace = tmp_path_factory.mktemp("hostile")
    brand = Path(shutil.copytree(shipped("data") / "brands" / "tidewater", workspace / "brands" / "tidewater"))
    guide = brand / "brand.yaml"
    guide.write_text(
        guide.read_text("utf-8").replace("name: Tidewater Coffee", f"name: {json.dumps(HOSTILE)}", 1), "utf-8"
    )
    briefs = [json.loads(line) for line in (brand / "briefs.jsonl").read_text("utf-8").splitlines()][:12]
    for number, brief in enumerate(briefs):
        brief["product"] |= {"name": f"Mug {number} {HOSTILE}", "facts": [HOSTILE]}
        brief |= {"key_message": f"holds {HOSTILE}", "offer": HOSTILE, "cta": HOSTILE, "must_include": [HOSTILE]}
    (brand / "briefs.jsonl").write_text("".join(json.dumps(brief) + "\n" for brief in briefs), "utf-8")
    for recorded in ("teacher.jsonl", "reviews.jsonl"):
        (brand / recorded).unlink()
    server = LoopbackServer(0, TwoStudents)
    with server.running():
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        address = ServerAddress(pid=os.getpid(), base_url=base_url, key="k", models=ADAPTERS)
        with launched(workspace, student=StudentServer(address)) as app:
            yield app


@pytest.fixture
def watched(opened: Callable[..., Page]) -> Iterator[Page]:
    """A page on which nothing hostile may come to life."""
    page, dialogs = opened(), []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    assert page.evaluate("window.owned") is None
    assert page.locator("a[href^=javascript], img[src=x]").count() == 0
    assert dialogs == []


def test_a_hostile_brief_is_written_compared_and_reviewed_as_plain_text(app: App, watched: Page) -> None:
    page = watched
    says(page, "side-2-who", ADAPTERS[1])
    choose(page, "write-writers", ADAPTERS[0])
    says(page, "side-3-who", ADAPTERS[0])
    example(page)
    write(page)
    expect(page.locator("#side-3-send")).to_be_visible()
    assert HOSTILE.split("\u202e")[0].strip() in copy_of(page, 2)
    page.get_by_role("button", name="Word difference").click()
    choose(page, "difference-first", "2 Student")
    choose(page, "difference-second", "3 Student")
    expect(page.locator("#difference-shown .label").first).to_be_visible()
    page.locator("#side-2-send").click()
    says(page, "side-2-sent", "In the review queue.")
    page.get_by_role("tab", name="Compare").click()
    choose(page, "compare-second", ADAPTERS[0])
    box(page, "compare-voter").fill(HOSTILE[:70])
    page.locator("#compare-next").click()
    expect(page.locator("#compare-left")).to_be_enabled()
    assert "onerror" in shown(page, "compare-left-text")
    page.locator("#compare-left").click()
    expect(page.locator("#compare-card")).to_contain_text("more decisive votes")
    page.get_by_role("tab", name="Review").click()
    box(page, "review-reviewer").fill(HOSTILE)
    expect(box(page, "review-copy")).not_to_have_value("")
    box(page, "review-search").fill(f"absent {HOSTILE}")
    box(page, "review-search").press("Enter")
    says(page, "review-position", "that fits the filters")


def test_hostile_models_are_shown_as_plain_text(app: App, watched: Page) -> None:
    workspace, page = app.session.workspace, watched
    old, new = (shelve(workspace, number, said=HOSTILE).name for number in (1, 2))
    file_report(workspace, old, "not_yet", 0.6, said=HOSTILE)
    promoted = Promotion(brand="tidewater", act="promote", adapter=old, canary=f"gone{HOSTILE}", by=HOSTILE)
    app.session.store.promote(promoted.model_copy(update={"reason": HOSTILE, "share": 0.1}))
    page.get_by_role("tab", name="Models").click()
    for part in ("standing", "adapters", "focus", "history"):
        expect(page.locator(f"#models-{part}")).to_contain_text("<script>window.owned=1</script>")
    choose(page, "models-adapter", new)
    expect(page.locator("#models-focus")).to_contain_text("No report yet")


def test_an_endless_line_is_refused_in_words_and_the_page_goes_on(app: App, watched: Page) -> None:
    page = watched
    example(page)
    message = box(page, "brief-message").input_value()
    box(page, "brief-message").fill(MEGABYTE)
    page.locator("#write-go").click()
    says(page, "write-notice", "Message is longer than 2,000 characters")
    box(page, "brief-message").fill(message)
    write(page)
    box(page, "side-2-copy").fill(MEGABYTE)
    says(page, "side-2-count", "too many")
    page.locator("#side-2-send").click()
    says(page, "side-2-sent", "The text has over 20,000 characters")
    box(page, "side-2-copy").fill("A mug.")
    page.locator("#side-2-send").click()
    says(page, "side-2-sent", "In the review queue.")
    page.get_by_role("tab", name="Review").click()
    box(page, "review-reviewer").fill("Mia")
    expect(box(page, "review-copy")).not_to_have_value("")
    box(page, "review-copy").fill(MEGABYTE)
    says(page, "review-count", "too many")
    page.locator("#review-edit").click()
    says(page, "review-notice", "20,000 are the most")
    box(page, "review-search").fill(MEGABYTE)
    box(page, "review-search").press("Enter")
    says(page, "review-position", "that fits the filters")
