"""The launched app and a headless Chromium: what every test of the page needs."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

from brand_voice.address import ServerAddress
from brand_voice.brand import BrandFolder
from brand_voice.recorded import LoopbackServer
from brand_voice.serve import StudentServer
from brand_voice.settings import Settings
from brand_voice.ui.app import launch
from brand_voice.ui.session import Session
from brand_voice.workspace import Workspace

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
PATIENCE_MS = 120_000
FORGET = """
if (!sessionStorage.getItem("fresh")) localStorage.removeItem("brand-voice-reviewer");
sessionStorage.setItem("fresh", "yes");
"""
"""A test's first page does not know the name that another test gave at the same address; a reload keeps it."""
ADAPTER = "tidewater@20260102-abcdef"
LOGPROB = -0.75
HOSTILE = (
    '<script>window.owned=1</script><img src=x onerror="window.owned=2"> ${window.owned=3} '
    "{{window.owned=4}} [go](javascript:alert(1)) <|im_end|> \u202etxet"
)


class EchoStudent(BaseHTTPRequestHandler):
    """Speaks the protocol and answers with the brief's own message, so that a hostile brief gets a hostile answer: the
    spaces by which prompts break control tokens up are taken out again."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, body: dict[str, Any], text: str) -> str:
        """What is answered; `body` is the request."""
        return text

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        said = {k: v for k, _, v in (line.partition(": ") for line in prompt.splitlines())}
        text = f"{said['Product']}! It {said['Message']}."  # the guide forbids the exclamation mark
        text = self.answer(body, text.replace("< ", "<"))
        usage = {"prompt_tokens": 90, "completion_tokens": 12}
        events: list[dict[str, Any]] = [{"choices": [{"delta": {"content": f"{w} "}}]} for w in text.split(" ")]
        events += [{"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]
        if body.get("logprobs"):
            events[0]["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": LOGPROB}]}
        if not body.get("stream"):
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            choice |= {"logprobs": {"content": [{"token": "a", "logprob": LOGPROB}]}} if body.get("logprobs") else {}
            payload = json.dumps({"choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)
            return
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write("".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n")


class App(NamedTuple):
    """A launched app."""

    session: Session
    url: str
    brand: BrandFolder


@contextmanager
def launched(workspace: Path, **changes: Any) -> Iterator[App]:
    student = changes.pop("student", None)
    settings = Settings(student=changes.pop("base", None), **changes)
    with Session(Workspace(workspace), settings, brand="tidewater", student=student) as session:
        page = launch(session, opens_browser=False)
        try:
            yield App(session, page.local_url, session.folder("tidewater"))
        finally:
            page.close(verbose=False)


@pytest.fixture(scope="module")
def student() -> Iterator[StudentServer]:
    server = LoopbackServer(0, EchoStudent)
    with server.running():
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        yield StudentServer(ServerAddress(pid=os.getpid(), base_url=base_url, key="k", models=(ADAPTER,)))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, student: StudentServer) -> Iterator[App]:
    with launched(tmp_path_factory.mktemp("workspace"), student=student, machine_usd_per_hour=0.36) as app:
        yield app


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserContext]:
    """One browser with one cache: loading Gradio's scripts takes longer than most tests."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as chromium:
        context = chromium.new_context()
        context.set_default_timeout(PATIENCE_MS)
        yield context


@pytest.fixture
def opened(app: App, browser: BrowserContext) -> Iterator[Callable[..., Page]]:
    pages = []

    def open_page(url: str = app.url, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Page:
        page = browser.new_page()
        if not pages:
            page.add_init_script(FORGET)
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto(url)
        expect(page.locator("#write-go")).to_be_visible()
        return page

    yield open_page
    for page in pages:
        page.close()


def box(page: Page, id_: str) -> Locator:
    return page.locator(f"#{id_} :is(textarea, input)").first


def example(page: Page) -> None:
    """Fill an example, and wait until the form shows another brief than before."""
    brief = "['name', 'message'].map(id => document.querySelector(`#brief-${id} :is(textarea, input)`).value).join()"
    expect(box(page, "brief-message")).to_be_visible()
    before = page.evaluate(brief)
    page.locator("#write-example").click()
    page.wait_for_function(f"before => {brief} !== before", arg=before, timeout=120_000)


def write(page: Page, *sides: int) -> None:
    """Let everybody write, and wait until these sides (else the second) show another text than before."""
    tokens = {side: box(page, f"side-{side}-token") for side in sides or (2,)}
    before = {side: token.input_value() for side, token in tokens.items()}
    page.locator("#write-go").click()
    for side, token in tokens.items():
        expect(token).not_to_have_value(re.compile(f"^({re.escape(before[side])})?$"))


def says(page: Page, id_: str, text: str) -> None:
    expect(box(page, id_)).to_have_value(re.compile(re.escape(text)))


def shown(page: Page, id_: str) -> str:
    """The text of a highlighted text, without the labels of its spans."""
    return " ".join("".join(page.locator(f"#{id_} .text").all_inner_texts()).split())


def copy_of(page: Page, side: int) -> str:
    """The finished text on one side of the Write tab, spaces squeezed."""
    return " ".join(box(page, f"side-{side}-copy").input_value().split())


def choose(page: Page, id_: str, name: str) -> None:
    box(page, id_).click()
    page.get_by_role("option").filter(has_text=name).first.click()
