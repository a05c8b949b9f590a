"""An adapter that is only a manifest, and a published server that answers as its name says: flows without training."""

import os
from pathlib import Path

from reports import an_adapter
from servers import KEY, Misbehaving

from brand_voice import calibration
from brand_voice.address import ServerAddress
from brand_voice.records import AdapterManifest, Sampling
from brand_voice.settings import Settings
from brand_voice.workspace import Workspace


def serve_on_paper(root: Path, server: Misbehaving, behaviour: str) -> AdapterManifest:
    """Put an adapter named `tidewater@BEHAVIOUR` into a workspace, and publish the server as the one that serves it."""
    workspace = Workspace(root)
    made = an_adapter(workspace.adapters, f"tidewater@{behaviour}", created_at="2026-11-22T00:00:00+00:00")
    base_url = server.endpoint("ok").base_url
    address = ServerAddress(pid=os.getpid(), base_url=base_url, key=KEY, models=(made.name,))
    workspace.server_file.write_text(address.model_dump_json())
    return made


def calibrate_on_paper(
    workspace: Workspace, adapter: str, sampling: Sampling | None = None, threshold: float = -1.0
) -> None:
    """Leave an adapter a calibration."""
    measured = calibration.Calibration(
        brand="tidewater",
        adapter=adapter,
        created_at="2026-11-22",
        guide_version="g",
        sampling=sampling or Settings().student_sampling,
        briefs=1,
        texts=1,
        failed=0,
        blocked=0,
        auc=0.8,
        auc_low=0.7,
        auc_high=0.9,
        max_false_alarms=0.1,
        min_mean_logprob=threshold,
        sentence="Texts under -1 are handed over.",
        curve=(),
    )
    calibration.save(measured, workspace.calibrations)
