"""Who may do what on the page: every event carries the least role it needs, declared where it is wired.

    reviewer = session.access.needs("reviewer")
    button.click(reviewer(handler), inputs, outputs, api_name="...")

The one place that decides: at every call the caller's role is looked up in the store, and the handler runs only if it
suffices. `check_roles` refuses a page with an event that declares none. What a tab hides is convenience. In a workspace
without people there is one user, who may do everything.
"""

import functools
import html
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import gradio as gr

from brand_voice.people import Person, Role
from brand_voice.store.staff import Staff

Handler = Callable[..., Any]
Declare = Callable[[Handler], Handler]
"""Puts a handler behind the check of a role."""


class Access:
    """The people of a workspace, as the page's events see them."""

    def __init__(self, staff: Staff) -> None:
        """`has_login` is settled here: somebody added later is asked for a password from the next start on."""
        self._staff = staff
        self.has_login = bool(staff.people())

    def needs(self, least: Role) -> Declare:
        """Make a handler that runs only for callers of at least this role; Gradio fills its parameters as before."""

        def declare(handler: Handler) -> Handler:
            return _guarded(handler, lambda request: self._admit(request, least), least)

        return declare

    def caller(self, request: gr.Request) -> Person | None:
        """Who is signed in; None without a login, and for somebody who was removed."""
        person = self._staff.person(request.username) if request.username else None
        return person if person is not None and person.is_active else None

    def _admit(self, request: gr.Request, least: Role) -> None:
        """Raises `gr.Error` if the caller may not; the page shows it."""
        if not self.has_login:
            if self._staff.people():
                raise _refusal("This workspace has people now. Start the app again, so that it asks who you are.")
            return
        person = self.caller(request)
        if person is None:
            raise _refusal("You are not signed in any more. Reload the page.")
        if not person.may(least):
            raise _refusal(f"This needs the role {least}; {person.name} is {person.role}. An admin can change that.")


def name_of(request: gr.Request, typed: str | None) -> str:
    """Who acts: the person signed in, whatever the page says; without a login, the name that was typed."""
    return request.username or typed or ""


def check_roles(page: gr.Blocks) -> None:
    """Hold every event of a page against the rule that it declares the least role it needs.

    Raises:
        RuntimeError: an event declares none; a bug.
    """
    bare = [str(event.api_name) for event in page.fns.values() if event.fn is not None and not least_role(event.fn)]
    if bare:
        raise RuntimeError(f"events without a role: {', '.join(bare)}; wire them through session.access.needs(role)")


def least_role(handler: Handler) -> Role | None:
    """The least role a handler declares."""
    role: Role | None = getattr(handler, "least_role", None)
    return role


def _guarded(handler: Handler, admit: Callable[[gr.Request], None], least: Role) -> Handler:
    """A handler behind a check of its caller.

    Gradio (6.31) fills parameters by position and annotation, and tells a generator by its function: so the wrapper has
    the handler's own signature with the caller before it, and is a generator if the handler is one.
    """

    @functools.wraps(handler)
    def whole(caller: gr.Request, *given: Any) -> Any:
        admit(caller)
        return handler(*given)

    @functools.wraps(handler)
    def in_pieces(caller: gr.Request, *given: Any) -> Iterator[Any]:
        admit(caller)
        yield from handler(*given)

    guarded: Handler = in_pieces if inspect.isgeneratorfunction(handler) else whole
    signature = inspect.signature(handler)
    caller = inspect.Parameter("caller", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    guarded.__annotations__ = get_type_hints(handler) | {"caller": gr.Request}
    signature = signature.replace(parameters=[caller, *signature.parameters.values()])
    guarded.__dict__.update(__signature__=signature, least_role=least)
    return guarded


def _refusal(message: str) -> gr.Error:
    return gr.Error(html.escape(message), title="Not done", print_exception=False)
