"""The controller's identities: the one without a name, and those that the settings name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pullkeeper.adapters.aws import named_sessions, partitions
from pullkeeper.adapters.aws.caller_principal import AskSts, CallerPrincipal
from pullkeeper.adapters.aws.clients import ControllerSession, RecordRequest, profile_region
from pullkeeper.adapters.aws.credentials import ControllerCredentials, Own
from pullkeeper.domain.config import own_sources
from pullkeeper.domain.config.own_sources import Profile, WebIdentityFile
from pullkeeper.domain.config.pattern import matches_any
from pullkeeper.domain.config.policy import OwnIdentity
from pullkeeper.domain.config.role_partitions import may_be_of
from pullkeeper.domain.ecr.partitions import PARTITIONS
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere

OWN = "the controller's own identity"


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnIdentities:
    """Builds them from the settings and the environment."""

    environment: Mapping[str, str]
    registries: Sequence[RegistryHost]
    """The installation's own: they may tell the region of a session."""
    record_request: RecordRequest
    clock: Callable[[], datetime]
    ask_sts: AskSts

    def unnamed(
        self, named: Sequence[OwnIdentity], anywhere: RolesAnywhere | None, *, allow_node_instance_role: bool
    ) -> Own:
        """Return the one that serves what no other does."""
        environment = anywhere.environment(self.environment) if anywhere else self.environment
        partition = _partition(environment, anywhere)
        rest = [host for host in self.registries if not any(_serves(own, host) for own in named)]
        own_registries = [host for host in rest if partition in ("", host.partition)]
        region = partitions.session_region(environment, own_registries, profile_region)
        default = partial(
            ControllerSession, region, self.record_request, allow_node_instance_role=allow_node_instance_role
        )
        return Own(
            region=region,
            holder=environment.get("AWS_ROLE_ARN", OWN),
            partition=partition,
            caller=CallerPrincipal(self.ask_sts),
            open_session=self._anywhere(anywhere) if anywhere else default,
        )

    def named(self, own: OwnIdentity) -> Own:
        """Return one that the settings name."""
        region, role = self._region(own), own_sources.role_of(own.source)
        label = f"the controller's identity {own.name}"
        return Own(
            region=region,
            holder=f"{role} ({label})" if role else label,
            partition=own.partition,
            caller=CallerPrincipal(self.ask_sts, label=own.name),
            open_session=self._open(own, region),
        )

    def all(
        self, named: Sequence[OwnIdentity], anywhere: RolesAnywhere | None, *, allow_node_instance_role: bool
    ) -> Mapping[str, Own]:
        """Return all of them, by the names of their identities."""
        unnamed = self.unnamed(named, anywhere, allow_node_instance_role=allow_node_instance_role)
        return {CONTROLLER.name: unnamed, **{identity.own(each.name).name: self.named(each) for each in named}}

    def _open(self, own: OwnIdentity, region: str) -> Callable[[], ControllerCredentials]:
        match own.source:
            case RolesAnywhere() as source:
                return self._anywhere(source)
            case WebIdentityFile() as source:
                return partial(
                    named_sessions.of_web_identity, source.role, source.token_file, region, self.record_request
                )
            case Profile() as source:
                return partial(named_sessions.of_profile, source.name, region, self.record_request)
            case source:
                return partial(named_sessions.of_keys_file, source.path, region, self.record_request)

    def _anywhere(self, source: RolesAnywhere) -> Callable[[], ControllerCredentials]:
        # Not at the top: it imports cryptography, which takes memory that most controllers never need.
        from pullkeeper.adapters.aws.roles_anywhere import RolesAnywhereSession  # noqa: PLC0415 -- as said above

        return partial(RolesAnywhereSession, source, self.record_request, self.clock)

    def _region(self, own: OwnIdentity) -> str:
        """Return its region from what is known of it alone: the environment's may be of another partition."""
        if own.region:
            return own.region
        if isinstance(own.source, Profile) and (configured := profile_region(own.source.name)):
            return configured
        partition = own.partition or _only_partition(own)
        served = [host for host in self.registries if _serves(own, host) and partition in ("", host.partition)]
        if served:
            return next((host.region for host in served if not host.public), served[0].region)
        return (
            own.source.region
            if isinstance(own.source, RolesAnywhere)
            else partitions.primary_region(partition or "aws")
        )


def _serves(own: OwnIdentity, host: RegistryHost) -> bool:
    return matches_any(own.registries, host.name)


def _only_partition(own: OwnIdentity) -> str:
    """Return the partition of all registries that match its patterns; "" if they may be of several."""
    possible = {each.name for each in PARTITIONS for pattern in own.registries if may_be_of(each.name, pattern)}
    return possible.pop() if len(possible) == 1 else ""


def _partition(environment: Mapping[str, str], anywhere: RolesAnywhere | None) -> str:
    """Return the partition of the role that the environment names, where nothing in it comes before the role."""
    assumes = anywhere or (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") and not environment.get("AWS_ACCESS_KEY_ID"))
    return (partitions.partition_of_arn(environment.get("AWS_ROLE_ARN", "")) or "") if assumes else ""
