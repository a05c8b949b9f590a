"""Commands for copywriters and reviewers: import, review, write, app, status."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from brand_voice.brief_files import CopyRow
    from brand_voice.context import Context
    from brand_voice.review import Said

app = typer.Typer()


@app.command()
@reports_errors
def review(
    brand: BrandOption,
    recorded: Annotated[bool, typer.Option("--recorded", help="Apply the brand's recorded verdicts.")] = False,
    draft: Annotated[str | None, typer.Option(help="Draft to decide on.")] = None,
    verdict: Annotated[str | None, typer.Option(help="approve, edit or reject.")] = None,
    text: Annotated[str | None, typer.Option(help="The edited text.")] = None,
    reason: Annotated[list[str] | None, typer.Option(help="Reason code; may be repeated.")] = None,
    note: Annotated[str | None, typer.Option(help="A remark.")] = None,
    reviewer: Annotated[str, typer.Option(envvar="BRAND_VOICE_REVIEWER", help="Your name.")] = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Show the queue, give a verdict on one draft, or apply the brand's recorded verdicts."""
    from brand_voice.loop import apply_recorded_reviews, decide
    from brand_voice.settings import Settings

    with opened(workspace, brand, Settings()) as context:
        if recorded:
            notify(f"review: {apply_recorded_reviews(context)} recorded verdicts applied")
        elif draft is None:
            _print_queue(context)
        else:
            said = _said(verdict, reason or [])
            said["text"], said["note"], said["reviewer"] = text, note, reviewer
            stored, screening = decide(context, draft, said)
            blocks = [f.message for f in screening.blocks] if screening else []
            notify(f"{stored.verdict} of {draft} stored as revision {stored.revision}")
            for message in blocks:
                notify(f"  the edited text still has a blocking finding: {message}")


def _said(verdict: str | None, reasons: list[str]) -> "Said":
    """Check verdict and reason codes against what there is."""
    from pydantic import TypeAdapter, ValidationError

    from brand_voice.errors import InputError
    from brand_voice.records import Reason, Verdict

    try:
        return {
            "verdict": TypeAdapter[Verdict](Verdict).validate_python(verdict),
            "reasons": TypeAdapter[list[Reason]](list[Reason]).validate_python(reasons),
            "reviewer": "",
            "revision": 0,
        }
    except ValidationError as exc:
        error = exc.errors()[0]
        raise InputError(
            f"{error['msg']}; saw {error['input']!r}", remedy="see brand-voice review --help for --verdict and --reason"
        ) from exc


def _print_queue(context: "Context", size: int = 10) -> None:
    items = context.store.queue(context.brand_id, limit=size)
    for item in items:
        findings = [f"{f.severity}: {f.message}" for f in item.screening.findings] if item.screening else []
        typer.echo(f"{item.draft.id}  {item.brief.channel}, {item.brief.product.name}\n    {item.draft.text}")
        for line in findings:
            typer.echo(f"    - {line}")
    waiting = context.store.counts(context.brand_id).unreviewed
    notify(f"review: {waiting} drafts wait; the first {len(items)} are above")


@app.command("import")
@reports_errors
def import_copy(
    copy: Annotated[Path, typer.Argument(help="CSV with a column `text`; `channel`, `key_message` and others help.")],
    brand: BrandOption,
    reviewer: Annotated[str, typer.Option(envvar="BRAND_VOICE_REVIEWER", help="Your name: you approve it.")] = "",
    channel: Annotated[str | None, typer.Option(help="Of the rows that name none.")] = None,
    missing: Annotated[Path | None, typer.Option(help="CSV for the rows that lack a brief, to be completed.")] = None,
    propose: Annotated[bool, typer.Option("--propose", help="Let the teacher fill in what they lack.")] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
) -> None:
    """Take copy that people wrote and approved into the store, to train on; rows without a brief come back."""
    from brand_voice import loop
    from brand_voice.brief_files import read_copy, write_copy

    with opened(workspace, brand, read_settings(workspace, config)) as context:
        rows = read_copy(copy, brand=context.brand.guide, products=context.brand.products, channel=channel)
        added = loop.import_copy(context, rows, reviewer=reviewer)
        lacking = [row for row in rows if row.missing]
        proposed: list[CopyRow] = []
        try:
            proposed.extend(loop.propose_briefs(context, lacking) if propose and lacking else ())
        finally:  # without credit or by Ctrl-C: what came is paid for
            lacking = [*proposed, *lacking[len(proposed) :]]
            if missing is not None and lacking:
                write_copy(missing, lacking)
    bad = [row for row in rows if row.problem]
    for row in sorted([*bad, *(row for row in lacking if row.problem)], key=lambda row: row.index):
        notify(f"row {row.index + 1}: {row.problem}")
    told = f" (in {missing})" if missing is not None and lacking else ""
    notify(f"import: {added} new approved texts, {len(lacking)} lack a brief{told}, {len(bad)} unusable")
    raise typer.Exit(3 if lacking or bad else 0)


