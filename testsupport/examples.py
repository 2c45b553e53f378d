"""Hand-made values and hypothesis strategies that the tests of the core share."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.secret_record import SecretRecord, Target
from pullkeeper.tokens.demand import Demand, Requester

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

PASSWORD = "fake-pass-word"
EU = registry_host.parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
EU_OTHER_ACCOUNT = registry_host.parse("210987654321.dkr.ecr.eu-west-1.amazonaws.com")
US = registry_host.parse("123456789012.dkr.ecr.us-west-2.amazonaws.com")
PUBLIC = registry_host.parse("public.ecr.aws")
HOSTS = (EU, EU_OTHER_ACCOUNT, US, PUBLIC)


def scope(host: RegistryHost) -> TokenScope:
    return TokenScope.of(host, CONTROLLER)


def demand(namespace: str = "team-a", *, first: bool = False) -> Demand:
    return Demand(Requester(namespace=namespace, first=first))


def auth(password: str = PASSWORD) -> Password:
    return Password(base64.b64encode(f"AWS:{password}".encode()).decode())


def times(*, issued: datetime = NOW, life: timedelta = 12 * HOUR) -> TokenValidity:
    return TokenValidity(issued_at=issued, expires_at=issued + life)


def token(
    *, issued: datetime = NOW, life: timedelta = 12 * HOUR, password: str = PASSWORD, principal: str = ""
) -> Token:
    return Token(issued_at=issued, expires_at=issued + life, auth=auth(password), principal=principal)


def published(
    *hosts: RegistryHost,
    issued: datetime = NOW,
    life: timedelta = 12 * HOUR,
    refresh_requested_at: str | None = None,
    principal: str = "",
) -> SecretRecord:
    held = dict.fromkeys(hosts, times(issued=issued, life=life))
    return record_of(held, refresh=refresh_requested_at, principal=principal)


def record_of(
    held: Mapping[RegistryHost, TokenValidity],
    identity: str = CONTROLLER.name,
    *,
    refresh: str | None = None,
    principal: str = "",
) -> SecretRecord:
    """Make a record all of whose tokens are of one identity."""
    return SecretRecord(
        held=held,
        identities=dict.fromkeys(held, identity),
        principals={identity: principal} if principal else {},
        refresh_requested_at=refresh,
    )


def wanted(
    *registries: RegistryHost,
    identity: Identity = CONTROLLER,
    refresh_requested_at: str | None = None,
    opted_in_by: OptIn = OptIn.ANNOTATION,
) -> DesiredState:
    """Make a desired state with one identity for all registries."""
    return DesiredState(
        identities=dict.fromkeys(registries, identity),
        refresh_requested_at=refresh_requested_at,
        opted_in_by=opted_in_by,
    )


def managed(held: SecretRecord | None, *, intact: bool = True, purpose: Target | None = None) -> ObservedSecret:
    """Make a Secret of ours; what it is for is what it holds, where that can be read."""
    if held is not None:
        purpose = held.target
    return ObservedSecret(
        namespace="team-a",
        uid="uid-1",
        resource_version=7,
        managed=True,
        intact=intact,
        record=held,
        target=purpose,
        installation_class=held.installation_class if held else "",
    )


FOREIGN = ObservedSecret(namespace="team-a", uid="uid-2", resource_version=7, managed=False, intact=False)

moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 -- st adds the zone
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
lives = st.integers(1, 12 * 3600 * 1000).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
token_times = st.builds(lambda issued, life: times(issued=issued, life=life), moments, lives)
some_hosts = st.lists(st.sampled_from(HOSTS), min_size=1, unique=True).map(lambda hosts: tuple(sorted(hosts)))
refreshes = st.none() | st.text(max_size=20)
ROLE_A = "arn:aws:sts::123456789012:assumed-role/a"
ROLE_B = "arn:aws:sts::123456789012:assumed-role/b"
principals = st.sampled_from(["", ROLE_A, ROLE_B])
tokens = st.builds(
    lambda life, password, principal: token(life=life, password=password, principal=principal),
    lives,
    st.text("abcdef0123456789", min_size=1),
    principals,
)


@st.composite
def publications(draw: st.DrawFn) -> SecretRecord:
    """Draw what a Secret holds: mostly one token for all registries of a scope, at times others for some of them."""
    hosts = draw(some_hosts)
    shared = {scope(host): draw(token_times) for host in hosts}
    held = {host: draw(st.just(shared[scope(host)]) | token_times) for host in hosts}
    record = record_of(held, refresh=draw(refreshes), principal=draw(principals))
    return replace(record, installation_class=draw(st.sampled_from(["", "", "canary"])))
