"""The top of the page: what this is, and who is signed in."""

import html

import gradio as gr

from brand_voice.people import Person
from brand_voice.ui import keys
from brand_voice.ui.session import Session


def build_header(session: Session, page: gr.Blocks) -> None:
    """Lay the header out; where people sign in, it names the one who did."""
    header = gr.HTML(_header(session), padding=False)

    def named(request: gr.Request) -> str:
        return _header(session, session.access.caller(request))

    copywriter = session.access.needs("copywriter")
    page.load(copywriter(named), None, header, api_name="who", show_progress="hidden")


def _header(session: Session, person: Person | None = None) -> str:
    """The header as HTML; `data-role` is what the style sheet shows tabs by, absent where nobody signs in."""
    count = len(session.brands)
    problems = session.problems() if not session.access.has_login or (person and person.role == "admin") else ()
    role = f' data-role="{person.role if person else ""}"' if session.access.has_login else ""
    return (
        f'<header class="bv-header"{role}><h1>brand_voice</h1>'
        f"<p>{count} brand{'' if count == 1 else 's'}. The brands that come with it are fictional, "
        f"and their recorded copy was written by a language model.</p>{keys.BUTTON}{_who(person) if person else ''}"
        f"</header>{''.join(map(_problem, problems))}{keys.sheet()}"
    )


def _problem(told: str) -> str:
    """A brand's change that was not taken."""
    said = f"A change of a brand is not taken, the former guide holds: {told}"
    return f'<p class="bv-alarm" role="status">{html.escape(said)}</p>'


def _who(person: Person) -> str:
    name = html.escape(person.name)
    out = '<span>· <a href="logout">Sign out</a></span>'
    return f'<p class="bv-who">Signed in as <b>{name}</b> ({person.role}) {out}</p>'
