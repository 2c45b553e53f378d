"""Failures of AWS: who was refused what, where, by which cause, and the fix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors import aws_codes
from pullkeeper.domain.errors.aws_codes import AWS_CODES
from pullkeeper.domain.errors.causes import Cause, Raised
from pullkeeper.domain.errors.client_causes import CLIENT_CAUSES
from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.errors.text import printable

_STALE = frozenset((*aws_codes.EXPIRED, *aws_codes.UNKNOWN_KEY, *aws_codes.SIGNATURE, *aws_codes.LATE))
_STALE_WEB = frozenset(aws_codes.WEB_TOKEN)
_OF_ANY_PARTITION = frozenset((*aws_codes.UNKNOWN_KEY, *aws_codes.SIGNATURE, *aws_codes.INVALID, *aws_codes.WEB_TOKEN))
"""Codes with which AWS answers what belongs to another partition."""
_TOKEN = "GetAuthorizationToken"  # noqa: S105 -- the name of an operation
_NO_FIPS = "the registry's host or the environment demands FIPS, which few regions have an endpoint for; "
_CALLER = re.compile(r"arn:(?P<partition>[a-z-]+):[a-z]+::(?P<account>[0-9]{12}):")
_MAX_DETAIL_LENGTH, _MAX_FILE_LENGTH = 400, 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What was asked of AWS, by whom."""

    principal: str
    asked: str = ""
    """Service and host that were asked; "" if nothing was sent."""
    doing: str = ""
    """What the request was for; by default a token or credentials."""
    scope: TokenScope | None = None
    """Scope of the token that was requested from ECR."""
    partitions: tuple[str, str] = ("", "")
    """Partition of the principal and that of the host; "" where it is not known."""

    @property
    def context(self) -> str:
        """What was done as whom."""
        default = f"requesting a token from ECR in {self.scope.region}" if self.scope else "getting credentials"
        return f"{self.doing or default} as {self.principal}"

    def refusal(self, operation: str, code: str) -> str:
        """Who refused what to whom."""
        if self.scope is None:
            return f"{self.asked or 'STS'} refused {operation} for {self.principal} ({code})"
        name = f"ECR{' Public' if self.scope.public else ''}"
        return f"{name} refused {operation} for {self.principal} in {self.scope.region} ({code})"


def is_stale_credential(code: str) -> bool:
    """Return whether new credentials may help, so that one more attempt is worthwhile; botocore does not retry."""
    return code in _STALE or code in _STALE_WEB


def is_ambiguous_refusal(code: str) -> bool:
    """Return whether a region in which the account is not enabled answers valid credentials with this code as well."""
    return code in aws_codes.UNKNOWN_KEY


def is_disabled_region(code: str) -> bool:
    """Return whether STS says that the account has not enabled the region in which it was asked."""
    return code in aws_codes.DISABLED


def region_not_enabled(scope: TokenScope, principal: str, caller_arn: str, code: str, *, partition: str) -> Failure:
    """Return the failure for credentials that STS accepts and ECR in a region does not know.

    `caller_arn` is what STS says of them, `partition` that of the region.
    """
    caller = _CALLER.match(caller_arn)
    own, account = (caller["partition"], f"account {caller['account']}") if caller else (partition, "their account")
    reason, fix = Reason.REGION_NOT_ENABLED, f"enable the region in {account}, or correct the registry's host"
    if own != partition:
        reason = Reason.PARTITION_MISMATCH
        fix = f"they are of partition {own}, the region is of {partition}: use an identity of that partition"
    what = f"ECR refused {_TOKEN} for {principal} in {scope.region} ({code})"
    return Failure(reason=reason, message=f"{what}, although STS knows the credentials: {fix}")


def partition_mismatch(scope: TokenScope, principal: str, own: str, theirs: str) -> Failure:
    """Return the failure for credentials of one partition and a registry of another; no call has been made."""
    message = (
        f"the credentials of {principal} are of partition {own}, {scope.region} is of {theirs}: use an identity of "
        "that partition (`identities` in the settings)"
    )
    return Failure(reason=Reason.PARTITION_MISMATCH, message=message)


def explain(request: Request, operation: str, code: str, message: str) -> Failure:
    """Return the failure for an error from AWS: what was refused for whom, and the fix; `message` is AWS's."""
    own, theirs = request.partitions
    is_foreign = bool(own and theirs) and own != theirs and code in _OF_ANY_PARTITION
    names = ("PartitionMismatch",) if is_foreign else _names(code)
    cause = AWS_CODES.find(Raised(names=names, operation=operation, words=message))
    allowed = actions(request.scope) if request.scope else operation
    values = _values(request, operation=operation, actions=allowed, own=f"{own}, the host of {theirs}")
    # Only the first line: for an invalid signature AWS then quotes the whole request, including the session token.
    detail = printable(message.partition("\n")[0], _MAX_DETAIL_LENGTH) if _is_of_aws(cause) else ""
    return Failure(
        reason=cause.reason, message=f"{request.refusal(operation, code)}: {cause.text(values)}", detail=detail
    )


def _names(code: str) -> tuple[str, ...]:
    """Return what a code is known by: a status by its first digit as well."""
    return (code, f"{code[0]}xx") if code.isdecimal() else (code,)


def explain_raised(request: Request, raised: Raised, *, own: str, file: str, detail: str) -> Failure:
    """Return the failure for an exception of a library.

    `own` is what the program's own exception says, `file` what was to be read, "" where that is not known. `detail` is
    shown if the cause's words are safe to show.
    """
    cause = CLIENT_CAUSES.find(raised)
    values = _values(request, own=own, file=printable(file, _MAX_FILE_LENGTH) or "its name is not known")
    message = f"{request.context}: {raised.names[0]}: {cause.text(values)}"
    return Failure(
        reason=cause.reason,
        message=message,
        detail=printable(detail.partition("\n")[0], _MAX_DETAIL_LENGTH) if cause.shows_words else "",
    )


def _is_of_aws(cause: Cause) -> bool:
    """Whether it is AWS that speaks: pages of proxies say nothing to anybody."""
    return cause.reason is not Reason.MALFORMED_ANSWER


def _values(request: Request, **others: str) -> Mapping[str, str]:
    demands_fips = (request.scope is not None and request.scope.fips) or "fips" in request.asked
    return {
        "fips": _NO_FIPS if demands_fips else "",
        "asked": request.asked or "the service",
        **others,
    }


def actions(scope: TokenScope) -> str:
    """Return the IAM actions needed to fetch a token."""
    if scope.public:
        return "ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"
    return "ecr:GetAuthorizationToken"
