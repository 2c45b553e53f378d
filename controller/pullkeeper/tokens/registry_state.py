"""What is known of each registry: which tokens it accepts, and until when not to probe it again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import RegistryCredential, Verdict
from pullkeeper.domain.ecr.token_scope import TokenScope

_SWEEP_SLACK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """A pause after attempts that failed."""

    attempts: int
    until: datetime
    why: str = ""


@dataclass(kw_only=True, slots=True)
class CredentialState:
    """One token at one registry."""

    verdict: Verdict | None = None
    revoked: bool = False
    """The registry refuses the token although it is published."""
    probe: asyncio.Task[Verdict] | None = None


@dataclass(kw_only=True, slots=True)
class RegistryState:
    """One registry for one identity."""

    rejected: Backoff | None = None
    """Pause after tokens that it refused, one after the other; ends with one that it accepts."""
    credentials: dict[TokenValidity, CredentialState] = field(default_factory=dict)


class RegistryStates:
    """What is known of every registry, forgotten once the tokens concerned have expired."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._states: dict[tuple[TokenScope, str], dict[RegistryHost, RegistryState]] = {}
        """By scope and holder."""
        self._until_sweep = _SWEEP_SLACK
        self.unreachable: dict[RegistryHost, Backoff] = {}
        """Registries that gave no verdict at their last probe."""

    def __len__(self) -> int:
        return sum(len(state.credentials) for states in self._states.values() for state in states.values())

    def registry(self, credential: RegistryCredential) -> RegistryState:
        """Return what is known of a credential's registry for its identity."""
        states = self._states.setdefault((credential.scope, credential.holder), {})
        return states.setdefault(credential.host, RegistryState())

    def credential(self, credential: RegistryCredential) -> CredentialState:
        """Return what is known of a token at a registry."""
        known = self.find(credential)
        if known is None:
            self._sweep()
            known = self.registry(credential).credentials[credential.validity] = CredentialState()
        return known

    def find(self, credential: RegistryCredential) -> CredentialState | None:
        """Return what is known of a token at a registry; None for nothing."""
        state = self._states.get((credential.scope, credential.holder), {}).get(credential.host)
        return state.credentials.get(credential.validity) if state else None

    def is_accepted(self, scope: TokenScope, validity: TokenValidity) -> bool:
        """Whether any registry of its scope accepts a token, so that a registry that refuses it is at fault."""
        found = (state.credentials.get(validity) for state in self._states.get((scope, ""), {}).values())
        return any(known is not None and known.verdict is Verdict.ACCEPTED for known in found)

    def _sweep(self) -> None:
        """Forget expired tokens, and the registries of which no token is left, once enough have been added."""
        self._until_sweep -= 1
        if self._until_sweep > 0:
            return
        now = self._clock()
        for key, states in list(self._states.items()):
            for host, state in list(states.items()):
                state.credentials = {age: known for age, known in state.credentials.items() if age.expires_at > now}
                if not state.credentials:
                    del states[host]
            if not states:
                del self._states[key]
        hosts = {host for states in self._states.values() for host in states}
        self.unreachable = {host: backoff for host, backoff in self.unreachable.items() if host in hosts}
        self._until_sweep = len(self) + _SWEEP_SLACK
