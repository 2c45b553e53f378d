"""docs/migrating.md once more, with the real kubectl."""

from pathlib import Path

import pytest

from tests.interop.kubectl import RealKubectl
from testsupport.installation import Installation
from testsupport.interop_tools import Tools
from testsupport.migration import RECIPES, move


@pytest.mark.usefixtures("short_lived")
@pytest.mark.parametrize("heading", RECIPES)
async def test_recipe_is_right_for_kubectl(
    installation: Installation, tools: Tools, tmp_path: Path, heading: str
) -> None:
    """Kubectl takes every command as it is written, and the recipe leaves no gap."""
    await move(installation, heading, RealKubectl(tools, installation.server, tmp_path))
