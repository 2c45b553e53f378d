"""The roles that a Namespace names: which serves which registries, or what is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence

from pullkeeper.domain.ecr.partitions import partition_of
from pullkeeper.domain.ecr.registry_host import PUBLIC_REGION, RegistryHost
from pullkeeper.domain.errors.validation import Problem, quoted
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.namespace.annotations import ROLE_ARN
from pullkeeper.domain.namespace.namespace import PREFIX

# Words that the chart's admission policy repeats (tools/admission_policies.py).
WHERE = PREFIX + ROLE_ARN
PUBLIC_PARTITION = partition_of(PUBLIC_REGION).name
MAX_ROLES = 20
TOO_MANY = f"at most {MAX_ROLES}"
SAME_ACCOUNT = "one role for each account, of which there is already "
NO_ROLE = "no role for "
OF_PARTITION, OF_ACCOUNT = "one of the partition ", "one of its account "
NO_REGISTRY = "a role of the account of one of the registries: of several roles each serves its own account"


def parse_roles(text: str, registries: Sequence[RegistryHost]) -> tuple[tuple[RoleArn, ...], list[Problem]]:
    """Parse the annotation; returns the roles and the problems."""
    given = role_arn.parts(text)
    if len(given) > MAX_ROLES:
        return (), [Problem(where=WHERE, found=f"{len(given)} roles", expected=TOO_MANY)]
    roles, problems = [], []
    for part in given or [text]:
        try:
            roles.append(role_arn.parse(part))
        except ValueError as error:
            problems.append(Problem(where=WHERE, found=quoted(part), expected=str(error)))
    return tuple(roles), problems or list(_misfits(tuple(roles), registries))


def role_of(host: RegistryHost, roles: Sequence[RoleArn]) -> RoleArn | None:
    """Return the role that serves a registry: the only one, or of several that of the registry's account.

    ECR Public has no account: the first role of its partition serves it.
    """
    if len(roles) == 1:
        return roles[0]
    if host.public:
        return next((role for role in roles if role.partition == PUBLIC_PARTITION), None)
    return next((role for role in roles if role.account == host.account), None)


def registries_by_role(
    roles: Sequence[RoleArn], registries: Sequence[RegistryHost]
) -> Mapping[str, Sequence[RegistryHost]]:
    """Return the registries that each role serves, by its ARN."""
    return {role.text: [host for host in registries if role_of(host, roles) == role] for role in roles}


def _misfits(roles: Sequence[RoleArn], registries: Sequence[RegistryHost]) -> Iterator[Problem]:
    serving = {host: role_of(host, roles) for host in registries}
    yield from _ambiguous(roles)
    if host := next((host for host, role in serving.items() if role is None), None):
        yield _missing(host)
    for host, role in serving.items():
        if role and role.partition != host.partition:
            yield _across(role, host)
            break
    if serving:
        # A second role of an account has been reported.
        first = {role.account: role for role in reversed(roles)}
        idle = (role for role in roles if first[role.account] is role and role not in serving.values())
        yield from (Problem(where=WHERE, found=quoted(role.text), expected=NO_REGISTRY) for role in idle)


def _ambiguous(roles: Sequence[RoleArn]) -> Iterator[Problem]:
    for index, role in enumerate(roles):
        if same := next((each for each in roles[:index] if each.account == role.account), None):
            yield Problem(where=WHERE, found=quoted(role.text), expected=f"{SAME_ACCOUNT}{same}")


def _missing(host: RegistryHost) -> Problem:
    expected = f"{OF_PARTITION}{PUBLIC_PARTITION}" if host.public else f"{OF_ACCOUNT}{host.account}"
    return Problem(where=WHERE, found=f"{NO_ROLE}{host}", expected=expected)


def _across(role: RoleArn, other: RegistryHost) -> Problem:
    found = f"a role of the partition {role.partition}"
    expected = f"one of {other.partition}, the partition of {other}: credentials are not valid across partitions"
    return Problem(where=WHERE, found=found, expected=expected)
