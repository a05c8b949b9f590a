"""The app with people: nothing without a login, roles checked at every call, the login's name on verdicts and votes."""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import httpx2
import pytest
from launched_app import ADAPTER, box, example, says
from playwright.sync_api import BrowserContext, Page, expect

from brand_voice.errors import ServeError
from brand_voice.people import FREE_FAILURES, ROLES, hashed
from brand_voice.records import Draft
from brand_voice.serve import StudentServer
from brand_voice.settings import Settings
from brand_voice.store.store import Store
from brand_voice.ui.access import Access, check_roles, least_role
from brand_voice.ui.app import build_app, launch
from brand_voice.ui.door import OPEN_PATHS
from brand_voice.ui.session import Session
from brand_voice.workspace import Workspace

PASSWORD = "four words, unrelated"
HASH = hashed(PASSWORD)
HOSTILE = "<img src=x onerror=window.owned=1>${window.owned=2}{{`"
STAFF = {"Ada": "admin", "Mia": "reviewer", "Cleo": "copywriter", HOSTILE: "copywriter"}
FORGED = "Mallory"
SECRETS = re.compile(r"tidewater|vela|Skipper|review_approve|Cleo", re.IGNORECASE)


class House(NamedTuple):
    """A launched app with people, and two drafts that wait."""

    session: Session
    page: gr.Blocks
    drafts: list[Draft]

    @property
    def store(self) -> Store:
        return self.session.store

    def client(self, name: str | None = None) -> "Client":
        return Client(self.page.local_url, name)


class Client(httpx2.Client):
    """A browser's part in calling events: cookies, and inputs filled as the page has them."""

    def __init__(self, url: str, name: str | None = None) -> None:
        super().__init__(base_url=url, trust_env=False, timeout=60)
        if name is not None:
            assert self.sign_in(name).status_code == 200

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx2.Response:
        return self.post("/login", data={"username": name, "password": password})

    def event(self, api_name: str, page: gr.Blocks, route: str = "call", **said: Any) -> httpx2.Response:
        """Begin an event; `said` fills inputs by their element's id."""
        [event] = [event for event in page.fns.values() if event.api_name == api_name]
        ids = [(part.elem_id or "").replace("-", "_") for part in event.inputs]
        data = [said.get(id_, getattr(part, "value", None)) for id_, part in zip(ids, event.inputs, strict=True)]
        return self.post(f"/gradio_api/{route}/{api_name}", json={"data": data, "session_hash": "one-page"})

    def call(self, api_name: str, page: gr.Blocks, **said: Any) -> str:
        """Run an event to its end; return what the page would be told."""
        begun = self.event(api_name, page, **said)
        assert begun.status_code == 200, begun.text
        return self.get(f"/gradio_api/call/{api_name}/{begun.json()['event_id']}").text


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, student: StudentServer) -> Iterator[House]:
    workspace = Workspace(tmp_path_factory.mktemp("house"))
    with Store.open(workspace.database) as store:
        for name, role in STAFF.items():
            store.add_person(name, role, HASH)
    with Session(workspace, Settings(), brand="tidewater", student=student) as session:
        page = launch(session, opens_browser=False)
        yield House(session, page, [])
        page.close(verbose=False)


@pytest.fixture
def drafts(house: House) -> list[Draft]:
    """Two fresh drafts in the queue."""
    briefs = house.session.folder("tidewater").briefs[:2]
    house.store.save_brand_briefs(briefs)
    count = len(house.store.drafts("tidewater"))
    made = [
        Draft(
            **{"id": f"draft-{count + n}", "brand": b.brand, "brief_id": b.id, "brief_hash": b.hash},
            author="student",
            model=ADAPTER,
            text=f"{b.product.name}, number {count + n}.",
        )
        for n, b in enumerate(briefs)
    ]
    house.store.save_drafts(made)
    return made


