"""The command for rules that edits suggest: list, add, dismiss."""

from typing import TYPE_CHECKING, Annotated

import typer

from brand_voice.cli.shell import (
    DEFAULT_WORKSPACE,
    BrandOption,
    WorkspaceOption,
    notify,
    opened,
    reports_errors,
)

if TYPE_CHECKING:
    from brand_voice.suggest import Suggestion

app = typer.Typer()


@app.command()
@reports_errors
def rules(
    brand: BrandOption,
    add: Annotated[int | None, typer.Option(min=1, help="Number of the suggestion to add to the guide.")] = None,
    dismiss: Annotated[int | None, typer.Option(min=1, help="Number of the suggestion that is no rule.")] = None,
    reviewer: Annotated[str, typer.Option(envvar="BRAND_VOICE_REVIEWER", help="Your name; to dismiss.")] = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """List the rules that repeated edits suggest; add one to your copy of the brand guide, or dismiss it."""
    from brand_voice import rules as flow
    from brand_voice.settings import Settings

    if add is not None and dismiss is not None:
        raise typer.BadParameter("--add and --dismiss take turns: the numbers change")
    with opened(workspace, brand, Settings()) as context:
        suggestions = flow.suggested(context)
        if add is not None:
            added = flow.add(context, _numbered(suggestions, add))
            typer.echo(f"{added.brand.path}: guide version {added.brand.guide.version}")
            notify(f"rules: added; {added.found} of {added.waiting} waiting drafts have a finding of it")
        elif dismiss is not None:
            flow.dismiss(context.store, _numbered(suggestions, dismiss), by=reviewer)
            notify("rules: dismissed; it is not suggested again")
        else:
            _print(suggestions)


def _numbered(suggestions: "list[Suggestion]", number: int) -> "Suggestion":
    from brand_voice.errors import InputError

    if number > len(suggestions):
        raise InputError(f"no suggestion {number}; there are {len(suggestions)}", remedy="brand-voice rules lists them")
    typer.echo(suggestions[number - 1].said())
    return suggestions[number - 1]


def _print(suggestions: "list[Suggestion]") -> None:
    for number, suggestion in enumerate(suggestions, start=1):
        typer.echo(f"{number:2}  {suggestion.said()}")
        for example in suggestion.examples:
            typer.echo(f"    - {example.before}\n    + {example.after}")
    notify(f"rules: {len(suggestions)} suggested by edits")
