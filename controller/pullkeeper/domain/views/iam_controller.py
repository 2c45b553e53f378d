"""The controller's identities as roles of IAM, and what takes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pullkeeper.domain.config.own_sources import WebIdentityFile
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.iam.oidc_issuer import has_port, is_internal
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere


@dataclass(frozen=True, kw_only=True, slots=True)
class Controller:
    """One of the controller's identities: a role, and what it takes it with. The one without a name has the others."""

    role: RoleArn
    issuer: str
    """URL of the cluster's issuer; "" if it is not known and nobody takes a role with its tokens."""
    subject: str
    """`system:serviceaccount:NAMESPACE:NAME`, which takes the role with a token of the issuer."""
    audience: str
    anywhere: RolesAnywhere | None = None
    """IAM Roles Anywhere, in the ServiceAccount's place."""
    certificate_name: str = ""
    """Common name of the certificate that it has there; "" for any."""
    named: Mapping[str, "Controller"] = field(default_factory=dict)
    """The identities that the settings name, as far as they say which role it is."""

    @property
    def every(self) -> Sequence["Controller"]:
        """All whose role is known."""
        return (self, *self.named.values())

    def of(self, identity: Identity) -> "Controller | None":
        """Return one of the controller's identities; None if only its credentials tell who it is."""
        return self.named.get(identity.own_name) if identity.own_name else self

    def owner(self, role: RoleArn) -> str:
        """Return whose role it is, for people."""
        names = [name for name, each in self.named.items() if each.role == role]
        return "The controller's own" if self.role == role else f"The controller's identity {listed(names)}"

    def problems(self) -> Iterator[str]:
        """Return what may keep AWS from believing its tokens, or let it believe others."""
        yield from (
            f"{each.role} can be taken with any certificate below the trust anchor {each.anywhere.trust_anchor}: "
            "say with --certificate-name which one it is"
            for each in self.every
            if each.anywhere and not each.certificate_name
        )
        if self.issuer and is_internal(self.issuer):
            yield f"the name of the issuer {self.issuer} looks internal: AWS has to fetch its key set"
        if has_port(self.issuer):
            yield f"the issuer {self.issuer} has a port, which IAM does not want in the URL of a provider"


def with_identities(controller: Controller, policy: Policy, certificate_names: Mapping[str, str]) -> Controller:
    """Return the controller with the identities that the settings name; `certificate_names` is by their names."""
    named: dict[str, Controller] = {}
    for each in policy.identities:
        source, name = each.source, certificate_names.get(each.name, "")
        if isinstance(source, WebIdentityFile):
            named[each.name] = replace(controller, role=source.role, audience=source.audience, anywhere=None)
        elif isinstance(source, RolesAnywhere):
            named[each.name] = replace(controller, role=source.role, anywhere=source, certificate_name=name)
    return replace(controller, named=named)