def verdict_on(draft: Draft) -> dict[str, Any]:
    """What the page says of a draft in focus, under somebody else's name."""
    return {
        "review_reviewer": FORGED,
        "compare_voter": FORGED,
        "review_draft_id": draft.id,
        "review_revision": "0",
        "review_copy": draft.text,
        "review_reasons": ["other"],
    }


def roles(page: gr.Blocks) -> dict[str, str | None]:
    """The role every event declares; what runs in the browser alone has no handler."""
    return {str(event.api_name): least_role(event.fn) for event in page.fns.values() if event.fn is not None}


def changes(house: House) -> tuple[Any, ...]:
    """What a reviewer's act would change."""
    ids = [draft.id for draft in house.store.drafts("tidewater")]
    with house.store._database.read() as connection:
        leases = connection.exec_driver_sql("SELECT * FROM leases").all()
    return [house.store.reviews(id_) for id_ in ids], house.store.ballots("tidewater"), leases


def test_every_event_declares_its_role(house: House) -> None:
    declared = roles(house.page)
    assert set(declared.values()) <= set(ROLES)
    verdicts = {f"review_{act}" for act in ("approve", "edit", "reject", "undo", "open", "next", "skip")}
    assert {declared[name] for name in verdicts} == {"reviewer"}
    assert {declared[name] for name in ("write", "write_send_2", "compare_vote_left")} == {"copywriter"}


def test_an_event_without_a_role_fails_at_start() -> None:
    with gr.Blocks() as page:
        gr.Button("Delete all").click(lambda: None, api_name="delete_all")
    with pytest.raises(RuntimeError, match="events without a role: delete_all"):
        check_roles(page)


def test_a_stranger_is_refused_on_every_route_and_told_nothing(house: House, drafts: list[Draft]) -> None:
    before, stranger = changes(house), house.client()
    for route in house.page.app.routes:
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        for method in sorted(route.methods):
            answer = stranger.request(method, path)
            assert path in (*OPEN_PATHS, "/") or answer.status_code == 401, f"{method} {path}"
            assert not SECRETS.search(answer.text), f"{method} {path}"
    for name in roles(house.page):
        assert stranger.event(name, house.page, **verdict_on(drafts[0])).status_code == 401
    for path in ("/?all_endpoints=1", "/config", f"/gradio_api/file={house.session.workspace.database}"):
        answer = stranger.get(path)
        assert not SECRETS.search(answer.text.replace(str(house.session.workspace.root), ""))
    assert stranger.post("/gradio_api/upload", files={"files": b"x"}).status_code == 401
    stranger.cookies[f"access-token-unsecure-{house.page.app.cookie_id}"] = "guess"
    assert stranger.get("/config").status_code == 401
    assert SECRETS.search(house.client("Mia").get("/").text)
    assert changes(house) == before


def test_a_copywriters_call_of_a_reviewers_event_is_refused_and_stores_nothing(
    house: House, drafts: list[Draft]
) -> None:
    before, cleo = changes(house), house.client("cleo")
    told = {name: cleo.call(name, house.page, **verdict_on(drafts[0])) for name in roles(house.page)}
    refusal = re.compile("This needs the role (reviewer|admin); Cleo is copywriter")
    refused = {name for name, answer in told.items() if refusal.search(answer)}
    assert refused == {name for name, least in roles(house.page).items() if least != "copywriter"}
    assert "This needs the role reviewer" in cleo.event("review_approve", house.page, "run").text
    assert changes(house) == before


def test_verdicts_carry_the_login_name_whatever_the_page_says(house: House, drafts: list[Draft]) -> None:
    mia = house.client("MIA")
    for act, draft in (("approve", drafts[0]), ("reject", drafts[1])):
        assert "event: complete" in mia.call(f"review_{act}", house.page, **verdict_on(draft))
    assert "event: complete" in mia.call("review_undo", house.page, **verdict_on(drafts[1]))
    stored = [(r.verdict, r.reviewer) for draft in drafts for r in house.store.reviews(draft.id)]
    assert stored == [("approve", "Mia"), ("reject", "Mia"), ("undo", "Mia")]
    assert json.dumps("Mia") in mia.call("review_reviewer", house.page)


