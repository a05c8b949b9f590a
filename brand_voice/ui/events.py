"""How events go, so that the page stays quick.

Gradio (6.31) tells every component that any event so far had for an output of its progress, at each step of each event,
be it shown or not, and there are some hundred components. So no event shows progress, and what it would show it on is a
state, which the page does not have.
"""

from typing import Literal, TypedDict

import gradio as gr


class Quick(TypedDict):
    """Options of an event listener."""

    show_progress: Literal["hidden"]
    show_progress_on: gr.State


class Direct(Quick):
    """Options of one that goes straight to its handler.

    Gradio's queue costs a second request, and lets one user wait for another; only a handler that yields needs it.
    """

    queue: bool


def quick(on: gr.State) -> Quick:
    """For any event of a tab; `on` is one of its states, always the same."""
    return {"show_progress": "hidden", "show_progress_on": on}


def direct(on: gr.State) -> Direct:
    """For the events of a tab that somebody works by keyboard."""
    return {**quick(on), "queue": False}
