"""The check of the cluster's issuer: whether AWS could verify the tokens of ServiceAccounts."""

from collections.abc import Mapping, Sequence

from pullkeeper.adapters.kubernetes.api_errors import ApiError
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.issuer import read_issuer, read_signing_keys
from pullkeeper.adapters.oidc_discovery import PublishedKeys, UnreachableIssuerError, WrongIssuerError, fetch_keys
from pullkeeper.domain.config.policy import NOBODY
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.iam.oidc_issuer import are_private, has_port, unpublished, unusable_url
from pullkeeper.domain.views.check_result import CheckResult, failed, passed, skipped, warned

CHECK = "issuer"
_UNUSED = "nothing here uses it"
_PAGE = "docs/outside-aws.md"
_PUBLIC = f"give the API server a public issuer, see {_PAGE}"
_PUBLISH = f"publish the key set again, see {_PAGE}"


async def check_issuer(client: ApiClient, settings: Settings, environment: Mapping[str, str]) -> Sequence[CheckResult]:
    """Fetch what AWS would, and compare it with what the API server signs with.

    Where no web identity is used, nothing fails. What only AWS can know is a warning: the caller's check tells.
    """
    judge = _Judge(is_used=_is_used(settings, environment))
    try:
        issuer = await read_issuer(client)
        name = printable(issuer, 255)
        if why := unusable_url(issuer) or ("has a port, which IAM does not take" if has_port(issuer) else ""):
            return [judge.unknown(f"{name} {why}", _PUBLIC)]
        keys = await read_signing_keys(client)
    except ApiError as error:
        return [skipped(CHECK, str(error))]
    try:
        published = await fetch_keys(issuer)
    except UnreachableIssuerError as error:
        fix = f"see from elsewhere, without a proxy: curl {name.rstrip('/')}/.well-known/openid-configuration"
        return [judge.unknown(f"{name} cannot be reached from here, maybe by AWS: {error}", fix)]
    except WrongIssuerError as error:
        return [judge.wrong(f"{name}: {error}", _PUBLISH)]
    if not keys & published.keys:
        detail = f"{name} publishes none of the keys that the API server signs with ({unpublished(keys, frozenset())})"
        return [judge.wrong(detail, _PUBLISH)]
    return [judge.published(name, published, unpublished(keys, published.keys))]


class _Judge:
    """Says how bad a finding is."""

    def __init__(self, *, is_used: bool) -> None:
        self._is_used = is_used

    def wrong(self, detail: str, fix: str) -> CheckResult:
        """Return what AWS refuses for certain."""
        return failed(CHECK, detail, fix) if self._is_used else warned(CHECK, f"{detail}; {_UNUSED}", fix)

    def unknown(self, detail: str, fix: str) -> CheckResult:
        """Return what AWS may see in another way."""
        return warned(CHECK, detail, fix) if self._is_used else skipped(CHECK, f"{detail}; {_UNUSED}")

    def published(self, issuer: str, published: PublishedKeys, missing: str) -> CheckResult:
        """Return what is to be said of a key set of which something fits."""
        if missing:
            detail = f"{issuer} does not publish all keys of the API server: tokens signed with {missing} are refused"
            return warned(CHECK, detail, _PUBLISH)
        if are_private(published.addresses):
            detail = f"{issuer} publishes the keys of the API server, but its name leads to a private network from here"
            return self.unknown(detail, "see from elsewhere whether the name is public")
        return passed(CHECK, f"{issuer} publishes all keys of the API server")


def _is_used(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Return whether tokens of this issuer are shown to AWS: the controller's, or those of ServiceAccounts."""
    own = bool(environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")) and settings.roles_anywhere is None
    return own or settings.policy.service_accounts != NOBODY
