"""Commands for what is live: adapters, promote, rollback, history."""

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
    from brand_voice.live import Promotion

app = typer.Typer()


def _login() -> str:
    """The name this computer knows its user by."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


ByOption = Annotated[
    str, typer.Option("--by", envvar="BRAND_VOICE_REVIEWER", default_factory=_login, help="Your name, for the history.")
]


@app.command()
@reports_errors
def adapters(brand: BrandOption, workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List the brand's adapters: what is live, where each comes from and what its last report decided."""
    import json

    from brand_voice.promotion import listed
    from brand_voice.settings import Settings

    with opened(workspace, brand, Settings()) as context:
        found = listed(context)
    if as_json:
        rows = [
            each.manifest.model_dump(mode="json")
            | {"mark": each.mark, "report": each.filed.folder if each.filed else None}
            | {"decision": each.filed.report.decision if each.filed else None}
            for each in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    for each in found:
        loss = each.manifest.metrics.get("validation_loss")
        told = f"validation loss {loss}" if loss is not None else "not validated"
        decision = each.filed.report.decision.replace("_", " ") if each.filed else "no report"
        against = f" against {each.filed.report.against}" if each.filed else ""
        typer.echo(f"{each.mark:<7}{each.manifest.name}  {each.manifest.snapshot}  {told}; {decision}{against}")
    notify(f"adapters: {len(found)} of {brand}")


@app.command()
@reports_errors
def promote(
    brand: BrandOption,
    by: ByOption,
    adapter: Annotated[str | None, typer.Option(help="An adapter; the newest by default.")] = None,
    canary: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Give it so much of the traffic instead: 10%; 0% ends that.")
    ] = None,
    force: Annotated[
        str | None, typer.Option(metavar="REASON", help="Against the gate; the reason stays in the history.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
) -> None:
    """Let an adapter go live, if its report says that it is no worse than what is live today."""
    from brand_voice import promotion

    share = None if canary is None else _share(canary)
    with opened(workspace, brand, read_settings(workspace, config)) as context:
        if share is None:
            done = promotion.promote(context, adapter, by=by, force_reason=force)
        elif share:
            done = promotion.start_canary(context, adapter, share, by=by)
        else:
            done = promotion.end_canary(context, by=by)
    typer.echo(done.canary or done.adapter)
    notify(f"promote: {_told(done)}")


@app.command()
@reports_errors
def rollback(
    brand: BrandOption,
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why; it stays in the history.")] = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Let the adapter go live again that was live before; once more goes back further."""
    from brand_voice import promotion
    from brand_voice.settings import Settings

    with opened(workspace, brand, Settings()) as context:
        done = promotion.rollback(context, by=by, reason=reason)
    typer.echo(done.adapter)
    notify(f"rollback: {_told(done)}")


@app.command()
@reports_errors
def history(brand: BrandOption, workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """Show what was live when, by whom and why, how often each golden set decided, and what each adapter answered."""
    import json

    from brand_voice import promotion
    from brand_voice.settings import Settings

    with opened(workspace, brand, Settings()) as context:
        found, standing = promotion.history(context), context.store.standing(brand)
        traffic = context.store.traffic(brand)
    if as_json:
        changes = [change.model_dump(mode="json") for change in found.changes]
        told = {"changes": changes, "decided": found.decided, "traffic": [each._asdict() for each in traffic]}
        typer.echo(json.dumps(told, indent=2))
        return
    for change in found.changes:
        why = f": {change.reason}" if change.reason else ""
        typer.echo(f"{change.created_at[:16]}  {_told(change)}, by {change.by}{why}")
    marks = {standing.canary: "canary", standing.live: "live"}
    for each in traffic:
        typer.echo(
            f"{marks.get(each.adapter, ''):<7}{each.adapter}  {each.requests} requests, {each.failures} failed, "
            f"{each.escalations} handed to the teacher; {each.p50_ms:.0f} ms p50, {each.p95_ms:.0f} ms p95"
        )
    for golden, count in found.decided.items():
        notify(f"golden set {golden} decided {count} promotions")
    notify(f"history: {len(found.changes)} changes of {brand}")


def _told(change: "Promotion") -> str:
    """A change in words."""
    if change.act == "canary":
        return f"{change.canary} gets {change.share:.0%} of the traffic beside {change.adapter}"
    if change.act == "end_canary":
        return f"{change.adapter} gets all traffic again"
    verb = "is back" if change.act == "rollback" else "is live"
    forced = ", forced" if change.is_forced else ""
    return f"{change.adapter} {verb}{forced} (before: {change.previous or 'none'})"


def _share(text: str) -> float:
    """`10%` or `0.1` as a share."""
    from brand_voice.errors import InputError

    is_percent = text.strip().endswith("%")
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    share = value / 100 if is_percent else value
    if not 0 <= share < 1:
        raise InputError(f"a canary's share lies between 0% and 100%; saw {text!r}", remedy="try --canary 10%")
    return share
