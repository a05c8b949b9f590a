"""How soon the next draft stands in the Review tab, with a full store behind it: from the key to the text on the page.

The store is filled with drafts of recorded copy, each screened. A headless browser then approves by keyboard; the
page's own clock runs from the key press until the next text is in its box. Whatever else a handler does (verdict
stored and flushed to disk, lease moved, place counted) lies in between.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from benchmarks.report import Table
from benchmarks.scale import Scale
from brand_voice.brand import BrandFolder
from brand_voice.records import Draft, Screening
from brand_voice.screen.screening import Screener
from brand_voice.settings import Settings
from brand_voice.store.store import Store
from brand_voice.ui.app import launch
from brand_voice.ui.session import Session
from brand_voice.workspace import Workspace

BRAND = "tidewater"
CHROMIUM = "/usr/bin/chromium"
BATCH = 5_000
DECIDE = """() => new Promise(done => {
  const text = () => document.querySelector("#review-copy textarea").value;
  const before = text(), began = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
  const look = () => text() !== before ? done(performance.now() - began) : setTimeout(look, 2);
  look();
})"""
"""Approve, and wait for the next text; milliseconds."""


def measure(scale: Scale) -> Table:
    """Fill a store, open the tab, approve draft after draft; once unfiltered, once with every filter set."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        with Session(workspace, Settings(), brand=BRAND) as session:
            began = time.perf_counter()
            _fill(session.store, session.folder(BRAND), scale.stored_drafts)
            filled_s = time.perf_counter() - began
            page = launch(session, opens_browser=False)
            try:
                rows = [_row(name, times) for name, times in _decided(page.local_url, scale.decisions)]
            finally:
                page.close(verbose=False)
    notes = (
        f"{scale.stored_drafts:,} drafts of one brand wait, screened and stored in {filled_s:.0f} s. Headless Chromium "
        "on the same machine; milliseconds from the key to the next text on the page.",
    )
    return Table("Reviewing", ("queue", "decisions", "median ms", "95th percentile ms", "longest ms"), rows, notes)


def _fill(store: Store, folder: BrandFolder, number: int) -> None:
    briefs = {brief.id: brief for brief in folder.briefs}
    screener = Screener(folder.guide, folder.catalogue)
    found = [(r.text, briefs[r.brief_id]) for r in folder.recordings]
    screened = [screener.screen(text, brief) for text, brief in found]
    store.save_brand_briefs(folder.briefs)
    lot = islice(enumerate(cycle(zip(found, screened, strict=True))), number)
    while batch := list(islice(lot, BATCH)):
        drafts: list[Draft] = []
        screenings: list[Screening] = []
        for place, ((text, brief), screening) in batch:
            # A number makes neighbours differ, so that the page is seen to change.
            id_ = f"bench-{place:06d}"
            drafts.append(
                Draft(
                    id=id_,
                    brand=brief.brand,
                    brief_id=brief.id,
                    brief_hash=brief.hash,
                    author="student" if place % 2 else "teacher",
                    model="bench",
                    text=f"{text} ({place})",
                )
            )
            screenings.append(screening.model_copy(update={"draft_id": id_}))
        store.save_drafts(drafts)
        store.save_screenings(screenings)


def _decided(url: str, decisions: int) -> Iterator[tuple[str, list[float]]]:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        page.goto(url)
        page.get_by_role("tab", name="Review").click()
        page.locator("#review-reviewer :is(textarea, input)").fill("bench")
        box = page.locator("#review-copy textarea")
        expect(box).not_to_have_value("", timeout=60_000)
        yield "all", [page.evaluate(DECIDE) for _ in range(decisions)]
        for name, choice in (("channel", "Product blurb"), ("author", "Student"), ("worst", "None")):
            page.locator(f"#review-{name} input").click()
            page.get_by_role("option").filter(has_text=choice).first.click()
            page.wait_for_timeout(1_000)
        page.locator("#review-search :is(textarea, input)").fill("coffee")
        page.locator("#review-search :is(textarea, input)").press("Enter")
        page.wait_for_timeout(2_000)
        yield (
            "blurbs of the student without findings that say coffee",
            [page.evaluate(DECIDE) for _ in range(decisions)],
        )
        browser.close()


def _row(name: str, times: list[float]) -> tuple[str, ...]:
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    return name, str(len(times)), f"{median:.0f}", f"{p95:.0f}", f"{max(times):.0f}"
