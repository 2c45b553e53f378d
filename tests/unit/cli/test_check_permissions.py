"""Whose permissions `pullkeeper check` checks."""

from collections.abc import Collection

import pytest

from pullkeeper.adapters.kubernetes.installations import InstallationName
from pullkeeper.cli.check import run_check
from pullkeeper.cli.checks_kubernetes import KubernetesChecks
from pullkeeper.domain.config.policy import ANYBODY, Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.views.check_result import CheckResult, Outcome
from testsupport.examples import NOW
from testsupport.fake_client import FakeClient, Request, ok

INSTALLATION = InstallationName(namespace="system", name="pullkeeper")
CONTROLLER = "system:serviceaccount:system:keeper"
ADMIN = "kubernetes-admin"
CHECKS = ("permissions", "ServiceAccount permissions", "excess permissions")


class Cluster:
    """Who asks, what everybody may do, and for whose rights was asked."""

    def __init__(self, caller: str, *, rights: Collection[str] = (), review_others: bool = True) -> None:
        """`rights` are the verbs that everybody has, on anything; empty for all."""
        self.caller = caller
        self.rights = rights
        self.review_others = review_others
        self.deployment: Response | None = None
        self.subjects: set[str] = set()

    def respond(self, request: Request) -> Response:
        if request.path.endswith("/selfsubjectreviews"):
            return ok({"status": {"userInfo": {"username": self.caller}}}) if self.caller else ok(status=404)
        if request.path == "/apis/apps/v1/namespaces/system/deployments/pullkeeper":
            pod = {"serviceAccountName": "keeper", "containers": []}
            return self.deployment or ok({"metadata": {}, "spec": {"template": {"spec": pod}}})
        asked = request.body["spec"]["resourceAttributes"]
        if asked["resource"] == "subjectaccessreviews":
            return ok({"status": {"allowed": self.review_others}})
        self.subjects.add(request.body["spec"].get("user", ""))
        return ok({"status": {"allowed": not self.rights or asked["verb"] in self.rights}})

    async def check(self, name: str, installation: InstallationName | None = INSTALLATION) -> list[CheckResult]:
        settings = Settings(policy=Policy(service_accounts=ANYBODY))
        checks = KubernetesChecks(FakeClient(respond=self.respond), settings, installation, clock=lambda: NOW)
        return [*await run_check(name, dict(checks.all())[name])]


@pytest.mark.parametrize("caller", [ADMIN, "system:serviceaccount:ci:deployer"])
async def test_whoever_asks_it_is_the_controllers_rights_that_count(caller: str) -> None:
    """Those of the ServiceAccount that the installation's Deployment names; it is said whose they are."""
    cluster = Cluster(caller)
    (found,) = await cluster.check("permissions")
    assert (found.outcome, found.detail) == (
        Outcome.PASSED,
        f"all 10 required rules are granted to {CONTROLLER}",
    )
    assert {each.outcome for each in await cluster.check("excess permissions")} == {Outcome.FAILED}
    assert cluster.subjects == {CONTROLLER}
    cluster.rights = {"get"}
    missing = await cluster.check("permissions")
    assert {each.outcome for each in missing} == {Outcome.FAILED}
    assert "missing: patch secrets named ecr-pull-secret everywhere" in {each.detail for each in missing}


@pytest.mark.parametrize(
    ("caller", "installation"),
    [(CONTROLLER, INSTALLATION), (CONTROLLER, None), ("", None)],
    ids=["by its ConfigMap", "in its pod", "before Kubernetes 1.28"],
)
async def test_the_controller_asks_for_itself(caller: str, installation: InstallationName | None) -> None:
    """Which takes no right to ask for others."""
    cluster = Cluster(caller, review_others=False)
    (found,) = await cluster.check("permissions", installation)
    assert (found.outcome, found.detail) == (Outcome.PASSED, "all 10 required rules are granted")
    assert {each.outcome for each in await cluster.check("excess permissions", installation)} == {Outcome.FAILED}
    assert cluster.subjects == {""}


async def test_who_may_not_ask_is_told_whose_rights_are_shown() -> None:
    """They are neither taken for the controller's, nor is what the caller lacks or has too much a failure."""
    cluster = Cluster(ADMIN, rights={"get", "list"}, review_others=False)
    (found,) = await cluster.check("permissions")
    why = f"{ADMIN} may not ask for those of {CONTROLLER}"
    own = f"3 of 10 required rules are granted to {ADMIN}, who asks"
    assert (found.outcome, found.detail) == (Outcome.WARNING, f"the controller's are not known: {why}; {own}")
    assert found.fix == (
        f"allow {ADMIN} to create subjectaccessreviews.authorization.k8s.io everywhere, "
        "or run `helm test`, which asks as the controller"
    )
    for name in CHECKS[1:]:
        (found,) = await cluster.check(name)
        assert (found.outcome, found.detail) == (
            Outcome.SKIPPED,
            "skipped: the controller's are not known, as said above",
        )
    assert cluster.subjects == {""}


async def test_without_an_installation_the_fix_is_to_name_it() -> None:
    """The settings of a file do not say who the controller is."""
    (found,) = await Cluster(ADMIN).check("permissions", None)
    assert found.outcome is Outcome.WARNING
    assert found.detail.startswith("the controller's are not known: a file does not say which ServiceAccount it has; ")
    assert found.fix == "name them with --installation NAMESPACE/NAME or --config FILE"


@pytest.mark.parametrize("status", [403, 404])
async def test_a_deployment_that_cannot_be_read_is_the_reason(status: int) -> None:
    """What the API server answered is said."""
    cluster = Cluster(ADMIN)
    cluster.deployment = ok(status=status)
    (found,) = await cluster.check("permissions")
    assert found.outcome is Outcome.WARNING
    assert "Deployment system/pullkeeper" in found.detail
