"""Commands that close the loop: refresh, and the briefs to label next."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from brand_voice.cli.shell import (
    DEFAULT_WORKSPACE,
    BrandOption,
    ConfigOption,
    JsonOption,
    WorkspaceOption,
    opened,
    read_settings,
    reports_errors,
    step_bar,
)

if TYPE_CHECKING:
    from brand_voice.next_briefs import NextBrief

app = typer.Typer()
REFUSED = 3


@app.command()
@reports_errors
def refresh(
    brand: BrandOption,
    auto: Annotated[bool, typer.Option("--auto", help="Promote when the gate passes.")] = False,
    preference: Annotated[
        Literal["dpo"] | None, typer.Option(help="Train further on edits: the edited text over the original.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the next adapter of what was approved since the live one: for cron, safe to kill and to run again."""
    from brand_voice.refresh import Ask
    from brand_voice.refresh import refresh as run

    with opened(workspace, brand, read_settings(workspace, config)) as context:
        done = run(context, Ask(is_auto=auto, prefers=preference is not None), bar=step_bar)
    typer.echo(done.model_dump_json(indent=2) if as_json else done.sentence)
    raise typer.Exit(REFUSED if auto and done.outcome == "refused" else 0)


@app.command("next")
@reports_errors
def next_(
    brand: BrandOption,
    limit: Annotated[int, typer.Option(min=1, help="Briefs at most.")] = 20,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the briefs to label next: escalated or rejected, by what they would teach."""
    from brand_voice.next_briefs import next_briefs

    with opened(workspace, brand, read_settings(workspace, config)) as context:
        found = next_briefs(context)[:limit]
    if as_json:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2, ensure_ascii=False))
        return
    for each in found:
        typer.echo(_line(each))


def _line(found: "NextBrief") -> str:
    brief = found.brief
    why = ", ".join(f"{count} {cause}" for cause, count in found.times.items())
    against = f" ({', '.join(found.reasons)})" if found.reasons else ""
    return f"{found.score:6.3f}  {brief.id:<10} {brief.channel:<18} {brief.product.name}: {why}{against}"
