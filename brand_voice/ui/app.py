"""The app: builds the page and serves it until Ctrl-C.

One process, one workspace. Without people in the workspace there is no login, hence loopback only; with people,
everybody signs in. Nothing is shared, measured or served from the disk (`allowed_paths` empty, the workspace blocked),
and the page loads nothing from elsewhere.
"""

import os
import sys
import threading
from typing import Any, TypedDict, Unpack

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr
from starlette.middleware import Middleware

from brand_voice.chat import LOOPBACK
from brand_voice.errors import ServeError
from brand_voice.serve import StudentServer
from brand_voice.settings import Settings
from brand_voice.ui import ahead, keys
from brand_voice.ui.access import check_roles
from brand_voice.ui.compare_tab import build_compare_tab
from brand_voice.ui.door import Door, Gate
from brand_voice.ui.header import build_header
from brand_voice.ui.models_tab import build_models_tab
from brand_voice.ui.models_view import MODELS_CSS
from brand_voice.ui.review_tab import build_review_tab
from brand_voice.ui.session import Session
from brand_voice.ui.theme import CSS, theme
from brand_voice.ui.walkthrough import TOUR_CSS, TOUR_HEAD, build_tour, wire_tour
from brand_voice.ui.write_tab import build_write_tab
from brand_voice.workspace import Workspace

MAX_FILE_SIZE = "16mb"
"""Of a CSV to import: some 50,000 texts. The command takes more."""
KEPT_S = 3_600
"""How long an upload that nobody imported is kept, seconds."""


def build_app(session: Session) -> gr.Blocks:
    """The page, wired to a session; every event of it declares the least role it needs."""
    with gr.Blocks(
        title="brand_voice", analytics_enabled=False, fill_width=True, delete_cache=(KEPT_S, KEPT_S)
    ) as page:
        # The key is no secret: only the browser's owner reads what it keeps. A random one would forget at each start.
        reviewer = gr.BrowserState("", storage_key="brand-voice-reviewer", secret="brand-voice-reviewer")
        tour = build_tour(session, lambda: build_header(session, page))
        with gr.Tabs() as tabs:
            with gr.Tab("Write", id="write") as write:
                build_write_tab(session, page, write)
            with gr.Tab("Compare", id="compare") as compare:
                build_compare_tab(session, page, compare, reviewer)
            with gr.Tab("Review", id="review", elem_id="tab-review") as review:
                build_review_tab(session, page, review, reviewer)
            with gr.Tab("Models", id="models") as models:
                build_models_tab(session, page, models, reviewer)
        wire_tour(tour, session, page, tabs)
    check_roles(page)
    return page


class Opening(TypedDict, total=False):
    """How the app is opened."""

    host: str
    """127.0.0.1 if left out; another address only if the workspace has people."""
    port: int | None
    """None takes a free one from 7860 on."""
    opens_browser: bool
    """Show it in a browser; true if left out."""


def launch(session: Session, **opening: Unpack[Opening]) -> gr.Blocks:
    """Serve the page in the background; closing the returned page ends that.

    Raises:
        ServeError: the port is in use, or nobody has to sign in and the address is not this machine's own.
    """
    host, port = opening.get("host", "127.0.0.1"), opening.get("port")
    if host not in LOOPBACK and not session.access.has_login:
        raise ServeError(
            f"the app has no login as long as the workspace has no people: it listens on this machine only, not {host}",
            remedy="add who may sign in (brand-voice people add NAME --role admin), or leave the address out and come "
            "through a tunnel: ssh -L 7860:127.0.0.1:7860 this-machine",
        )
    page = build_app(session)
    in_browser = opening.get("opens_browser", True)
    try:
        options = _launch_options(session) | (_login(session) if session.access.has_login else {})
        page.launch(server_name=host, server_port=port, inbrowser=in_browser, **options)
    except OSError as exc:
        page.close(verbose=False)
        raise ServeError(
            f"cannot listen on {host}:{port or '7860 to 7959'}: in use",
            remedy="choose another port, or leave it out to take a free one",
        ) from exc
    return page


def run(
    workspace: Workspace,
    settings: Settings,
    *,
    brand: str | None = None,
    student: StudentServer | None = None,
    **opening: Unpack[Opening],
) -> None:
    """Serve the app until Ctrl-C, then close everything, the student's server included.

    Raises:
        BrandVoiceError: brand, store or port cannot be used.
    """
    with Session(workspace, settings, brand=brand, student=student) as session:
        page = launch(session, **opening)
        print(f"The app is at {page.local_url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("closing", file=sys.stderr)
        finally:
            page.close(verbose=False)


def _launch_options(session: Session) -> dict[str, Any]:
    return {
        "share": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "pwa": False,
        "ssr_mode": False,
        "prevent_thread_lock": True,
        "quiet": True,
        "footer_links": [],
        "allowed_paths": [],
        "blocked_paths": [str(session.workspace.root.resolve())],
        "max_file_size": MAX_FILE_SIZE,
        "theme": theme(),
        "css": CSS + MODELS_CSS + TOUR_CSS,
        "head": keys.head() + ahead.SCRIPT + TOUR_HEAD,
    }


def _login(session: Session) -> dict[str, Any]:
    store = session.store
    return {
        "auth": Door(store).admit,
        "auth_message": "You are not signed in. Reload the page.",
        "app_kwargs": {"middleware": [Middleware(Gate, staff=store)]},
    }
