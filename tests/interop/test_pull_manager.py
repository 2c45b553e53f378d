"""How often the kubelet asks a registry for an image of many namespaces: its own code decides, over five rotations."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.interop.test_pull import PAGE
from testsupport.installation import FAST_ROTATION, IRELAND, Installation
from testsupport.interop_tools import Tools
from testsupport.secret_recorder import SecretRecorder
from testsupport.tenant_identities import BLUE, blue, policy

NAMESPACES = 50
ROTATIONS = 5
IMAGE = f"{IRELAND}/team/app"
IMAGE_REF = f"sha256:{'0' * 64}"
BEGIN = "<!-- `make test-pull` compares the table below with what it counts. -->\n\n"

Round = list[dict[str, Any]]
"""A pull Secret of each namespace."""


async def _rotated(recorder: SecretRecorder, teams: Iterable[str]) -> None:
    for team in teams:
        await recorder.wait(team, lambda version: len(recorder.of(version.namespace)) > ROTATIONS)


def _rounds(recorder: SecretRecorder, teams: Sequence[str]) -> list[Round]:
    """Return what namespaces that share a token hold with the first one and with each that followed.

    One that a loaded machine wrote too late for one of them has kept the token before.
    """
    versions = [version for team in teams for version in recorder.of(team)]
    tokens = sorted({version.expires_at for version in versions})[: ROTATIONS + 1]
    return [
        [[each for each in recorder.of(team) if each.expires_at <= token][-1].secret for team in teams]
        for token in tokens
    ]


def _made_anew(rounds: Sequence[Round]) -> list[Round]:
    """Return the same Secrets as a tool leaves them that deletes and creates: with a new UID each time."""

    def anew(secret: dict[str, Any], number: int) -> dict[str, Any]:
        return {**secret, "metadata": {**secret["metadata"], "uid": f"{secret['metadata']['uid']}-{number}"}}

    return [[anew(secret, number) for secret in each] for number, each in enumerate(rounds)]


async def _questions(tools: Tools, folder: Path, rounds: Sequence[Round]) -> list[int]:
    """Start a pod in each namespace once per round; return how often the kubelet asks the registry in each round."""
    pods = [
        {"image": IMAGE, "imageRef": IMAGE_REF, "secrets": {"items": [secret]}} for each in rounds for secret in each
    ]
    process = await asyncio.create_subprocess_exec(
        tools.path("kubelet-pull-manager"),
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate("\n".join(map(json.dumps, pods)).encode())
    assert process.returncode == 0, errors.decode()
    asked = [json.loads(line) for line in output.splitlines()]
    assert len(asked) == len(pods)
    return [sum(asked[start : start + NAMESPACES]) for start in range(0, len(asked), NAMESPACES)]


def _table(counts: dict[str, list[int]]) -> str:
    rows = [
        f"| {name} | {first} | {', '.join(map(str, rest))} | {first + sum(rest)} |"
        for name, (first, *rest) in counts.items()
    ]
    return "\n".join(["| pull Secrets | first pods | after each rotation | in all |", "|---|---|---|---|", *rows])


@pytest.mark.usefixtures("short_lived")
async def test_the_kubelet_asks_once_per_image_over_five_rotations(
    installation: Installation, tools: Tools, tmp_path: Path
) -> None:
    """50 namespaces of one identity cost one question in all; docs/consumers.md shows that beside what others cost."""
    await installation.start({**FAST_ROTATION, **policy(blue(installation, sessionTags=True))})
    async with installation.recording() as recorder:
        shared = [await installation.create_namespace("plain", enabled="true") for _ in range(NAMESPACES)]
        own = [await installation.create_namespace("blue", enabled="true", role_arn=BLUE) for _ in range(NAMESPACES)]
        await _rotated(recorder, [*shared, *own])
    each_alone = zip(*(_rounds(recorder, [team]) for team in own), strict=True)
    held = {
        "one token": _rounds(recorder, shared),
        "a token per namespace": [[*chain.from_iterable(parts)] for parts in each_alone],
    }
    ways: dict[str, Callable[[Sequence[Round]], Sequence[Round]]] = {
        "updated in place": lambda rounds: rounds,
        "deleted and created": _made_anew,
    }
    counts = {
        f"{tokens}, {way}": await _questions(tools, tmp_path / f"{tokens}-{way}", change(rounds))
        for tokens, rounds in held.items()
        for way, change in ways.items()
    }
    assert counts["one token, updated in place"] == [1] + [0] * ROTATIONS
    table = _table(counts)
    assert f"{BEGIN}{table}\n" in PAGE.read_text(), f"docs/consumers.md should show\n\n{table}\n"
