"""Look-ups that hang in the real process, of names, at AWS and of an OIDC provider's keys: who has to wait for them."""

from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.kube.lease import LeaseTimings
from testsupport.fake_aws import ACCOUNT
from testsupport.installation import Installation, auths
from testsupport.replicas import replicas
from testsupport.silent_names import SilentNames
from testsupport.tenant_identities import OWN, own_account
from testsupport.waiting import until

pytestmark = pytest.mark.slow

LEASE = timedelta(seconds=6)
AWS_BY_NAME = "us-west-2.amazonaws.com"
"""Everything in this region is reached without the proxy."""
REGISTRIES_BY_NAME = "dkr.ecr.eu-west-2.amazonaws.com"
"""Of this region only the registries are: there are tokens, and they cannot be verified."""
TENANTS = 8


def _holders(leases: list[dict[str, Any]]) -> list[str]:
    return [holder for holder, _ in groupby(lease.get("holderIdentity", "").partition(".")[0] for lease in leases)]


async def test_look_ups_that_hang_cost_neither_the_lease_nor_honest_namespaces(
    installation: Installation, tmp_path: Path
) -> None:
    """The leader keeps its Lease for longer than it lasts, serves, and hands over in order with all of them pending."""
    names = SilentNames(tmp_path, f".{AWS_BY_NAME}", f".{REGISTRIES_BY_NAME}")
    settings = {
        "leaseDuration": f"{LEASE.seconds}s",
        "verify": "new",
        "registryCaFile": installation.aws.network.ca_file,
        "serviceAccountIdentity": {"namespaces": ["own-*"]},
    }
    environment = {**installation.irsa(), **names.environment}
    async with replicas(installation, environment=environment, **settings) as pair:
        await pair.start("one")
        await pair.leader("one")
        await pair.start("two")
        keys = installation.aws.hang(service="sts", principal=OWN)
        for number in range(TENANTS):
            for domain in (f"dkr.ecr.{AWS_BY_NAME}", REGISTRIES_BY_NAME):
                host = f"{int(ACCOUNT) + number}.{domain}"
                await installation.create_namespace("hanging", enabled="true", registries=host)
        own = await installation.create_namespace("own")
        await own_account(installation, own)
        await installation.annotate(own, enabled="true", service_account_name="puller")

        async def hang() -> bool:
            asked = {name.partition(".")[2] if ".dkr." in name else name for name in names.asked()}
            return asked >= {f"api.ecr.{AWS_BY_NAME}", REGISTRIES_BY_NAME} and keys.played > 0

        await until(hang, "look-ups of every kind to hang")
        async with pair.lease_changes() as leases:
            served = await installation.create_served_namespace()

            async def renewed() -> bool:
                return len(leases) > 2 * LEASE.total_seconds() / LeaseTimings(duration=LEASE).renew_interval

            await until(renewed, "the leader to renew its Lease for longer than it lasts")
            assert _holders(leases) == ["one"]
            pair.running["one"].popen.terminate()
            later = await installation.create_served_namespace()
            assert await pair.running["one"].ended() == 0
            assert _holders(leases) == ["one", "", "two"]
        for team in (served, later):
            assert auths(await installation.secret(team) or {})
        assert keys in installation.aws.faults
