"""The rights that are granted are the rights that are used, by the API server's own audit log."""

import json

from tests.cluster.plane import ControlPlane
from tests.contract.conftest import api, server  # noqa: F401 -- fixtures
from tests.operator.accounts import account, start
from tests.operator.conftest import aws, installation  # noqa: F401 -- fixtures
from tests.operator.installation import ACCOUNT_NAME, ATTACHMENT, IRELAND, VIRGINIA, Installation, auths, rules
from tests.operator.waiting import until

Right = tuple[str, str, str]
"""Verb, resource, and the object's name where the right is bound to one."""

REPEATED_EVENT: Right = ("patch", "events", "")
"""Used when an Event repeats after five minutes; tests/shell shows that with virtual time."""


async def test_granted_rights_are_exactly_those_used(
    plane: ControlPlane,
    installation: Installation,  # noqa: F811 -- a fixture's argument
) -> None:
    """A run of everything that the controller does uses each right that it is granted, and asks for no other."""
    await _do_everything(installation)
    granted = {
        (verb, resource, name)
        for rule in rules(installation.secret_name)
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }

    async def all_used() -> bool:
        return _used(plane, installation) >= granted - {REPEATED_EVENT}

    await until(all_used, f"the audit log to show {granted}; it shows {_used(plane, installation)}")
    assert _used(plane, installation) <= granted


async def test_rights_of_attachment_are_exactly_those_used(
    plane: ControlPlane,
    installation: Installation,  # noqa: F811 -- a fixture's argument
) -> None:
    """Attaching ServiceAccounts uses each right that it takes, and no other; without it none of them is asked for."""
    await installation.start()
    team = await installation.create_namespace(enabled="true", attach_to_service_accounts="default")
    await installation.event(team, "PullSecretCreated")
    await installation.processes[-1].stop()
    assert _of_accounts(plane, installation) == set()
    await start(installation)
    await account(installation, team, "default").until(installation.secret_name)

    async def all_used() -> bool:
        return _of_accounts(plane, installation) == set(ATTACHMENT["verbs"])

    await until(all_used, f"the audit log to show {ATTACHMENT['verbs']}; it shows {_of_accounts(plane, installation)}")


def _of_accounts(plane: ControlPlane, installation: Installation) -> set[str]:  # noqa: F811 -- the fixture's type
    return {verb for verb, resource, _ in _used(plane, installation) if resource == "serviceaccounts"}


async def _do_everything(installation: Installation) -> None:  # noqa: F811 -- the fixture's type
    """Opt in, forget the token by a restart, add a region while the first one fails (its entry is read), opt out."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true", registries=IRELAND)
        await recorder.wait(team, lambda version: version.kind == "ADDED")
        installation.aws.deny(operation="GetAuthorizationToken", region="eu-west-1")
        await process.stop()
        await installation.annotate(team, registries=f"{IRELAND},{VIRGINIA}")
        await installation.start()
        await recorder.wait(team, lambda version: set(auths(version.secret)) == {IRELAND, VIRGINIA})
        await installation.annotate(team, enabled="false")
        await recorder.wait(team, lambda version: version.kind == "DELETED")


def _used(plane: ControlPlane, installation: Installation) -> set[Right]:  # noqa: F811 -- the fixture's type
    """Read from the audit log what the controller has asked for; a right that was refused counts as well."""
    user = f"system:serviceaccount:{installation.namespace}:{ACCOUNT_NAME}"
    entries = (json.loads(line) for line in plane.audit_log.read_text().splitlines() if user in line)
    used: set[Right] = set()
    for entry in entries:
        target = entry.get("objectRef")
        if entry["user"]["username"] != user or target is None or target["resource"] == "selfsubjectaccessreviews":
            continue
        bound = target.get("name", "") if target["resource"] == "secrets" else ""
        used.add((entry["verb"], target["resource"], bound))
        # An apply that creates is one request, authorized as a patch and as a creation of that name.
        if entry["verb"] == "patch" and entry.get("responseStatus", {}).get("code") == 201:
            used.add(("create", target["resource"], bound))
    return used
