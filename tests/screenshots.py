"""`make screenshots`: every tab in light, dark and narrow, into `data/screenshots`.

The app runs on a copy of a workspace that has an adapter (`make demo` makes one), with the recorded teacher and the
real student; what the pictures do to the copy is thrown away.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from launched_app import CHROMIUM, FLAGS, box, example, launched, says, write
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

LOOKS = (("light", 1280), ("dark", 1280), ("light", 390))
DRAFTS = 3
"""Texts sent to review, so that its queue is one."""


def main() -> int:
    """Take the pictures; return the exit code."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path("workspace/demo"))
    parser.add_argument("--out", type=Path, default=Path("data/screenshots"))
    options = parser.parse_args()
    if not any((options.workspace / "adapters").glob("*/manifest.json")):
        sys.stderr.write(f"error: {options.workspace} has no adapter\n  try: make demo\n")
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        expect.set_options(timeout=180_000)
        copy = Path(name) / "workspace"
        shutil.copytree(options.workspace, copy, ignore=shutil.ignore_patterns("server.json", "runs"))
        with launched(copy) as app, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as chromium:
            for scheme, width in LOOKS:
                page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
                page.add_init_script("localStorage.setItem('brand-voice-tour', 'seen')")
                page.goto(app.url)
                _take(page, options.out, f"{scheme}-{width}")
                page.close()
    return 0


def _take(page: Page, out: Path, look: str) -> None:
    says(page, "side-2-who", "@")
    for _ in range(DRAFTS):
        example(page)
        write(page)
        expect(page.locator("#side-1-send")).to_be_visible()
        page.locator("#side-2-send").click()
        says(page, "side-2-sent", "review")
    _picture(page, out / f"write-{look}.png")
    page.get_by_role("tab", name="Compare").click()
    box(page, "compare-voter").fill("Mia")
    for key in "12":
        page.locator("#compare-next").click()
        expect(page.locator("#compare-left")).to_be_enabled()
        page.keyboard.press(key)
        expect(page.locator("#compare-left")).to_be_disabled()
    _picture(page, out / f"compare-{look}.png")
    page.get_by_role("tab", name="Review").click()
    box(page, "review-reviewer").fill("Mia")
    expect(box(page, "review-copy")).not_to_have_value("")
    _picture(page, out / f"review-{look}.png")
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#models-focus section")).to_be_visible()
    _picture(page, out / f"models-{look}.png")


def _picture(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(800)  # fonts and transitions settle
    page.screenshot(path=path, full_page=True)
    Image.open(path).quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
