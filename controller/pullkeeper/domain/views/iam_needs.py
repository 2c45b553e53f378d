"""What the settings and the namespaces that ask need in AWS, as a plan."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.iam.web_identity import provider_arn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views import iam_notes, iam_statements
from pullkeeper.domain.views.iam_controller import Controller
from pullkeeper.domain.views.iam_plan import Account, Plan, Provider, RepositoryGrant, Role
from pullkeeper.domain.views.iam_uses import RoleUse, part_of, uses_of

_POLICY_NAME = "pullkeeper"


def plan(policy: Policy, controller: Controller, desired_states: Mapping[str, DesiredState], *, only: str = "") -> Plan:
    """Return what must exist, for what namespaces, by name, desire; `only` keeps one namespace's part.

    The identity of a ServiceAccount has its role and audience. What the settings allow counts too: registries for
    everybody by default, and roles without a pattern. One namespace's part of a role of the controller's own is a
    policy beside the others, since the role exists; roles that it shares with others are whole.
    """
    uses = uses_of(policy, controller, desired_states)
    if only:
        uses = part_of(uses, controller, desired_states[only], only)
    texts = dict.fromkeys(each.role.text for each in controller.every)
    own = [uses.pop(text) for text in texts]
    others = [uses[arn] for arn in sorted(uses)]
    kept = [use for use in others if not use.sessions or use.assuming_roles(controller)]
    roles = [
        *(role for each in own for role in _own_role(each, [*own, *kept], controller, only)),
        *(_role(use, controller) for use in kept),
    ]
    notes = [
        *iam_notes.of_uses(controller, [*own, *others]),
        *(() if only else iam_notes.of_settings(policy, controller, desired_states, others)),
        *(each for role in roles for each in role.problems()),
    ]
    return Plan(accounts=tuple(_accounts(own, kept, roles, controller)), notes=tuple(notes))


def _own_role(own: RoleUse, uses: Sequence[RoleUse], controller: Controller, only: str) -> Iterator[Role]:
    assumed = [(use.arn, use.session) for use in uses if use.session and own.arn in use.assuming_roles(controller)]
    role = _role(own, controller)
    permissions = (*role.permissions, *iam_statements.assumptions(assumed))
    if permissions or not role.exists:
        otherwise = "to assume other roles" if assumed else "for what namespaces will ask for"
        why = f"{controller.owner(own.arn)}, {f'for {own.why}' if own.usable else otherwise}"
        name = f"{_POLICY_NAME}-{only}" if role.exists else _POLICY_NAME
        yield replace(role, why=why, policy_name=name, permissions=permissions)


def _role(use: RoleUse, controller: Controller) -> Role:
    principals = [each.text for each in use.assuming_roles(controller)]
    trust = [*iam_statements.controller_trust(principals, use.session)] if use.session else []
    for index, (anywhere, name) in enumerate(use.certificates, start=1):
        sid = _sid("RolesAnywhere", index, use.certificates)
        trust.append(iam_statements.certificate_trust(anywhere.trust_anchor, name, sid=sid))
    provider = provider_arn(controller.issuer, use.arn)
    for index, (audience, subjects) in enumerate(sorted(use.subjects.items()), start=1):
        sid = _sid("ServiceAccounts", index, use.subjects)
        trust.append(iam_statements.web_trust(provider, audience, subjects, sid=sid))
    return Role(
        arn=use.arn,
        why=f"For {use.why}",
        policy_name=_POLICY_NAME,
        permissions=tuple(iam_statements.pulls(use.arn.partition, use.hosts)),
        trust=tuple(trust),
    )


def _sid(name: str, index: int, every: Sized) -> str:
    """Return the id of a statement, which only one may have in a policy."""
    return f"{name}{index if len(every) > 1 else ''}"


def _providers(controller: Controller, uses: Iterable[RoleUse]) -> Iterator[Provider]:
    audiences: dict[str, set[str]] = defaultdict(set)
    for use in uses:
        if use.subjects:
            audiences[provider_arn(controller.issuer, use.arn)] |= use.subjects.keys()
    for arn, found in sorted(audiences.items()):
        yield Provider(arn=arn, issuer=controller.issuer, audiences=tuple(sorted(found)))


def _grants(uses: Iterable[RoleUse]) -> Iterator[RepositoryGrant]:
    readers: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for use in uses:
        for host in use.usable:
            if host.account not in ("", use.arn.account):
                readers[host.partition, host.account, host.region].add(use.arn.text)
    for (partition, account, region), roles in sorted(readers.items()):
        statement = iam_statements.repository_trust(sorted(roles))
        yield RepositoryGrant(region=region, account=account, partition=partition, statement=statement)


def _accounts(
    own: Sequence[RoleUse], others: Sequence[RoleUse], roles: Sequence[Role], controller: Controller
) -> Iterator[Account]:
    uses = [*own, *others]
    providers, grants = list(_providers(controller, uses)), list(_grants(uses))
    first = [_key(each.arn.text) for each in own]
    keys = {_key(role.arn.text) for role in roles} | {(grant.partition, grant.account) for grant in grants}
    # The controller's accounts come first: IAM accepts no trust policy with a role that does not exist.
    for key in sorted(keys, key=lambda key: (key not in first, key)):
        yield Account(
            partition=key[0],
            number=key[1],
            region=_region(key, uses),
            providers=tuple(each for each in providers if _key(each.arn) == key),
            roles=tuple(role for role in roles if _key(role.arn.text) == key),
            grants=tuple(grant for grant in grants if (grant.partition, grant.account) == key),
            anywhere=tuple(_anywhere(own, key)),
        )


def _anywhere(own: Iterable[RoleUse], key: tuple[str, str]) -> Iterator[RolesAnywhere]:
    for use in own:
        yield from (anywhere for anywhere, _ in use.certificates if _key(use.arn.text) == key)


def _key(arn: str) -> tuple[str, str]:
    parts = arn.split(":")
    return parts[1], parts[4]


def _region(key: tuple[str, str], uses: Sequence[RoleUse]) -> str:
    own = [host.region for use in uses for host in use.usable if (host.partition, host.account) == key]
    read = [host.region for use in uses for host in use.usable if (use.arn.partition, use.arn.account) == key]
    return min(own or read, default="")
