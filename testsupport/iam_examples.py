"""An installation with every kind of identity, and what its namespaces ask for: for the tests of `pullkeeper iam`."""

from collections.abc import Mapping

from pullkeeper.domain.config.policy import Grant, Matcher, Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.iam import role_arn, roles_anywhere
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.views.iam_needs import Controller

ISSUER = "https://oidc.example.com/prod-1"
CONTROLLERS_ROLE = "arn:aws:iam::123456789012:role/pullkeeper"
BLUE = "arn:aws:iam::222222222222:role/team/pull-blue"
GREEN = "arn:aws:iam::333333333333:role/pull-green"
OWN = "arn:aws:iam::444444444444:role/team-a"
IRELAND = parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
SHARED = parse("555555555555.dkr.ecr.us-east-1.amazonaws.com")
PUBLIC = parse("public.ecr.aws")
SETTINGS = Policy(
    registries=(IRELAND, PUBLIC),
    cluster_name="prod-1",
    roles=(
        RoleGrant(
            role=BLUE,
            namespaces=Matcher(names=("blue-*",)),
            external_id="3f1c8a",
            session_tags=True,
            source_identity=True,
        ),
        RoleGrant(role="arn:aws:iam::333333333333:role/pull-*", namespaces=Matcher(names=("green-*",))),
    ),
    service_accounts=Grant(namespaces=Matcher(names=("team-*",))),
)
CONTROLLER_OF_IT = Controller(
    role=role_arn.parse(CONTROLLERS_ROLE),
    issuer=ISSUER,
    subject="system:serviceaccount:pullkeeper-system:pullkeeper",
    audience="sts.amazonaws.com",
)

_ANYWHERE = "arn:aws:rolesanywhere:eu-west-1:123456789012"
ANYWHERE = roles_anywhere.parse(
    {
        "trustAnchorArn": f"{_ANYWHERE}:trust-anchor/11111111-1111-1111-1111-111111111111",
        "profileArn": f"{_ANYWHERE}:profile/22222222-2222-2222-2222-222222222222",
        "roleArn": CONTROLLERS_ROLE,
        "certificateFile": "/tls/tls.crt",
        "keyFile": "/tls/tls.key",
    }
)


def desired(*hosts: RegistryHost, identity: Identity = CONTROLLER) -> DesiredState:
    return DesiredState(identities=dict.fromkeys(hosts or (IRELAND,), identity))


def own_account(namespace: str, *, role: str = OWN, audience: str = "sts.amazonaws.com") -> Identity:
    name = f"system:serviceaccount:{namespace}:puller"
    return Identity(name=name, role_arn=role, uid="1", audience=audience)


def asked(policy: Policy, namespace: str, **annotations: str) -> DesiredState:
    """Return what a namespace with these annotations desires."""
    given = {"enabled": "true", **{key.replace("_", "-"): value for key, value in annotations.items()}}
    found = desired_state(ObservedNamespace(name=namespace, resource_version=0, annotations=given), policy)
    assert found
    return found


def desired_states() -> Mapping[str, DesiredState]:
    """Return one namespace of each identity; `shared` pulls from another account too."""
    return {
        "plain": asked(SETTINGS, "plain"),
        "shared": asked(SETTINGS, "shared", registries=SHARED.name),
        "blue-1": asked(SETTINGS, "blue-1", role_arn=BLUE),
        "green-1": asked(SETTINGS, "green-1", role_arn=GREEN, registries=f"{SHARED}, {PUBLIC}"),
        "team-a": desired(IRELAND, identity=own_account("team-a")),
    }
