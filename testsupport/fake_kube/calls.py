"""A write request before it meets the store: whose it is, what it says, whether it is well formed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testsupport.fake_kube import decoding, patches, status
from testsupport.fake_kube.managed_fields import Manager
from testsupport.fake_kube.objects import Key, Object, metadata
from testsupport.fake_kube.request_info import RequestRecord
from testsupport.fake_kube.resources import Resource
from testsupport.fake_kube.schema import DecodeError, json_type, misfits
from testsupport.fake_kube.status import ApiError, FieldError, bad_request
from testsupport.fake_kube.tokens import User
from testsupport.fake_kube.versions import Version, dumps

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
PATCH_TYPES = {APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authorized request for a resource, with its body."""

    record: RequestRecord
    resource: Resource
    user: User
    body: bytes = b""

    @property
    def namespace(self) -> str:
        """Give the namespace; the path of a Namespace object looks like one but is none."""
        return self.record.namespace if self.resource.namespaced else ""

    @property
    def key(self) -> Key:
        """Give the key of the object that the path names."""
        return Key(self.namespace, self.record.name)

    @property
    def dry_run(self) -> bool:
        """Tell whether nothing is to be stored."""
        return "dryRun" in self.record.query

    @property
    def media_type(self) -> str:
        """Give the content type without its parameters."""
        return self.record.content_type.partition(";")[0].strip()

    def manager(self, operation: str) -> Manager:
        """Name the writer for ownership: the fieldManager parameter, or the client's own name."""
        name = self.record.query.get("fieldManager") or self.record.user_agent.partition("/")[0] or "unknown"
        return Manager(name, operation, self.resource.api_version, self.record.subresource)

    def not_found(self) -> ApiError:
        """Say that the object of the path is not there."""
        return status.not_found(self.resource.group, self.resource.plural, self.key.name)

    def sent_object(self) -> Object:
        """Decode the body as a whole object."""
        return decoding.read_object(self.resource, self.body, self.record.content_type, self.record.query)

    def patched(self, live: Object) -> Object:
        """Apply the body, a patch that is no apply, to the live object."""
        patch = self._patch_document()
        if self.media_type != JSON_PATCH and not isinstance(patch, dict):
            why = f"json: cannot unmarshal {json_type(patch)} into Go value of type map[string]interface {{}}"
            raise bad_request(f"error decoding patch: {why}")
        match self.media_type:
            case "application/json-patch+json":
                patched = patches.json_patch(live, patch)
            case "application/merge-patch+json":
                patched = patches.merge_patch(live, patch)
            case _:
                patched = patches.strategic_merge_patch(live, patch)
        return self.finish_patched(patched)

    def _patch_document(self) -> Any:
        try:
            return decoding.parse_json(self.body)
        except ValueError as error:
            raise bad_request(f"error decoding patch: {error}") from None

    def finish_patched(self, patched: Any) -> Object:
        """Decode the outcome of a patch; what does not decode is the patch's fault (422)."""
        if not isinstance(patched, dict):
            raise _bad_patch(patched, "couldn't get version/kind; json parse error")
        if patched.get("kind", self.resource.kind) != self.resource.kind:
            why = f"converting (v1.{patched['kind']}) to (core.{self.resource.kind}): unknown conversion"
            raise _bad_patch(patched, why)
        try:
            strict = self.record.query.get("fieldValidation") == "Strict"
            return decoding.finish(self.resource, patched, strict=strict)
        except DecodeError as error:
            raise _bad_patch(patched, str(error)) from None

    def apply_configuration(self) -> Object:
        """Read and check an apply configuration."""
        config = self._apply_document()
        kind, version = (str(config.get(field, "")) for field in ("kind", "apiVersion"))
        if (kind, version) != (self.resource.kind, self.resource.api_version):
            group, _, short = version.rpartition("/")
            raise bad_request(f"invalid object type: {group}/{short}, Kind={kind}")
        problem = next(misfits(self.resource.schema, config), None)
        if problem:
            meta = config["metadata"] if isinstance(config.get("metadata"), dict) else {}
            where = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group_kind(version, kind)}"
            raise ApiError(500, "", f"failed to create typed patch object ({where}): {problem}")
        if metadata(config).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if metadata(config).get("name", self.record.name) != self.record.name:
            raise name_mismatch(metadata(config)["name"], self.record.name)
        return config

    def _apply_document(self) -> Object:
        try:
            config = decoding.parse_yaml(self.body)
        except ValueError as error:
            raise bad_request(f"error decoding YAML: {error}") from None
        if config is None:
            return {}
        if not isinstance(config, dict):
            why = "json: cannot unmarshal array into Go value of type map[string]interface {}"
            raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
        return config

    def check_apply_identity(self, config: Object, live: Version | None) -> None:
        """Hold an apply that names a uid to the object with that uid."""
        uid = metadata(config).get("uid")
        if uid and live is None:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise status.conflict(self.resource.group, self.resource.plural, self.key.name, why)

    def check_options(self, kind: str) -> None:
        """Refuse options (of CreateOptions, PatchOptions …) with values that there are not."""
        errors = list(self._patch_option_errors()) if kind == "PatchOptions" else []
        errors += self._option_errors()
        if errors:
            raise status.invalid("meta.k8s.io", kind, "", errors)

    def _option_errors(self) -> Iterator[FieldError]:
        query = self.record.query
        if query.get("dryRun", "All") != "All":
            yield status.unsupported("dryRun", f'["{query["dryRun"]}"]', '"All"')
        validation = query.get("fieldValidation", "")
        if validation not in ("", "Ignore", "Strict", "Warn"):
            yield status.unsupported("fieldValidation", status.quoted(validation), '"", "Ignore", "Strict", "Warn"')

    def _patch_option_errors(self) -> Iterator[FieldError]:
        query, is_apply = self.record.query, self.media_type == APPLY
        if "force" in query and not is_apply:
            yield status.forbidden_field("force", "may not be specified for non-apply patch")
        if is_apply and not query.get("fieldManager"):
            yield status.required("fieldManager", "is required for apply patch")


def group_kind(version: str, kind: str) -> str:
    """Apply a GroupVersionKind as Go prints it."""
    group, _, short = version.rpartition("/")
    return f"{group}/{short}, Kind={kind}"


def name_mismatch(sent: str, path: str) -> ApiError:
    """Say that body and URL disagree."""
    return bad_request(f"the name of the object ({sent}) does not match the name on the URL ({path})")


def _bad_patch(patched: Any, why: str) -> ApiError:
    error = status.invalid_value("patch", status.quoted(dumps(patched).decode()), why)
    failure = status.invalid("", "", "", [error])
    assert failure.details is not None
    failure.details.pop("name", None)
    return failure
