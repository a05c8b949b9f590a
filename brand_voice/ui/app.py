"""The app: builds the page and serves it on this machine until Ctrl-C.

One process, one workspace, no login yet: hence loopback only. Nothing is shared, measured or served from the disk
(`allowed_paths` empty, the workspace blocked), and the page loads nothing from elsewhere.
"""

import html
import os
import sys
import threading
from typing import Any, TypedDict, Unpack

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr

from brand_voice.chat import LOOPBACK
from brand_voice.errors import ServeError
from brand_voice.serve import StudentServer
from brand_voice.settings import Settings
from brand_voice.ui.compare_tab import build_compare_tab
from brand_voice.ui.review_tab import build_review_tab
from brand_voice.ui.session import Session
from brand_voice.ui.theme import CSS, HEAD, theme
from brand_voice.ui.walkthrough import TOUR_CSS, TOUR_HEAD, build_tour, wire_tour
from brand_voice.ui.write_tab import build_write_tab
from brand_voice.workspace import Workspace

MAX_FILE_SIZE = "16mb"
"""Of a CSV to import: some 50,000 texts. The command takes more."""
KEPT_S = 3_600
"""How long an upload that nobody imported is kept, seconds."""


def build_app(session: Session) -> gr.Blocks:
    """The page, wired to a session."""
    with gr.Blocks(
        title="brand_voice", analytics_enabled=False, fill_width=True, delete_cache=(KEPT_S, KEPT_S)
    ) as page:
        # The key is no secret: only the browser's owner reads what it keeps. A random one would forget at each start.
        reviewer = gr.BrowserState("", storage_key="brand-voice-reviewer", secret="brand-voice-reviewer")
        tour = build_tour(session, _header(session))
        with gr.Tabs() as tabs:
            with gr.Tab("Write", id="write"):
                build_write_tab(session, page)
            with gr.Tab("Compare", id="compare") as compare:
                build_compare_tab(session, page, compare, reviewer)
            with gr.Tab("Review", id="review") as review:
                build_review_tab(session, page, review, reviewer)
        wire_tour(tour, session, page, tabs)
    return page


class Opening(TypedDict, total=False):
    """How the app is opened."""

    host: str
    """An address of this machine's own; 127.0.0.1 if left out."""
    port: int | None
    """None takes a free one from 7860 on."""
    opens_browser: bool
    """Show it in a browser; true if left out."""


def launch(session: Session, **opening: Unpack[Opening]) -> gr.Blocks:
    """Serve the page in the background; closing the returned page ends that.

    Raises:
        ServeError: the port is in use, or the address is not this machine's own.
    """
    host, port = opening.get("host", "127.0.0.1"), opening.get("port")
    if host not in LOOPBACK:
        raise ServeError(
            f"the app has no login, so it listens on this machine only, not on {host}",
            remedy="leave the address out; from elsewhere: ssh -L 7860:127.0.0.1:7860 this-machine",
        )
    page = build_app(session)
    in_browser = opening.get("opens_browser", True)
    try:
        page.launch(server_name=host, server_port=port, inbrowser=in_browser, **_launch_options(session))
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
        "css": CSS + TOUR_CSS,
        "head": HEAD + TOUR_HEAD,
    }


def _header(session: Session) -> str:
    count = len(session.brands)
    return (
        '<header class="bv-header"><h1>brand_voice</h1>'
        f"<p>{html.escape(str(count))} brand{'' if count == 1 else 's'}. The brands that come with it are fictional, "
        "and their recorded copy was written by a language model.</p></header>"
    )
