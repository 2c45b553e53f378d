"""What the formats of a plan have in common: names of resources, their order, and comments."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from pullkeeper.domain.views.commented import comment
from pullkeeper.domain.views.iam_plan import Account, Provider, Role

PROVIDER, ROLE = "Provider", "Role"
"""Kinds of resources."""
PROVIDER_HINT = "Leave it out where the account has it already, and see that it has these audiences"


def provider_name(provider: Provider) -> str:
    """Return the name of a provider's resource: always the same for the same one."""
    return f"{PROVIDER}{_digest(provider.arn)}"


def role_name(role: Role) -> str:
    """Return the name of a role's resource, in letters and digits: always the same for the same one."""
    return f"{ROLE}{re.sub('[^A-Za-z0-9]', '', role.name)}{_digest(role.arn.text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def dependencies(role: Role, account: Account) -> Sequence[tuple[str, str]]:
    """Return kind and name of the account's resources that have to exist before IAM accepts the trust policy."""
    trusted = {name for statement in role.trust for name in statement.principals}
    providers = [(PROVIDER, provider_name(each)) for each in account.providers if each.arn in trusted]
    roles = [(ROLE, role_name(each)) for each in account.roles if each.arn.text in trusted and not each.exists]
    return [*providers, *roles]


def comments(notes: Iterable[str]) -> Iterator[str]:
    """Return the notes as comments."""
    yield from (comment(f"NOTE: {note}") for note in notes)


def account_comments(account: Account) -> Iterator[str]:
    """Return what is to be done by hand, as comments: whoever knows what else there is in a policy or a profile."""
    for given in account.anywhere:
        region, profile = given.region, given.profile.rpartition("/")[2]
        yield comment(
            f"The trust anchor {given.trust_anchor} has to be enabled, and the profile to name this role beside its "
            "others; for one without others:"
        )
        yield comment(
            f"  aws rolesanywhere update-profile --region {region} --profile-id {profile} --role-arns {given.role}"
        )
    if account.grants:
        yield comment(
            "Each repository that roles of other accounts pull from has to allow that, beside what its policy allows "
            "already; for one without a policy:"
        )
    # A command is useless without its end; it consists of ARNs and JSON, which have nothing that is not printable.
    yield from (f"#   {each.command()}" for each in account.grants)
