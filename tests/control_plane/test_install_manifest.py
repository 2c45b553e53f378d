"""deploy/install.yaml on a real API server, without Helm."""

import pytest

from testsupport.control_plane.release import CommandError, Release
from tools.release.manifests import MANIFEST

pytestmark = pytest.mark.slow

ACCOUNT = "system:serviceaccount:pullkeeper-system:pullkeeper"


async def test_the_manifest_as_a_user_applies_it(release: Release) -> None:
    """Every object is accepted as it is, a second time changes nothing, the rights are there, the fence stands."""
    apply = f"kubectl apply --server-side --validate=strict -f {MANIFEST}"
    await release.shell("kubectl wait --for=delete namespace/pullkeeper-system --timeout=120s")
    try:
        first = await release.shell(apply)
        assert "Warning" not in first
        assert first.count("serverside-applied") == MANIFEST.read_text().count("\nkind: ")
        versions = await release.shell(_VERSIONS)
        await release.shell(apply)
        assert await release.shell(_VERSIONS) == versions
        mine = f"kubectl auth can-i --as {ACCOUNT} -n default"
        assert (await release.shell(f"{mine} patch secrets/ecr-pull-secret")).strip() == "yes"
        with pytest.raises(CommandError, match="no"):
            await release.shell(f"{mine} get secrets/other")
        names = "-l app.kubernetes.io/instance=pullkeeper -o name"
        for policy in (await release.shell(f"kubectl get validatingadmissionpolicies {names}")).split():
            warnings = f"kubectl get {policy} -o jsonpath='{{.status.typeChecking.expressionWarnings}}'"
            assert await release.shell(warnings) == ""
    finally:
        # The namespace is that of other tests too, which could not create anything in one that is going.
        await release.shell(f"kubectl delete --ignore-not-found --timeout=120s -f {MANIFEST}")


_VERSIONS = (
    "kubectl get deployments,configmaps,serviceaccounts,roles,rolebindings,services,pdb -n pullkeeper-system "
    "-l app.kubernetes.io/name=pullkeeper -o jsonpath='{range .items[*]}{.kind} {.metadata.generation} {.spec}{end}'"
)
