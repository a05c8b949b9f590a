"""Commands from the brief to the frozen dataset: brand, generate, screen, snapshot."""

import time
from pathlib import Path
from typing import Annotated

import typer

from brand_voice.cli.shell import (
    DEFAULT_WORKSPACE,
    BrandOption,
    ConfigOption,
    JsonOption,
    WorkspaceOption,
    notify,
    opened,
    read_settings,
    reports_errors,
)

app = typer.Typer()
brand_app = typer.Typer(help="List, check and start brands.", no_args_is_help=True)
app.add_typer(brand_app, name="brand")


@brand_app.command("list")
@reports_errors
def list_brands(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """List all brands, shipped and your own, with what they hold."""
    from brand_voice.brand import brand_ids, load_brand

    for brand_id in brand_ids(workspace / "brands"):
        brand = load_brand(brand_id, workspace / "brands")
        parts = (f"{len(brand.products)} products", f"{len(brand.briefs)} briefs", f"{len(brand.recordings)} recorded")
        typer.echo(f"{brand_id:<12} {brand.guide.name:<18} {', '.join(parts)}; {brand.guide.voice_line}")


@brand_app.command("check")
@reports_errors
def check_brand(brand: str, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Read every file of a brand; an error names file, line, field and what was expected."""
    from brand_voice.brand import load_brand
    from brand_voice.screen.screening import Screener

    found = load_brand(brand, workspace / "brands")
    Screener(found.guide, found.catalogue)
    typer.echo(f"{found.path}: all good, guide version {found.guide.version}")


@brand_app.command("new")
@reports_errors
def new_brand(brand: str, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Write a commented starter folder for a brand of your own."""
    from brand_voice.brand import new_brand

    typer.echo(new_brand(brand, workspace / "brands"))


@app.command()
@reports_errors
def generate(
    brand: BrandOption,
    teacher: Annotated[str | None, typer.Option(help="Name of a configured teacher, or 'recorded'.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Briefs at most.")] = None,
    candidates: Annotated[int | None, typer.Option(min=1, help="Drafts a brief.")] = None,
    max_cost_usd: Annotated[
        float | None, typer.Option(min=0, help="Stop before the brand's spending passes this.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
) -> None:
    """Let the teacher write copy for the brand's briefs; a second run asks only for what is missing."""
    from brand_voice.generate import summary
    from brand_voice.loop import Ask, write_drafts

    settings = read_settings(workspace, config)
    started = time.monotonic()
    with opened(workspace, brand, settings) as context:
        ask = Ask(teacher or settings.teacher, candidates, limit, max_cost_usd)
        drafts = write_drafts(context, ask)
    notify(summary(drafts, time.monotonic() - started))
    raise typer.Exit(3 if any(not d.is_ok for d in drafts) else 0)


@app.command()
@reports_errors
def screen(brand: BrandOption, workspace: WorkspaceOption = DEFAULT_WORKSPACE, config: ConfigOption = None) -> None:
    """Hold drafts against the brand's rules; only drafts without findings of today's guide are screened."""
    from collections import Counter

    from brand_voice.loop import screen_drafts

    started = time.monotonic()
    with opened(workspace, brand, read_settings(workspace, config)) as context:
        screened = screen_drafts(context)
        counts = context.store.counts(brand)
    rules = Counter(f.rule for s in screened for f in s.findings if f.severity != "suggest")
    for rule, count in rules.most_common(12):
        typer.echo(f"{count:6}  {rule}")
    totals = ", ".join(f"{n} {severity}" for severity, n in counts.findings.items())
    notify(f"screen: {len(screened)} drafts, {time.monotonic() - started:.1f}s; findings now: {totals or 'none'}")


snapshot_app = typer.Typer(help="Freeze approved copy into a dataset.", invoke_without_command=True)
app.add_typer(snapshot_app, name="snapshot")


@snapshot_app.callback()
@reports_errors
def snapshot(
    context: typer.Context,
    brand: BrandOption,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Freeze what is approved: split by brief and product, leakage checked, hashed."""
    from brand_voice.loop import freeze

    context.obj = (brand, workspace)
    if context.invoked_subcommand:
        return
    with opened(workspace, brand, read_settings(workspace, None)) as opened_context:
        manifest = freeze(opened_context)
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
        return
    counts = ", ".join(f"{split} {count}" for split, count in manifest.counts.items())
    left_out = ", ".join(f"{count} {why}" for why, count in manifest.left_out.items()) or "nothing"
    typer.echo(f"{manifest.name}: {counts}; left out: {left_out}")


@snapshot_app.command("export")
@reports_errors
def export_snapshot(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(help="A .jsonl file, or a folder for a Hugging Face dataset.")],
) -> None:
    """Write the newest snapshot as JSONL or as a Hugging Face dataset folder."""
    from brand_voice.brand import load_brand
    from brand_voice.snapshot import export, newest
    from brand_voice.workspace import Workspace

    brand, workspace = context.obj
    folder = newest(Workspace(workspace).snapshots, brand)
    rows = export(folder, load_brand(brand, workspace / "brands").guide, target)
    typer.echo(f"{target}: {rows} rows of {folder.name}")
