"""Which handler a request meets: resources and verbs, reviews, plain paths."""

from dataclasses import dataclass, field

from testsupport.fake_kube import discovery, status
from testsupport.fake_kube.calls import Call
from testsupport.fake_kube.deleting import Deleter
from testsupport.fake_kube.listing import Lister, Page
from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.rendering import Renderer, form_of
from testsupport.fake_kube.request_info import RequestRecord
from testsupport.fake_kube.resources import BY_NAME, GROUPS, REVIEWS, Resource
from testsupport.fake_kube.reviews import Reviews
from testsupport.fake_kube.selectors import selection
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.tables import Age
from testsupport.fake_kube.tokens import ISSUER, Tokens, User
from testsupport.fake_kube.versions import Version, dumps
from testsupport.fake_kube.writing import Writer

JSON = "application/json"
COLLECTION_VERBS = {"list", "watch", "create", "deletecollection"}
SUBRESOURCE_VERBS = {
    "status": {"get", "update", "patch"},
    "finalize": {"update"},
    "token": {"create"},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is complete."""

    code: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


PAGE_NOT_FOUND = Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The parts that answer requests."""

    store: Store
    tokens: Tokens
    lister: Lister
    writer: Writer
    deleter: Deleter
    reviews: Reviews

    def renderer(self, call: Call, accept: str) -> Renderer:
        """Choose the form of the answer."""
        return Renderer(call.resource, form_of(accept), Age(self.store.clock()))

    def resource(self, call: Call, accept: str) -> Answer:
        """Carry out any verb but watch, as one step for whoever looks at the store from another thread."""
        with self.store.lock:
            return self._resource(call, self.renderer(call, accept))

    def _resource(self, call: Call, renderer: Renderer) -> Answer:
        record = call.record
        match record.verb:
            case "list":
                return Answer(200, renderer.page(self.lister.list(call)))
            case "deletecollection":
                found = self.deleter.delete_collection(call, selection(call.resource, call.namespace, record.query))
                page = Page(versions=found, resource_version=self.store.resource_version)
                return Answer(200, renderer.page(page))
            case "get":
                return Answer(200, renderer.one(self._live(call)))
            case "delete":
                return _deleted(renderer, self.deleter.delete(call))
            case "create" if record.subresource == "token":
                account = self._live(call).object
                self.writer.check_namespace(call, record.name)
                token = self.reviews.token_request(account, call.body, record.content_type)
                return Answer(201, dumps(token))
        writes = {"create": self.writer.create, "update": self.writer.update, "patch": self.writer.patch}
        code, version = writes[record.verb](call)
        return Answer(code, renderer.one(version))

    def _live(self, call: Call) -> Version:
        version = self.store.version(call.resource.storage, call.key)
        if version is None:
            raise call.not_found()
        return version

    def review(self, record: RequestRecord, user: User, body: bytes) -> Answer:
        """Answer a review."""
        kind = REVIEWS[record.group, record.resource]
        return Answer(201, dumps(self.reviews.answer(kind, record, user, body)))

    def path(self, record: RequestRecord, url: str, accept: str) -> Answer:
        """Answer what is no resource."""
        path = record.path.rstrip("/") or "/"
        if record.method not in ("GET", "HEAD"):
            raise status.method_not_allowed()
        if path in ("/healthz", "/readyz", "/livez"):
            return Answer(200, b"ok", "text/plain; charset=utf-8")
        if path == "/openid/v1/jwks":
            return self._jwks(accept)
        document = self._document(path, url)
        return Answer(200, dumps(document)) if document is not None else PAGE_NOT_FOUND

    def _jwks(self, accept: str) -> Answer:
        media = "application/jwk-set+json"
        if accept and media not in accept and "*/*" not in accept:
            message = f"406: Not Acceptable\n\nAvailable representations: {media}"
            raise status.ApiError(406, "NotAcceptable", message, details={})
        return Answer(200, dumps(self.tokens.jwks()), media)

    def _document(self, path: str, url: str) -> Object | None:
        fixed = {
            "/version": discovery.VERSION,
            "/api": discovery.api_versions(url.removeprefix("https://")),
            "/apis": discovery.group_list(),
            "/openapi/v3": discovery.openapi_index(),
            "/.well-known/openid-configuration": _issuer(url),
        }
        if path in fixed:
            return fixed[path]
        match path.strip("/").split("/"):
            case ["api", version]:
                return discovery.resource_list("", version)
            case ["apis", group]:
                return discovery.group(group)
            case ["apis", group, version]:
                return discovery.resource_list(group, version)
            case ["openapi", "v3", *rest]:
                return discovery.openapi("/".join(rest))
        return None


def _issuer(url: str) -> Object:
    return {
        "issuer": ISSUER,
        "jwks_uri": f"{url}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def _deleted(renderer: Renderer, outcome: Version | Object) -> Answer:
    body = renderer.one(outcome) if isinstance(outcome, Version) else dumps(outcome)
    return Answer(200, body)


def find_resource(record: RequestRecord) -> Resource | None:
    """Find the resource of a request, or raise 404 or 405; None where not even the group exists."""
    if record.group and record.group not in GROUPS:
        return None
    resource = BY_NAME.get((record.group, record.version, record.resource))
    if resource is None or (record.subresource and record.subresource not in resource.subresources):
        raise status.no_such_resource()
    if resource.namespaced != bool(record.namespace) and (resource.namespaced or record.resource != "namespaces"):
        _check_across_namespaces(resource, record)
    _check_verb(resource, record)
    return resource


def _check_across_namespaces(resource: Resource, record: RequestRecord) -> None:
    if not resource.namespaced or record.verb in ("get", "update", "patch", "delete"):
        raise status.no_such_resource()
    if record.verb in ("create", "deletecollection"):
        raise status.method_not_allowed()


def _check_verb(resource: Resource, record: RequestRecord) -> None:
    verbs = set(resource.verbs)
    if record.subresource:
        verbs = SUBRESOURCE_VERBS[record.subresource]
    named = bool(record.name) and record.verb not in ("list", "watch", "deletecollection")
    misplaced = not record.subresource and named == (record.verb in COLLECTION_VERBS)
    if record.verb not in verbs or misplaced or record.method == "HEAD":
        raise status.method_not_allowed()


def is_review(record: RequestRecord) -> bool:
    """Tell whether a request is a review."""
    return (record.group, record.resource) in REVIEWS and record.version == "v1"
