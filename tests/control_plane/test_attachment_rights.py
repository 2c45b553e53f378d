"""The rights to ServiceAccounts that attaching takes are the rights that it uses, by the API server's own audit log."""

from tests.conformance.conftest import api, server  # noqa: F401 -- fixtures
from tests.e2e.conftest import aws, installation, program  # noqa: F401 -- fixtures
from testsupport.control_plane.granted import used
from testsupport.control_plane.plane import ControlPlane
from testsupport.installation import ACCOUNT_NAME, ATTACHMENT, Installation
from testsupport.service_accounts import service_account, start_with_attachment
from testsupport.waiting import until


async def test_rights_of_attachment_are_exactly_those_used(
    plane: ControlPlane,
    installation: Installation,  # noqa: F811 -- a fixture's argument
) -> None:
    """Attaching ServiceAccounts uses each right that it takes, and no other; without it none of them is asked for."""
    await installation.start()
    team = await installation.create_served_namespace(attach_to_service_accounts="default")
    await installation.processes[-1].stop()
    assert _verbs(plane, installation) == set()
    await start_with_attachment(installation)
    await service_account(installation, team, "default").until(installation.secret_name)

    async def all_used() -> bool:
        return _verbs(plane, installation) == set(ATTACHMENT["verbs"])

    await until(all_used, f"the audit log to show {ATTACHMENT['verbs']}; it shows {_verbs(plane, installation)}")


def _verbs(plane: ControlPlane, installation: Installation) -> set[str]:  # noqa: F811 -- the fixture's type
    rights = used(plane, installation.namespace, ACCOUNT_NAME)
    return {right.verb for right in rights if right.resource.startswith("serviceaccounts")}
