"""How soon the next draft is there, with a full store behind it: from the store alone, and from the key to the text.

The store is filled with drafts of recorded copy through its own methods, half of them waiting. First the store is asked
for draft after draft, as the Review tab asks it. Then a headless browser approves by keyboard in the launched app: the
page's own clock runs from the key press until the next text stands in its box, and until the answer has come: verdict
stored and flushed to disk, lease moved, page updated. A person reads before deciding, so the browser pauses, too.
"""

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.report import Table
from benchmarks.scale import Scale
from brand_voice.brand import BrandFolder
from brand_voice.records import Brief, Draft, Review, Screening
from brand_voice.screen.screening import Screener
from brand_voice.settings import Settings
from brand_voice.store.queue import Narrowed
from brand_voice.store.store import Store
from brand_voice.ui.app import launch
from brand_voice.ui.session import Session
from brand_voice.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page

BRAND = "tidewater"
LOT = 5_000
READING_MS = 400
PATIENCE_MS = 60_000
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu")
HEADER = ("", "times", "median ms", "95th percentile ms", "longest ms")
WORD = "coffee"
WATCH = """(patience) => {
  const value = (id) => document.querySelector(`#review-${id} :is(textarea, input)`).value;
  const text = () => value("copy");
  const said = () => ["notice", "position"].map((id) => document.querySelector(`#review-${id} textarea`).value);
  const [before, id] = [text(), value("draft-id")];
  let shown = null;
  window.nextText = new Promise((done, fail) => document.addEventListener("keydown", (event) => {
    const look = () => {
      const took = performance.now() - event.timeStamp;
      if (text() !== before) shown ??= took;
      if (shown !== null && value("draft-id") !== id) done([shown, took]);
      else if (took > patience) fail(new Error(`no next text; the page says: ${said().join(" ")}`));
      else setTimeout(look, 1);
    };
    look();
  }, { once: true, capture: true }));
}"""


def measure(scale: Scale) -> Iterator[Table]:
    """Fill a store, ask it, then open it in the app."""
    with tempfile.TemporaryDirectory() as folder, Session(Workspace(Path(folder)), Settings(), brand=BRAND) as session:
        began = time.perf_counter()
        _fill(session.store, session.folder(session.first_brand), scale.stored_drafts)
        filled = (
            f"{scale.stored_drafts:,} drafts of one brand, half of them waiting, stored in "
            f"{time.perf_counter() - began:.0f} s."
        )
        rows = [_row(name, times) for name, times in _claimed(session, scale.claims)]
        yield Table("The next draft: the store", HEADER, rows, (filled, "A claim moves a lease: it is a write."))
        page = launch(session, opens_browser=False)
        try:
            rows = [
                _row(f"{what}, {name}", times)
                for name, both in _decided(page.local_url, scale.decisions)
                for what, times in zip(("shown", "stored"), zip(*both, strict=True), strict=True)
            ]
        finally:
            page.close(verbose=False)
        yield Table("The next draft: from the key to the text", HEADER, rows, ("Headless Chromium beside the server.",))


class _Text(NamedTuple):
    """A recorded text with its brief and findings."""

    text: str
    brief: Brief
    screening: Screening


def _fill(store: Store, folder: BrandFolder, number: int) -> None:
    """Store so many drafts of the recorded copy, each with a number so that neighbours differ; approve every other."""
    briefs = {brief.id: brief for brief in folder.briefs}
    screener = Screener(folder.guide, folder.catalogue)
    recorded = [(recording.text, briefs[recording.brief_id]) for recording in folder.recordings]
    texts = cycle([_Text(text, brief, screener.screen(text, brief)) for text, brief in recorded])
    store.save_brand_briefs(folder.briefs)
    chance, lot = random.Random(0), range(0)
    while lot.stop < number:
        lot = range(lot.stop, min(lot.stop + LOT, number))
        pairs = [(_draft(place, each, chance), each.screening) for place, each in zip(lot, texts, strict=False)]
        store.save_drafts(draft for draft, _ in pairs)
        store.save_screenings(screening.model_copy(update={"draft_id": draft.id}) for draft, screening in pairs)
        store.add_reviews(
            Review(draft_id=draft.id, revision=1, verdict="approve", final_text=draft.text, reviewer="bench")
            for draft, _ in pairs[::2]
        )


