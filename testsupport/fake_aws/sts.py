"""STS: GetCallerIdentity, AssumeRole, AssumeRoleWithWebIdentity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from testsupport.fake_aws.arns import account_of, partition_of
from testsupport.fake_aws.endpoints import Endpoint
from testsupport.fake_aws.errors import AwsError, access_denied, foreign_arn, region_disabled, unknown_operation
from testsupport.fake_aws.iam import Directory, Role
from testsupport.fake_aws.oidc import Providers, WebIdentity
from testsupport.fake_aws.records import Session
from testsupport.fake_aws.requests import ApiRequest
from testsupport.fake_aws.sessions import SessionStore
from testsupport.fake_aws.sts_parameters import check_parameters, session_life, session_tags
from testsupport.fake_aws.wire import utc_text, xml_answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Sts:
    """The Security Token Service of the fake."""

    directory: Directory
    sessions: SessionStore
    providers: Providers
    disabled_regions: set[str]
    rejected_subjects: set[str]

    async def answer(self, request: ApiRequest, life: timedelta | None) -> web.Response:
        """Serve one request; `life` overrides that of the credentials. Raises AwsError."""
        if request.operation == "AssumeRoleWithWebIdentity":
            return await self._assume_with_web_identity(request, life)
        caller = self.sessions.authenticate(request.endpoint, request.signature)
        self._check_region(request.endpoint, caller.principal.account)
        if request.operation == "GetCallerIdentity":
            who = caller.principal
            return xml_answer(request.operation, {"Arn": who.arn, "UserId": who.user_id, "Account": who.account})
        if request.operation == "AssumeRole":
            return self._assume(request, caller, life)
        raise unknown_operation("sts", request.operation)

    def _assume(self, request: ApiRequest, caller: Session, life: timedelta | None) -> web.Response:
        arn = _role_arn(request)
        role = self.directory.role(arn)
        for action, context in _wanted(request):
            if role is None or not self.directory.may_assume(caller.principal, role, action, context):
                # The same words whether the role exists or not, as AWS keeps that to itself.
                raise access_denied("sts", action, caller.principal.arn, arn)
        assert role is not None
        chained = caller.principal.role_arn is not None
        asked = session_life(request.parameters, role, chained=chained)
        source = request.text("SourceIdentity")
        extra = {"SourceIdentity": source} if source else {}
        return self._granted(request, role, asked if life is None else life, extra)

    async def _assume_with_web_identity(self, request: ApiRequest, life: timedelta | None) -> web.Response:
        arn = _role_arn(request)
        self._check_region(request.endpoint, account_of(arn))
        identity = await self.providers.verify(request.text("WebIdentityToken") or "")
        self._check_not_rejected(identity)
        role = self.directory.role(arn)
        if role is None or not self.directory.trusts_web_identity(role, identity):
            raise access_denied("sts", "sts:AssumeRoleWithWebIdentity", None)
        asked = session_life(request.parameters, role, chained=False)
        return self._granted(request, role, asked if life is None else life, _claims(role, identity))

    def _check_region(self, endpoint: Endpoint, account: str) -> None:
        if endpoint.region in self.disabled_regions:
            raise region_disabled(account)

    def _check_not_rejected(self, identity: WebIdentity) -> None:
        if identity.subject in self.rejected_subjects:
            message = "The identity provider (IdP) reported that authentication failed: the claim was revoked"
            raise AwsError("IDPRejectedClaim", 403, message)

    def _granted(self, request: ApiRequest, role: Role, life: timedelta, extra: Mapping[str, object]) -> web.Response:
        session = self.sessions.open(role.arn, role.role_id, request.text("RoleSessionName") or "", life)
        who = session.principal
        result = {
            "AssumedRoleUser": {"AssumedRoleId": who.user_id, "Arn": who.arn},
            "Credentials": _credentials(session),
            **extra,
        }
        return xml_answer(request.operation, result)


def _role_arn(request: ApiRequest) -> str:
    """Give the role of a request whose parameters are in order; raises AwsError where they are not."""
    check_parameters(request.operation, request.parameters)
    arn = str(request.parameters["RoleArn"])
    if arn.count(":") < 5 or partition_of(arn) != request.endpoint.partition:
        raise foreign_arn()
    return arn


def _wanted(request: ApiRequest) -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    """Give the actions that a request for a session needs, with the keys that policies may ask for."""
    tags = session_tags(request.parameters)
    named = {"sts:ExternalId": request.text("ExternalId"), "sts:SourceIdentity": request.text("SourceIdentity")}
    context = {
        **{key: [value] if value else [] for key, value in named.items()},
        **{f"aws:RequestTag/{key}": [value] for key, value in tags},
        "aws:TagKeys": [key for key, _ in tags],
    }
    yield "sts:AssumeRole", context
    if tags:
        yield "sts:TagSession", context
    if named["sts:SourceIdentity"]:
        yield "sts:SetSourceIdentity", context


def _claims(role: Role, identity: WebIdentity) -> Mapping[str, object]:
    partition, account = partition_of(role.arn), account_of(role.arn)
    provider = f"arn:{partition}:iam::{account}:oidc-provider/{identity.issuer.removeprefix('https://')}"
    return {
        "SubjectFromWebIdentityToken": identity.subject,
        "Audience": identity.audience,
        "Provider": provider,
    }


def _credentials(session: Session) -> Mapping[str, object]:
    if session.expires_at is None:
        raise ValueError("only role sessions go over the wire")
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": utc_text(session.expires_at),
    }
