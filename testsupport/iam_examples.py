"""An installation with every kind of identity, and what its namespaces ask for: for the tests of `pullkeeper iam`."""

from collections.abc import Mapping

from pullkeeper.domain.config.own_sources import KeysFile, WebIdentityFile
from pullkeeper.domain.config.policy import Grant, Matcher, OwnIdentity, Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.iam import role_arn, roles_anywhere
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.views.iam_controller import Controller, with_identities

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


CHINA = parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")
EDGE = parse("666666666666.dkr.ecr.eu-west-1.amazonaws.com")
GOV = parse("777777777777.dkr.ecr.us-gov-west-1.amazonaws.com")
CHINAS_ROLE = "arn:aws-cn:iam::123456789012:role/pullkeeper"
EDGES_ROLE = "arn:aws:iam::666666666666:role/edge"
RED = "arn:aws-cn:iam::222222222222:role/pull-red"
EDGES_ANCHOR = "arn:aws:rolesanywhere:eu-west-1:666666666666:trust-anchor/33333333-3333-3333-3333-333333333333"
EDGES_PROFILE = "arn:aws:rolesanywhere:eu-west-1:666666666666:profile/44444444-4444-4444-4444-444444444444"


def by_registry(folder: str = "/pki") -> Policy:
    """Return settings with an identity of each kind; the first account has the number of the controller's."""
    files = {"certificateFile": f"{folder}/tls.crt", "keyFile": f"{folder}/tls.key"}
    anywhere = {"trustAnchorArn": EDGES_ANCHOR, "profileArn": EDGES_PROFILE, "roleArn": EDGES_ROLE, **files}
    china = WebIdentityFile(
        role=role_arn.parse(CHINAS_ROLE), token_file=f"{folder}/token", audience="sts.amazonaws.com.cn"
    )
    return Policy(
        registries=(IRELAND, CHINA, EDGE, GOV),
        cluster_name="prod-1",
        roles=(
            RoleGrant(
                role=RED,
                namespaces=Matcher(names=("red-*",)),
                registries=(CHINA.name,),
                external_id="7d2e",
                session_tags=True,
                source_identity=True,
            ),
        ),
        identities=(
            OwnIdentity(name="china", registries=("*.amazonaws.com.cn",), source=china),
            OwnIdentity(name="edge", registries=(EDGE.name,), source=roles_anywhere.parse(anywhere)),
            OwnIdentity(name="gov", registries=("*.us-gov-west-1.*",), source=KeysFile(path=f"{folder}/keys")),
        ),
    )


BY_REGISTRY = with_identities(CONTROLLER_OF_IT, by_registry(), {"edge": "pullkeeper"})


def desired_by_registry() -> Mapping[str, DesiredState]:
    """Return what namespaces desire that take all identities, or a role which one of them assumes."""
    policy = by_registry()
    return {
        "plain": asked(policy, "plain", registries=f"{IRELAND}, {CHINA}, {EDGE}"),
        "red-1": asked(policy, "red-1", role_arn=RED, registries=CHINA.name),
    }


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