def _draft(place: int, each: _Text, chance: random.Random) -> Draft:
    """Of three one is the teacher's, whose certainty nobody knows."""
    is_students = place % 3 > 0
    return Draft(
        id=f"bench-{place:06d}",
        brand=each.brief.brand,
        brief_id=each.brief.id,
        brief_hash=each.brief.hash,
        author="student" if is_students else "teacher",
        model="bench",
        text=f"{each.text} ({place})",
        mean_logprob=-chance.expovariate(3) if is_students else None,
    )


def _narrowings(folder: BrandFolder) -> dict[str, Narrowed]:
    """What a reviewer may ask for, by name."""
    channel, locale = next(iter(folder.guide.channels)), folder.guide.locales[0]
    everything = Narrowed(author="student", channel=channel, locale=locale, worst="none", text=WORD)
    return {
        "all, oldest first": Narrowed(),
        "all, least certain first": Narrowed(order="least_certain"),
        "by channel": Narrowed(channel=channel),
        "by author": Narrowed(author="teacher"),
        "by worst finding": Narrowed(worst="block"),
        "by language": Narrowed(locale=locale),
        f"by a word ({WORD})": Narrowed(text=WORD),
        "by a word that is nowhere": Narrowed(text="qwertz"),
        "by all of them": everything,
        "by all of them, least certain first": everything._replace(order="least_certain"),
    }


def _claimed(session: Session, times: int) -> Iterator[tuple[str, list[float]]]:
    """The queue walked claim by claim; then lists of fifty, and where a draft stands."""
    store, narrowings = session.store, _narrowings(session.folder(session.first_brand))
    for name, narrowed in narrowings.items():
        after, took = None, []
        for _ in range(times):
            began = time.perf_counter()
            item = store.claim(BRAND, "bench", narrowed=narrowed, after=after)
            took.append(1e3 * (time.perf_counter() - began))
            after = item.draft.id if item else None
        yield f"next, {name}", took
    for name, narrowed in narrowings.items():
        item = store.claim(BRAND, "bench", narrowed=narrowed)
        if item is not None:
            yield f"place, {name}", list(_timed(partial(store.place, BRAND, item.draft.id, narrowed=narrowed)))
    clean = Narrowed(worst="none")
    yield "list of 50 without findings", list(_timed(lambda: store.claim_list(BRAND, "b", narrowed=clean, limit=50)))


def _timed(act: Callable[[], object], times: int = 20) -> Iterator[float]:
    """Milliseconds of each time."""
    for _ in range(times):
        began = time.perf_counter()
        act()
        yield 1e3 * (time.perf_counter() - began)


def _decided(url: str, times: int) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Drafts approved by keyboard, in three queues."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        page.get_by_role("tab", name="Review").click()
        text, name = page.locator("#review-copy textarea"), page.locator("#review-reviewer :is(textarea, input)")
        expect(text).not_to_have_value("", timeout=PATIENCE_MS)
        page.wait_for_timeout(1_000)  # the page's own start must not undo what is typed
        name.fill("bench")
        name.blur()
        yield "oldest first", [_decision(page) for _ in range(times)]
        _choose(page, "order", "Least certain first")
        yield "least certain first", [_decision(page) for _ in range(times)]
        for field, choice in (("channel", "Product blurb"), ("author", "Student"), ("worst", "None")):
            _choose(page, field, choice)
        page.locator("#review-search :is(textarea, input)").fill(WORD)
        page.locator("#review-search :is(textarea, input)").press("Enter")
        page.locator("#review-search :is(textarea, input)").blur()
        page.wait_for_timeout(READING_MS)
        yield (
            f"least certain first, filtered by channel, author, finding and {WORD}",
            [_decision(page) for _ in range(times)],
        )
        browser.close()


def _decision(page: "Page") -> tuple[float, float]:
    """Read, press the key; milliseconds until the next text is shown, and until the answer is there."""
    page.wait_for_timeout(READING_MS)
    page.evaluate(WATCH, PATIENCE_MS)
    page.keyboard.press("a")
    shown, stored = page.evaluate("() => window.nextText")
    return shown, stored


def _choose(page: "Page", field: str, choice: str) -> None:
    page.locator(f"#review-{field} input").click()
    page.get_by_role("option").filter(has_text=choice).first.click()
    page.locator(f"#review-{field} input").blur()  # keys typed into a field decide nothing
    page.wait_for_timeout(READING_MS)


def _row(name: str, took: Sequence[float]) -> tuple[str, ...]:
    p95 = statistics.quantiles(took, n=20)[-1]
    return name, str(len(took)), f"{statistics.median(took):.1f}", f"{p95:.1f}", f"{max(took):.1f}"
