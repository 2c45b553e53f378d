"""Whether a registry accepts a token: what its responses mean, and the failure for one that refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, Reason

API_VERSION: Final = "Docker-Distribution-Api-Version"
"""The header by which a response is known to come from a registry (Docker Registry HTTP API V2, API Version Check)."""
_OK: Final = 200
_REFUSALS: Final = frozenset({400, 401, 403})
"""ECR responds with 400 to a token of another region or a malformed one, 401 to none, 403 to an expired one."""


class Verdict(StrEnum):
    """The result of trying a token at a registry."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    """No verdict: no response, throttling, a server error, or a response of a middlebox."""
    SKIPPED = "skipped"
    """The registry cannot be probed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """A verdict and its reason: a status or the type of an error, never any content of the response."""

    verdict: Verdict
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryCredential:
    """A token at a registry, identified by its scope and validity: its content is not always at hand."""

    scope: TokenScope
    host: RegistryHost
    validity: TokenValidity
    holder: str = ""
    """The namespace whose pull Secret it was read from, and for which alone its verdict counts: a Secret is the
    tenant's object. "" for a token that this process has fetched itself."""


def probe_result(status: int, *, from_registry: bool) -> ProbeResult:
    """Interpret a response to `GET /v2/`.

    A proxy's 403 is not a refusal and must not stop rotations; its login page with a 200 accepts nothing.
    """
    if not from_registry or status not in {_OK, *_REFUSALS}:
        verdict = Verdict.UNREACHABLE
    else:
        verdict = Verdict.ACCEPTED if status == _OK else Verdict.REJECTED
    return ProbeResult(
        verdict=verdict, why=f"status {status}" if from_registry else f"status {status}, not from the registry"
    )


def is_verifiable(host: RegistryHost) -> bool:
    """Whether the registry accepts `Basic` authorization; ECR Public responds with 400 even to a valid token."""
    return not host.public


def rejected_failure(scope: TokenScope, refusals: Mapping[RegistryHost, str]) -> Failure:
    """Return the failure for registries that refuse a new token, each with the reason of its refusal."""
    names = ", ".join(host.name for host in sorted(refusals))
    message = (
        f"{names} refuses the new token of {scope.identity} in {scope.label}, so its entry in the pull Secret stays as "
        "it is: log in there by hand as that identity, and check for a revoked session, a closed account, or a proxy "
        "that responds in the registry's place"
    )
    detail = ", ".join(sorted(set(refusals.values())))
    return Failure(reason=Reason.REGISTRY_REJECTED, message=message, detail=detail)
