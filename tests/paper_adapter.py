"""An adapter that is only a manifest, and a published server that answers as its name says: flows without training."""

import os
from pathlib import Path

from reports import an_adapter
from servers import KEY, Misbehaving

from brand_voice.records import AdapterManifest
from brand_voice.serve import ServerAddress
from brand_voice.workspace import Workspace


def serve_on_paper(root: Path, server: Misbehaving, behaviour: str) -> AdapterManifest:
    """Put an adapter named `tidewater@BEHAVIOUR` into a workspace, and publish the server as the one that serves it."""
    workspace = Workspace(root)
    made = an_adapter(workspace.adapters, f"tidewater@{behaviour}", created_at="2026-11-22T00:00:00+00:00")
    base_url = server.endpoint("ok").base_url
    address = ServerAddress(pid=os.getpid(), base_url=base_url, key=KEY, models=(made.name,))
    workspace.server_file.write_text(address.model_dump_json())
    return made
