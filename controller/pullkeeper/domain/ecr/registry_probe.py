"""Whether a registry takes a token: what its answers mean, and what is said of one that refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.iam.identity import Identity

API_VERSION: Final = "Docker-Distribution-Api-Version"
"""By this header a registry shows that an answer is its own (Docker Registry HTTP API V2, "API Version Check")."""
_OK: Final = 200
_REFUSALS: Final = frozenset({400, 401, 403})
"""ECR answers 400 to a token of another region or one that it cannot read, 401 to none, 403 to one that has expired."""


class Verdict(StrEnum):
    """What became of trying a token at a registry."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    """It did not say: no answer, too many requests, an error of its own, or somebody else on the way spoke."""
    SKIPPED = "skipped"
    """The registry cannot be asked in this way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """A verdict, and by what it came about: a status or the kind of an error, never anything of its content."""

    verdict: Verdict
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryCredential:
    """A token at a registry; whose and from when it is tells it from others, for its content is not always at hand."""

    identity: Identity
    host: RegistryHost
    validity: TokenValidity

    @property
    def scope(self) -> TokenScope:
        """Give the scope that the token is of."""
        return TokenScope.of(self.host, self.identity)


def probe_result(status: int, *, from_registry: bool) -> ProbeResult:
    """Read an answer to `GET /v2/`; only the registry itself can refuse, for a proxy's 403 must not stop rotations."""
    if status == _OK:
        verdict = Verdict.ACCEPTED
    else:
        verdict = Verdict.REJECTED if from_registry and status in _REFUSALS else Verdict.UNREACHABLE
    return ProbeResult(verdict=verdict, why=f"status {status}" if from_registry else f"status {status}, not its own")


def is_verifiable(host: RegistryHost) -> bool:
    """Whether the registry takes a token as `Basic`; ECR Public answers 400 to that, even where the token is good."""
    return not host.public


def rejected_failure(scope: TokenScope, refusals: Mapping[RegistryHost, str]) -> Failure:
    """Say which registries refuse the token of whom, and what to do; each refusal comes with its why."""
    names = ", ".join(host.name for host in sorted(refusals))
    message = (
        f"{names} refuses the new token of {scope.identity} in {scope.label}, so it is not published for it and what "
        "is there stays: log in there by hand as that identity, and look for a session that was revoked, an account "
        "that is closed, or something on the way that answers in the registry's place"
    )
    detail = ", ".join(sorted(set(refusals.values())))
    return Failure(reason=Reason.REGISTRY_REJECTED, message=message, detail=detail)