@app.command()
@reports_errors
def write(
    briefs: Annotated[Path | None, typer.Argument(help="CSV or JSONL of briefs.")] = None,
    brand: BrandOption = ...,  # type: ignore[assignment]
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSONL or CSV to write.")] = None,
    variants: Annotated[int, typer.Option(min=1, max=20, help="Texts a brief; near-duplicates are left out.")] = 1,
    best_of: Annotated[int, typer.Option(min=1, max=16, help="Ask so often for each text, deliver the best.")] = 1,
    adapter: Annotated[str | None, typer.Option(help="An adapter; the live one by default, else the newest.")] = None,
    cascade: Annotated[
        bool,
        typer.Option("--cascade", help="For blocked or uncertain texts: best of several, then the teacher."),
    ] = False,
    max_cost_usd: Annotated[
        float | None, typer.Option(min=0, help="With --cascade: cap on the teacher's cost.")
    ] = None,
    template: Annotated[bool, typer.Option("--template", help="Print an example CSV and stop.")] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
) -> None:
    """Let the student write a batch: text, findings, model, tokens, latency and cost for every row."""
    from brand_voice.brief_files import template as example
    from brand_voice.cascade_batch import write_batch as write_cascade
    from brand_voice.student import Batch, write_batch
    from brand_voice.write import Takes, summary

    with opened(workspace, brand, read_settings(workspace, config)) as context:
        if template:
            typer.echo(example(context.brand.guide, context.brand.products), nl=False)
            return
        if max_cost_usd is not None and not cascade:
            raise typer.BadParameter("--max-cost-usd caps the teacher of --cascade; the student costs no calls")
        if briefs is None or out is None:
            raise typer.BadParameter("give the briefs and --out FILE, or --template for an example")
        batch = Batch(briefs, out, Takes(variants, best_of), adapter)
        progress = write_cascade(context, batch, max_cost_usd) if cascade else write_batch(context, batch)
    notify(summary(progress))
    raise typer.Exit(3 if progress.is_partial else 0)


@app.command()
@reports_errors
def status(
    brand: Annotated[str | None, typer.Option("--brand", "-b", help="One brand; all with drafts by default.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """One screen: what there is, and what to do next."""
    import json

    from brand_voice.brand import brand_ids
    from brand_voice.loop import state_of
    from brand_voice.settings import Settings

    states = []
    for brand_id in [brand] if brand else brand_ids(workspace / "brands"):
        with opened(workspace, brand_id, Settings()) as context:
            states.append(state_of(context))
    if as_json:
        typer.echo(json.dumps([s.model_dump() for s in states], indent=2))
        return
    for state in states:
        typer.echo(state.screen())


@app.command("app")
@reports_errors
def open_app(
    brand: Annotated[str | None, typer.Option("--brand", "-b", help="Brand to start with.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; others only with people.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="A free one from 7860 on by default.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
) -> None:
    """Open the app: write with teacher and student side by side, review drafts."""
    from brand_voice.ui.app import run
    from brand_voice.workspace import Workspace

    settings = read_settings(workspace, config)
    run(Workspace(workspace.resolve()), settings, brand=brand, host=host, port=port, opens_browser=browser)