def test_votes_carry_the_login_name_and_nobody_votes_on_anothers_pair(house: House) -> None:
    contenders = {"compare_first": ADAPTER, "compare_second": "teacher", "compare_voter": FORGED}
    cleo, mia = house.client("Cleo"), house.client("Mia")
    assert "event: complete" in cleo.call("compare_next", house.page, **contenders)
    assert "has been voted on" in mia.call("compare_vote_left", house.page, **contenders)  # the same page's state
    assert house.store.ballots("tidewater") == ()
    assert "event: complete" in cleo.call("compare_vote_left", house.page, **contenders)
    [ballot] = house.store.ballots("tidewater")
    assert ballot.vote.voter == "Cleo"


def test_who_was_removed_or_demoted_is_refused_at_the_next_call(house: House, drafts: list[Draft]) -> None:
    house.store.add_person("Noor", "reviewer", HASH)
    noor = house.client("Noor")
    assert "event: complete" in noor.call("review_approve", house.page, **verdict_on(drafts[0]))
    house.store.change_role("Noor", "copywriter")
    assert "Noor is copywriter" in noor.call("review_reject", house.page, **verdict_on(drafts[1]))
    house.store.deactivate("Noor")
    answer = noor.event("write_idle", house.page)
    assert (answer.status_code, answer.json()["detail"]) == (401, "You are not signed in. Reload the page.")
    assert 'id="sign-in"' in noor.get("/").text
    assert noor.sign_in("Noor").status_code == 400
    assert house.store.reviews(drafts[1].id) == ()


def test_the_check_stands_in_the_handler_itself_and_a_generator_does_not_begin(house: House) -> None:
    access, began = Access(house.store), []

    def write(values: dict[str, str], request: gr.Request) -> Iterator[str]:
        began.append(request.username)
        yield values["text"]

    guarded = access.needs("reviewer")(write)
    assert inspect.isgeneratorfunction(guarded)
    for name in ("Cleo", "nobody", None):
        caller = gr.Request(username=name)
        with pytest.raises(gr.Error, match=r"needs the role|not signed in"):
            next(guarded(caller, {"text": "copy"}, caller))
    assert began == []
    caller = gr.Request(username="Ada")
    assert next(guarded(caller, {"text": "copy"}, caller)) == "copy"
    with pytest.raises(gr.Error, match="&lt;img src=x"):
        access.needs("admin")(print)(gr.Request(username=HOSTILE))


def test_another_password_ends_what_was_signed_in_under_the_old_one(house: House) -> None:
    house.store.add_person("Uma", "copywriter", HASH)
    thief, uma = house.client("Uma"), house.client()
    house.store.change_password("Uma", hashed("another pass phrase"))
    assert uma.sign_in("Uma", "another pass phrase").status_code == 200
    assert [client.get("/config").status_code for client in (thief, uma)] == [401, 200]


def test_signing_out_ends_the_login_on_the_server(house: House) -> None:
    cleo = house.client("Cleo")
    cookies = dict(cleo.cookies)
    assert cleo.get("/logout").status_code == 302
    again = house.client()
    again.cookies.update(cookies)
    assert again.get("/config").status_code == 401


def test_wrong_passwords_make_a_name_wait_and_nobody_else(house: House) -> None:
    client = house.client()
    for name in ("Ada", "Nobody at all"):
        told = [client.sign_in(name, "wrong password") for _ in range(FREE_FAILURES + 1)]
        assert [answer.status_code for answer in told] == [*FREE_FAILURES * [400], 429]
        assert re.search(r"Wait \d+ seconds", told[-1].json()["detail"])
    assert client.sign_in("Ada").status_code == 429
    assert client.sign_in("Mia").status_code == 200


