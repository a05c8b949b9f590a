"""An adapter that is only a manifest, and a published server that answers as its name says: flows without training."""

import os
from pathlib import Path

from servers import KEY, Misbehaving

from brand_voice.artifacts import write_manifest
from brand_voice.prompts import student_prompt_hash
from brand_voice.records import AdapterManifest, now
from brand_voice.serve import ServerAddress
from brand_voice.workspace import Workspace


def manifest(behaviour: str, brand: str = "tidewater") -> AdapterManifest:
    """An adapter whose name says how the server of `servers.py` answers."""
    nothing = {"files": {}, "versions": {}, "metrics": {}, "training": {}}
    return AdapterManifest(
        name=f"{brand}@{behaviour}",
        brand=brand,
        student="base-student",
        student_hash="h",
        snapshot="s",
        guide_version="g",
        voice_line="v",
        prompt_hash=student_prompt_hash(),
        created_at=now(),
        **nothing,
    )


def serve_on_paper(root: Path, server: Misbehaving, behaviour: str, brand: str = "tidewater") -> AdapterManifest:
    """Put the adapter into a workspace, and publish the server as the one that serves it."""
    workspace, made = Workspace(root), manifest(behaviour, brand)
    (workspace.adapters / made.name).mkdir(parents=True)
    write_manifest(workspace.adapters / made.name, made)
    base_url = server.endpoint("ok").base_url
    address = ServerAddress(pid=os.getpid(), base_url=base_url, key=KEY, models=(made.name,))
    workspace.server_file.write_text(address.model_dump_json())
    return made
