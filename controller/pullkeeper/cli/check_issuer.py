"""The check of the cluster's issuer: whether AWS could verify the tokens of ServiceAccounts."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from pullkeeper.adapters.kubernetes.api_errors import ApiError
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.issuer import read_issuer, read_signing_keys
from pullkeeper.adapters.oidc_discovery import PublishedKeys, UnreachableIssuerError, WrongIssuerError, fetch_keys
from pullkeeper.cli.web_identity_file import read, token_file
from pullkeeper.domain.config.policy import NOBODY
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.iam.oidc_issuer import PublicKey, are_private, has_port, unpublished, unusable_url
from pullkeeper.domain.iam.web_identity import WebIdentity
from pullkeeper.domain.views.check_result import CheckResult, failed, passed, skipped, warned

CHECK = "issuer"
_UNUSED = "nothing here uses it"
_PAGE = "docs/outside-aws.md"
_PUBLISH = f"publish the key set again, see {_PAGE}"


async def check_issuer(client: ApiClient, settings: Settings, environment: Mapping[str, str]) -> Sequence[CheckResult]:
    """Fetch what AWS would, and compare it with what the tokens are signed with.

    The issuer is that of the controller's token, which may be another one than the API server, else the API server's.
    Where no web identity is used, nothing fails. What only AWS can know is a warning: the caller's check tells.
    """
    token = _token(settings, environment)
    try:
        cluster = await read_issuer(client)
        issuer = token.issuer if token else cluster
        judge = _Judge(printable(issuer, 255), is_used=_is_used(settings, environment))
        if why := unusable_url(issuer) or ("has a port, which IAM does not take" if has_port(issuer) else ""):
            return [judge.unknown(why, f"tokens need a public issuer, see {_PAGE}")]
        keys = await read_signing_keys(client) if issuer == cluster else frozenset[PublicKey]()
    except ApiError as error:
        return [skipped(CHECK, str(error))]
    return [await _fetched(judge, issuer, keys, token.key_id if token else "")]


async def _fetched(judge: "_Judge", issuer: str, keys: AbstractSet[PublicKey], key_id: str) -> CheckResult:
    try:
        published = await fetch_keys(issuer)
    except UnreachableIssuerError as error:
        fix = f"see from elsewhere, without a proxy: curl {judge.issuer.rstrip('/')}/.well-known/openid-configuration"
        return judge.unknown(f"cannot be reached from here, maybe by AWS: {error}", fix)
    except WrongIssuerError as error:
        return judge.wrong(f"is not what AWS needs: {error}")
    return judge.keys(published, keys, key_id)


class _Judge:
    """Says how bad a finding about an issuer is."""

    def __init__(self, issuer: str, *, is_used: bool) -> None:
        self.issuer = issuer
        self._is_used = is_used

    def wrong(self, detail: str) -> CheckResult:
        """Return what AWS refuses for certain."""
        found = f"{self.issuer} {detail}"
        return failed(CHECK, found, _PUBLISH) if self._is_used else warned(CHECK, f"{found}; {_UNUSED}", _PUBLISH)

    def unknown(self, detail: str, fix: str) -> CheckResult:
        """Return what AWS may see in another way."""
        found = f"{self.issuer} {detail}"
        return warned(CHECK, found, fix) if self._is_used else skipped(CHECK, f"{found}; {_UNUSED}")

    def keys(self, published: PublishedKeys, keys: AbstractSet[PublicKey], key_id: str) -> CheckResult:
        """Return what the published keys are worth; `keys` are the API server's, if it is the issuer."""
        if key_id and key_id not in {key.key_id for key in published.keys}:
            return self.wrong(f"does not publish the key of the controller's token, {key_id}")
        missing = unpublished(keys, published.keys)
        if keys and not keys & published.keys:
            return self.wrong(f"publishes none of the keys that the API server signs with ({missing})")
        if missing:
            detail = f"{self.issuer} does not publish all keys of the API server: what {missing} sign is refused"
            return warned(CHECK, detail, _PUBLISH)
        found = f"publishes {'all keys of the API server' if keys else 'the key of the token'}"
        if are_private(published.addresses):
            detail = f"{found}, but its name leads to a private network from here"
            return self.unknown(detail, "see from elsewhere whether the name is public")
        return passed(CHECK, f"{self.issuer} {found}")


def _is_used(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Return whether tokens are shown to AWS: the controller's, or those of ServiceAccounts."""
    own = bool(token_file(environment)) and settings.roles_anywhere is None
    return own or settings.policy.service_accounts != NOBODY


def _token(settings: Settings, environment: Mapping[str, str]) -> WebIdentity | None:
    """Return the controller's token, if there is one that can be read; the check of it says what is wrong with it."""
    path = "" if settings.roles_anywhere else token_file(environment)
    try:
        return read(path) if path else None
    except (OSError, ValueError):
        return None