def test_another_sites_page_is_refused_even_with_the_cookie(house: House) -> None:
    cleo = house.client("Cleo")
    for origin, status in (("http://evil.example", 403), ("null", 403), (house.page.local_url.rstrip("/"), 200)):
        assert cleo.get("/config", headers={"Origin": origin}).status_code == status


def test_with_people_the_app_listens_elsewhere_and_without_the_error_names_both_ways(
    house: House, tmp_path: Path
) -> None:
    page = launch(house.session, host="0.0.0.0", opens_browser=False)
    page.close(verbose=False)
    with Session(Workspace(tmp_path), Settings()) as alone:
        with pytest.raises(ServeError, match="no people") as refused:
            launch(alone, host="0.0.0.0", opens_browser=False)
        assert "brand-voice people add" in refused.value.remedy
        assert "ssh -L" in refused.value.remedy


def test_without_people_one_user_may_everything_until_somebody_is_added(tmp_path: Path) -> None:
    with Session(Workspace(tmp_path), Settings()) as alone:
        check_roles(build_app(alone))
        handler = alone.access.needs("admin")(lambda values: values["text"])
        assert handler(gr.Request(), {"text": "copy"}) == "copy"
        alone.store.add_person("Ada", "admin", HASH)
        with pytest.raises(gr.Error, match="has people now"):
            handler(gr.Request(), {"text": "copy"})


@pytest.fixture
def opened(house: House, browser: BrowserContext) -> Iterator[Callable[..., Page]]:
    """The sign-in page, in a browser that nobody has signed in with."""
    browser.clear_cookies()
    pages = []

    def open_page(width: int = 1280) -> Page:
        page = browser.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(house.page.local_url)
        return page

    yield open_page
    for page in pages:
        page.close()


def signed_in(page: Page, name: str, password: str = PASSWORD) -> Page:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    return page


def test_a_reviewer_signs_in_decides_under_the_login_name_and_signs_out(
    house: House, opened: Callable[..., Page]
) -> None:
    page = signed_in(opened(width=390), "mia", "not this one")
    expect(page.get_by_role("alert")).to_have_text("This name and password do not belong together.")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    signed_in(page, "mia")
    expect(page.locator(".bv-who")).to_have_text("Signed in as Mia (reviewer) · Sign out")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("tab", name="Compare").click()
    says(page, "compare-voter", "Mia")
    page.get_by_role("tab", name="Review").click()
    says(page, "review-reviewer", "Mia")
    expect(box(page, "review-reviewer")).not_to_be_editable()
    expect(box(page, "review-draft-id")).not_to_have_value("")
    id_ = box(page, "review-draft-id").input_value()
    page.locator("#review-approve").click()
    expect(box(page, "review-draft-id")).not_to_have_value(id_)
    assert house.store.reviews(id_)[-1].reviewer == "Mia"
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_copywriter_writes_and_is_offered_no_verdict(opened: Callable[..., Page]) -> None:
    page = signed_in(opened(), HOSTILE)
    expect(page.locator(".bv-who b")).to_have_text(HOSTILE)
    assert page.evaluate("window.owned") is None
    expect(page.get_by_role("tab", name="Compare")).to_be_visible()
    expect(page.get_by_role("tab", name="Review")).to_be_hidden()
    example(page)
    page.locator("#write-go").click()
    expect(page.locator("#side-2-send")).to_be_visible()
    expect(page.locator("#review-approve")).to_be_hidden()
    expect(page.get_by_test_id("toast-body")).to_have_count(0)


def test_who_is_removed_meanwhile_is_told_in_the_page(house: House, opened: Callable[..., Page]) -> None:
    house.store.add_person("Ivo", "copywriter", HASH)
    page = signed_in(opened(), "Ivo")
    expect(page.locator(".bv-who")).to_be_visible()
    house.store.deactivate("Ivo")
    page.locator("#write-example").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("You are not signed in. Reload the page.")
