"""The check that new pods get the pull Secret by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pullkeeper.cli.checks_kubernetes import KubernetesChecks
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.views.check_result import CheckResult, Outcome
from testsupport.examples import EU
from testsupport.fake_client import FakeClient, Request, items, ok

POLICY = Policy(registries=(EU,), pod_injection=True)
ON = {"enabled": "true"}
QUOTA = 'pods "pullkeeper-check" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1'


def namespace(name: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    written = {f"pullkeeper.dev/{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "resourceVersion": "7", "annotations": written}}


class Cluster:
    """Namespaces by name, and what the API server answers to a pod in each."""

    def __init__(self, namespaces: Mapping[str, Mapping[str, str]], pods: Mapping[str, Response]) -> None:
        self._namespaces = [namespace(*each) for each in namespaces.items()]
        self._pods = pods
        self.asked: list[Request] = []

    def respond(self, request: Request) -> Response:
        if "selfsubjectaccessreviews" in request.path:
            wanted = request.body["spec"]["resourceAttributes"]
            assert (wanted["verb"], wanted["resource"]) == ("create", "pods")
            return ok({"status": {"allowed": wanted["namespace"] in self._pods}})
        if request.verb == "create":
            self.asked.append(request)
            return self._pods[request.path.split("/")[4]]
        return items(*self._namespaces)

    async def check(self, policy: Policy = POLICY) -> CheckResult:
        client = FakeClient(respond=self.respond)
        checks = KubernetesChecks(client, Settings(policy=policy), clock=lambda: datetime.now(UTC))
        (result,) = await dict(checks.all())["injection"]()
        return result


def pod(*names: str) -> Response:
    return ok({"spec": {"imagePullSecrets": [{"name": name} for name in names]}})


async def test_a_pod_that_gets_the_secret_passes() -> None:
    """It is created in a dry run alone, with an image of the namespace's registry and a pull Secret of its own."""
    cluster = Cluster({"a": {}, "b": ON}, {"b": pod("pullkeeper-check", "ecr-pull-secret")})
    found = await cluster.check()
    assert (found.outcome, found.detail) == (
        Outcome.PASSED,
        "a new pod in b gets the pull Secret by itself (dry run)",
    )
    (asked,) = cluster.asked
    assert asked.query == {"dryRun": "All"}
    assert asked.body["spec"]["containers"][0]["image"] == f"{EU}/pullkeeper-check"
    assert asked.body["spec"]["imagePullSecrets"] == [{"name": "pullkeeper-check"}]


async def test_a_pod_without_the_secret_fails() -> None:
    """The policy is not there, or fails."""
    found = await Cluster({"b": ON}, {"b": pod("pullkeeper-check")}).check()
    assert (found.outcome, found.detail) == (
        Outcome.FAILED,
        "a new pod in b does not get the pull Secret by itself (dry run)",
    )
    assert found.fix.startswith("install the chart again")


async def test_without_the_right_it_is_not_checked() -> None:
    """As for the controller, which may not create pods."""
    found = await Cluster({"b": ON}, {}).check()
    assert found.outcome is Outcome.SKIPPED
    assert found.detail == "skipped: not checked: needs create on pods in b"


async def test_where_a_pod_is_refused_another_namespace_is_tried() -> None:
    """A quota or somebody else's policy says nothing of ours; in the end its words are shown."""
    refused = Response(status=403, body={"message": QUOTA})
    every = dict.fromkeys("abcde", ON)
    cluster = Cluster(every, {"a": refused, "b": refused, "c": pod("ecr-pull-secret")})
    assert (await cluster.check()).outcome is Outcome.PASSED
    cluster = Cluster(every, dict.fromkeys("abcde", refused))
    found = await cluster.check()
    assert (found.outcome, len(cluster.asked)) == (Outcome.SKIPPED, 3)
    assert "exceeded quota: few" in found.detail


async def test_only_namespaces_that_are_injected_are_tried() -> None:
    """Not one that declines, is invalid, or goes away."""
    asked: Sequence[Mapping[str, str]] = ({**ON, "inject": "false"}, {**ON, "registries": "x"}, {})
    cluster = Cluster({str(number): each for number, each in enumerate(asked)}, {})
    assert (await cluster.check()).detail == "skipped: no namespace is opted in"
    assert (await cluster.check(replace(POLICY, pod_injection=False))).detail == (
        "skipped: not part of this installation"
    )
