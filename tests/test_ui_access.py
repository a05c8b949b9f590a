"""Every tab against axe-core's rules, light and dark, wide and narrow."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from launched_app import App, example, write
from playwright.sync_api import Page, expect
from shelf import file_report, review_texts, shelve

from brand_voice.live import Promotion

OF_GRADIO: dict[str, str] = {}
"""Rules that Gradio's own markup breaks (6.31), with what breaks them; ours must not."""


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe-core calls serious or critical, Gradio's own left out."""
    found = Axe().run(page).response["violations"]
    return [
        {"rule": each["id"], "nodes": [node["html"][:300] for node in each["nodes"]]}
        for each in found
        if each["impact"] in ("serious", "critical") and each["id"] not in OF_GRADIO
    ]


@pytest.fixture(scope="module")
def stocked(app: App) -> App:
    """The app with adapters, reports and a promotion."""
    workspace, store = app.session.workspace, app.session.store
    first, second = (shelve(workspace, number).name for number in (1, 2))
    for adapter, share in ((first, 0.6), (second, 0.9)):
        file_report(workspace, adapter, "ready", share)
    review_texts(store, app.brand, first, approved=3, rejected=2)
    store.promote(Promotion(brand="tidewater", act="promote", adapter=first, by="Ada"))
    return app


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_no_tab_has_a_serious_violation(stocked: App, opened: Callable[..., Page], scheme: str, width: int) -> None:
    page = opened(scheme=scheme, width=width)
    example(page)
    write(page)
    expect(page.locator("#side-1-send")).to_be_visible()
    assert violations(page) == []
    page.locator("#side-2-send").click()
    tabs = (("Compare", "#compare-next"), ("Review", "#review-approve"), ("Models", "#models-generations svg"))
    for tab, ready in tabs:
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(ready)).to_be_visible()
        assert violations(page) == [], tab
