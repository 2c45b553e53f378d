"""Requests that are answered and not stored: access and token reviews, TokenRequest."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from testsupport.fake_kube import decoding, status
from testsupport.fake_kube.objects import Object, metadata, rfc3339
from testsupport.fake_kube.rbac import Access, Rbac
from testsupport.fake_kube.request_info import RequestRecord
from testsupport.fake_kube.schema import json_type
from testsupport.fake_kube.status import ApiError, bad_request
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.tokens import ISSUER, Tokens, User

MIN_SECONDS = 600
MAX_SECONDS = 1 << 32


def read_body(body: bytes, content_type: str) -> Object:
    """Read a review's body."""
    try:
        sent = decoding.parse_body(body, content_type.partition(";")[0].strip())
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(sent, dict | None):
        raise bad_request(f"couldn't get version/kind; json parse error: json: cannot unmarshal {json_type(sent)}")
    return sent or {}


class Reviews:
    """Answers reviews and issues tokens."""

    def __init__(self, store: Store, rbac: Rbac, tokens: Tokens) -> None:
        self._store = store
        self._rbac = rbac
        self._tokens = tokens
        self._answers: dict[str, Callable[[User, Object], Object]] = {
            "SubjectAccessReview": self._subject_access_review,
            "SelfSubjectAccessReview": self._access_review,
            "SelfSubjectRulesReview": self._rules_review,
            "SelfSubjectReview": self._subject_review,
            "TokenReview": self._token_review,
        }

    def answer(self, kind: str, record: RequestRecord, user: User, body: bytes) -> Object:
        """Answer a review with its status filled in."""
        sent = read_body(body, record.content_type)
        spec = sent.get("spec") or {}
        result = self._answers[kind](user, spec)
        head = {"kind": kind, "apiVersion": f"{record.group}/{record.version}", "metadata": {}}
        return (
            {**head, "spec": spec, "status": result}
            if spec or kind != "SelfSubjectReview"
            else {**head, "status": result}
        )

    def _access_review(self, user: User, spec: Object) -> Object:
        wanted, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (wanted is None) == (path is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            error = status.invalid_value("spec.resourceAttributes", "null", why)
            raise status.invalid("authorization.k8s.io", "", "", [error])
        access = _path_access(path) if path is not None else _resource_access(wanted or {})
        reason = self._rbac.reason(user, access)
        return {"allowed": reason is not None} | ({"reason": reason} if reason else {})

    def _subject_access_review(self, _caller: User, spec: Object) -> Object:
        if not spec.get("user") and not spec.get("groups"):
            why = "at least one of user or group must be specified"
            raise status.invalid("authorization.k8s.io", "", "", [status.invalid_value("spec.user", '""', why)])
        subject = User(name=spec.get("user", ""), uid=spec.get("uid", ""), groups=tuple(spec.get("groups") or ()))
        return self._access_review(subject, spec)

    def _rules_review(self, user: User, spec: Object) -> Object:
        rules = self._rbac.rules(user, spec.get("namespace", ""))
        return {
            "resourceRules": [rule for rule in rules if not rule.get("nonResourceURLs")],
            "nonResourceRules": [rule for rule in rules if rule.get("nonResourceURLs")],
            "incomplete": False,
        }

    def _subject_review(self, user: User, _spec: Object) -> Object:
        return {"userInfo": _user_info(user)}

    def _token_review(self, _user: User, spec: Object) -> Object:
        audiences = spec.get("audiences") or [ISSUER]
        try:
            found = self._tokens.check(spec.get("token", ""), audiences)
        except ApiError:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": _user_info(found), "audiences": audiences}

    def token_request(self, account: Object, body: bytes, content_type: str) -> Object:
        """Issue a token for a ServiceAccount."""
        sent = read_body(body, content_type)
        if sent.get("kind", "TokenRequest") != "TokenRequest":
            unknown = f'no kind "{sent["kind"]}" is registered for version "authentication.k8s.io/v1" in scheme'
            raise bad_request(f'{sent["kind"]} in version "v1" cannot be handled as a TokenRequest: {unknown}')
        spec = sent.get("spec") or {}
        seconds = spec.get("expirationSeconds", 3600)
        _check_lifetime(seconds)
        audiences = spec.get("audiences") or [ISSUER]
        bound_to = self._bound_object(account, spec.get("boundObjectRef"))
        lifetime = timedelta(seconds=seconds)
        token, expires = self._tokens.issue(account, lifetime=lifetime, audiences=audiences, bound_to=bound_to)
        own = {name: metadata(account)[name] for name in ("name", "namespace", "uid")}
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": own | {"creationTimestamp": rfc3339(self._store.clock())},
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": rfc3339(expires)},
        }

    def _bound_object(self, account: Object, reference: Object | None) -> Object | None:
        """Complete a reference to a Secret or Pod with its uid, or raise 404."""
        if not reference:
            return None
        resource = f"{reference.get('kind', '').lower()}s"
        found = None
        if resource in ("secrets", "pods"):
            found = self._store.get(resource, metadata(account)["namespace"], reference.get("name", ""))
        if found is None:
            raise status.not_found("", resource, reference.get("name", ""))
        return {**reference, "uid": metadata(found)["uid"]}


def _check_lifetime(seconds: Any) -> None:
    why = ""
    if seconds < MIN_SECONDS:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > MAX_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        error = status.invalid_value("spec.expirationSeconds", str(seconds), why)
        raise status.invalid("authentication.k8s.io", "TokenRequest", "", [error])


def _resource_access(attributes: Object) -> Access:
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Access(**{field: attributes.get(field, "") for field in fields})


def _path_access(attributes: Object) -> Access:
    return Access(verb=attributes.get("verb", ""), path=attributes.get("path", "/"))


def _user_info(user: User) -> Object:
    info: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    return info | ({"extra": user.extra} if user.extra else {})
