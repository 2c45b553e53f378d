"""`pullkeeper render` tells what the controller then does."""

import json
from typing import Any

import pytest

from testsupport.command_line import pullkeeper, settings_file
from testsupport.installation import IRELAND, VIRGINIA, Installation, written


@pytest.mark.parametrize("annotations", [{"refresh-requested-at": "1"}, {"registries": f"{IRELAND},{VIRGINIA}"}])
async def test_the_secret_is_written_as_rendered(installation: Installation, annotations: dict[str, str]) -> None:
    """But for the token, its times and its principal: same name, type, label, keys, registries and identity."""
    await installation.start()
    team = await installation.create_served_namespace(**annotations)
    metadata = {"name": team, "annotations": written({"enabled": "true", **annotations})}
    given = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    config = settings_file(installation)
    ended = await pullkeeper(installation, "render", "-f", "-", "--config", config, "-o", "json", given=given)
    assert (ended.status, ended.err) == (0, "")
    (told,) = json.loads(ended.out)["namespaces"]
    assert _timeless(told["secret"]) == _timeless(await installation.secret(team) or {})


def _timeless(secret: dict[str, Any]) -> dict[str, Any]:
    metadata = secret["metadata"]
    annotations = metadata["annotations"]
    return {
        "type": secret["type"],
        "data": list(secret["data"]),
        "name": (metadata["name"], metadata["namespace"], metadata["labels"]),
        # Only the controller's own environment tells who it is.
        "keys": set(annotations) - {"pullkeeper.dev/principal"},
        "scopes": list(json.loads(annotations["pullkeeper.dev/tokens"])),
        **{key: annotations.get(f"pullkeeper.dev/{key}") for key in ("registries", "identity", "refresh-requested-at")},
    }
