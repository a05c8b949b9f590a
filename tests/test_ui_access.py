"""Every tab against axe-core's rules, light and dark, wide and narrow."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from launched_app import App, example, write
from playwright.sync_api import Page, expect

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


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_no_tab_has_a_serious_violation(app: App, opened: Callable[..., Page], scheme: str, width: int) -> None:
    page = opened(scheme=scheme, width=width)
    example(page)
    write(page)
    expect(page.locator("#side-1-send")).to_be_visible()
    assert violations(page) == []
    page.locator("#side-2-send").click()
    for tab, ready in (("Compare", "#compare-next"), ("Review", "#review-approve")):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(ready)).to_be_visible()
        assert violations(page) == [], tab
