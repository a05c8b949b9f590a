"""Commands for whoever looks after a workspace: who may sign in to the app, and which keys the gateway takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brand_voice.cli.shell import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption, notify, reports_errors
from brand_voice.workspace import Workspace

if TYPE_CHECKING:
    from brand_voice.store.store import Store

app = typer.Typer()
people_app = typer.Typer(help="Say who may sign in to the app, and as what.", no_args_is_help=True)
app.add_typer(people_app, name="people")

keys_app = typer.Typer(help="Say who may ask the gateway, and how often.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

NameArgument = Annotated[str, typer.Argument(help="Name of the person; it stands on verdicts and votes.")]
StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
ROLE_HELP = "copywriter (writes, votes), reviewer (decides, too) or admin (changes the workspace, too)."


@people_app.command("add")
@reports_errors
def add(
    name: NameArgument,
    role: Annotated[str, typer.Option(help=ROLE_HELP)],
    password_stdin: StdinOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Add a person; the first one must be an admin. From its next start on, the app asks for name and password."""
    from brand_voice.people import checked_name, checked_role, hashed

    checked_name(name)
    wanted = checked_role(role)
    with _store(workspace) as store:
        person = store.add_person(name, wanted, hashed(_password(password_stdin)))
    notify(f"people: {person.name} is {person.role} now")


@people_app.command("list")
@reports_errors
def list_people(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List everybody, those who were removed included."""
    import json

    with _store(workspace) as store:
        everybody = store.people()
    if as_json:
        typer.echo(json.dumps([person.model_dump() for person in everybody], indent=2))
        return
    for person in everybody:
        removed = "" if person.is_active else "  removed"
        typer.echo(f"{person.role:<10}  since {person.created_at[:10]}  {person.name}{removed}")


@people_app.command("password")
@reports_errors
def password(
    name: NameArgument, password_stdin: StdinOption = False, workspace: WorkspaceOption = DEFAULT_WORKSPACE
) -> None:
    """Give a person another password; who was signed in under the old one is signed out."""
    from brand_voice.people import hashed

    with _store(workspace) as store:
        store.change_password(name, hashed(_password(password_stdin)))
    notify(f"people: {name} has a new password")


@people_app.command("role")
@reports_errors
def role(
    name: NameArgument,
    new_role: Annotated[str, typer.Argument(metavar="ROLE", help=ROLE_HELP)],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Give a person another role, at once."""
    from brand_voice.people import checked_role

    with _store(workspace) as store:
        store.change_role(name, checked_role(new_role))
    notify(f"people: {name} is {new_role} now")


@people_app.command("remove")
@reports_errors
def remove(name: NameArgument, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Let a person in no more, at once; the name stays on verdicts and votes, and taken."""
    with _store(workspace) as store:
        store.deactivate(name)
    notify(f"people: {name} is removed")


@people_app.command("restore")
@reports_errors
def restore(name: NameArgument, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Let a removed person in again, with the role and password of before."""
    with _store(workspace) as store:
        store.restore(name)
    notify(f"people: {name} is back")


@keys_app.command("add")
@reports_errors
def add_key(
    name: Annotated[str, typer.Argument(help="Who it is for; it stands in the request log.")],
    per_minute: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Requests a minute; any number by default.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Make an API key and print it, this once. From the first one on, the gateway answers nobody without a key."""
    from brand_voice.api_keys import ApiKey, key_hash, new_key

    key = new_key()
    with _store(workspace) as store:
        added = store.add_key(ApiKey(name=name, per_minute=per_minute), key_hash(key))
    typer.echo(key)
    notify(f"keys: this is the key of {added.name}; it is kept as a hash and cannot be told again")


@keys_app.command("list")
@reports_errors
def list_keys(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List the keys' names and limits, revoked ones included."""
    import json

    with _store(workspace) as store:
        keys = store.api_keys().values()
    if as_json:
        typer.echo(json.dumps([key.model_dump() for key in keys], indent=2))
        return
    for key in keys:
        limit = f"{key.per_minute:,} a minute" if key.per_minute else "no limit"
        typer.echo(f"{limit:<16}  since {key.created_at[:10]}  {key.name}{'' if key.is_active else '  revoked'}")


@keys_app.command("revoke")
@reports_errors
def revoke_key(
    name: Annotated[str, typer.Argument(help="Name of the key.")], workspace: WorkspaceOption = DEFAULT_WORKSPACE
) -> None:
    """Let a key in no more, at once, in a running gateway too."""
    with _store(workspace) as store:
        store.revoke_key(name)
    notify(f"keys: {name} is revoked")


@contextmanager
def _store(workspace: Path) -> "Iterator[Store]":
    from brand_voice.store.store import Store

    with Store.open(Workspace(workspace.resolve()).database) as store:
        yield store


def _password(is_piped: bool) -> str:
    """The first line of standard input, or what is typed twice, unseen."""
    if is_piped:
        return typer.get_text_stream("stdin").readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
