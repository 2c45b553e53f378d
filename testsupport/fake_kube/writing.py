"""Create, update, patch and apply: from a request to the next version in the store."""

import uuid
from dataclasses import replace

from testsupport.fake_kube import preparing, status, validation
from testsupport.fake_kube.admission import CREATE, UPDATE, Admission
from testsupport.fake_kube.calls import APPLY, PATCH_TYPES, Call, name_mismatch
from testsupport.fake_kube.managed_fields import Ownership
from testsupport.fake_kube.objects import Key, Object, metadata, rfc3339, with_metadata
from testsupport.fake_kube.rbac import Rbac, access_of
from testsupport.fake_kube.request_info import TRUE
from testsupport.fake_kube.status import ApiError, bad_request
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.versions import Version

Written = tuple[int, Version]


class Writer:
    """Performs writes on the store."""

    def __init__(self, store: Store, rbac: Rbac, admission: Admission) -> None:
        self._store = store
        self._rbac = rbac
        self._admission = admission

    def create(self, call: Call) -> Written:
        """Create from a POST."""
        call.check_options("CreateOptions")
        sent = self._placed(call, call.sent_object())
        if metadata(sent).get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        return 201, self._create(call, self._tracked(call, {}, sent))

    def update(self, call: Call) -> Written:
        """Replace from a PUT; some kinds come into being by it."""
        call.check_options("UpdateOptions")
        sent = self._placed(call, call.sent_object())
        name = metadata(sent).get("name", "")
        if name != call.record.name:
            raise name_mismatch(name, call.record.name)
        live = self._store.version(call.resource.storage, call.key)
        if live is None:
            return self._create_by_update(call, sent)
        if not call.resource.unconditional_update and not metadata(sent).get("resourceVersion"):
            error = status.invalid_value("metadata.resourceVersion", "0", "must be specified for an update")
            raise status.invalid(call.resource.group, call.resource.plural, call.key.name, [error])
        self._check_uid(call, sent, live)
        return 200, self._replace(call, live, sent, manage=True)

    def patch(self, call: Call) -> Written:
        """Apply a patch of any of the four types."""
        if call.media_type not in PATCH_TYPES:
            raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
        call.check_options("PatchOptions")
        if call.media_type == APPLY:
            return self._apply(call)
        live = self._store.version(call.resource.storage, call.key)
        if live is None:
            raise call.not_found()
        sent = self._placed(call, call.patched(call.resource.from_storage(live.object)))
        if metadata(sent).get("name", "") != call.record.name:
            raise name_mismatch(metadata(sent).get("name", ""), call.record.name)
        return 200, self._replace(call, live, sent, manage=True)

    def _apply(self, call: Call) -> Written:
        config = call.apply_configuration()
        live = self._store.version(call.resource.storage, call.key)
        call.check_apply_identity(config, live)
        merged = self._ownership(call).apply(
            self._view(call, live.object) if live else {},
            config,
            call.manager("Apply"),
            rfc3339(self._store.clock()),
            force=call.record.query.get("force") in TRUE,
        )
        sent = self._placed(call, call.finish_patched(merged))
        if live:
            return 200, self._replace(call, live, sent, manage=False)
        self.check_namespace(call, call.record.name)
        self._rbac.require(call.user, replace(access_of(call.record), verb="create"))
        return 201, self._create(call, with_metadata(sent, name=call.record.name))

    def _create_by_update(self, call: Call, sent: Object) -> Written:
        if not call.resource.create_on_update or metadata(sent).get("resourceVersion"):
            raise call.not_found()
        self._rbac.require(call.user, replace(access_of(call.record), verb="create"))
        return 201, self._create(call, self._tracked(call, {}, sent))

    def _create(self, call: Call, sent: Object) -> Version:
        resource = call.resource
        obj = preparing.prepared_for_create(resource, sent)
        name = metadata(obj).get("name", "")
        self.check_namespace(call, name)
        stored = resource.to_storage(obj)
        validation.check_create(resource, stored)
        self._admission.check(call, CREATE)
        if not call.dry_run:
            return self._store.insert(resource.storage, stored)
        if self._store.version(resource.storage, Key(call.namespace, name)):
            raise status.already_exists(resource.group, resource.plural, name)
        now = rfc3339(self._store.clock())
        return Version(with_metadata(stored, uid=str(uuid.uuid4()), creationTimestamp=now))

    def _replace(self, call: Call, live: Version, sent: Object, *, manage: bool) -> Version:
        """Store the next version, unless nothing but the time of a manager would change."""
        resource, current = call.resource, str(live.resource_version)
        sent_version = metadata(sent).get("resourceVersion", current)
        if not sent_version.isdigit():
            raise ApiError(500, "", f'strconv.ParseUint: parsing "{sent_version}": invalid syntax')
        if sent_version not in (current, "0"):
            raise status.conflict(resource.group, resource.plural, call.key.name)
        shown = self._view(call, live.object)
        sent = preparing.reset(resource, call.record.subresource, sent, shown)
        if manage:
            sent = self._tracked(call, shown, sent)
        obj = resource.to_storage(preparing.with_kept_metadata(sent, live.object))
        validation.check_update(resource, obj, live.object)
        self._admission.check(call, UPDATE)
        if preparing.same_but_times(obj, live.object):
            return live
        if call.dry_run:
            return Version(obj)
        if "deletionTimestamp" in metadata(obj) and not preparing.is_held(obj):
            self._store.remove(resource.storage, call.key, obj)
            return Version(obj)
        return self._store.write(resource.storage, obj)

    def _view(self, call: Call, stored: Object) -> Object:
        """Show a stored object as this version of the API, without fields that are written only for form."""
        shown = call.resource.from_storage(stored)
        view = {name: value for name, value in shown.items() if value not in (None, {}, "")}
        return view | {"kind": call.resource.kind, "apiVersion": call.resource.api_version}

    def _tracked(self, call: Call, live: Object, sent: Object) -> Object:
        now = rfc3339(self._store.clock())
        return self._ownership(call).update(live, sent, call.manager("Update"), now)

    def _ownership(self, call: Call) -> Ownership:
        status_resets = call.resource.kind == "Namespace" and not call.record.subresource
        return Ownership(call.resource.schema, (("f:status",),) if status_resets else ())

    def _placed(self, call: Call, sent: Object) -> Object:
        """Put the object into the namespace of the path."""
        if metadata(sent).get("namespace", call.namespace) != call.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        return with_metadata(sent, namespace=call.namespace or None)

    def _check_uid(self, call: Call, sent: Object, live: Version) -> None:
        uid, own = metadata(sent).get("uid"), metadata(live.object)["uid"]
        if uid and uid != own:
            path = f"/registry/{call.resource.plural}/{call.key.path()}"
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"
            error = f"StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
            raise status.conflict(call.resource.group, call.resource.plural, call.key.name, error)

    def check_namespace(self, call: Call, name: str) -> None:
        """Refuse content for a namespace that is missing or on its way out."""
        if not call.resource.namespaced:
            return
        namespace = self._store.get("namespaces", "", call.namespace)
        if namespace is None:
            raise status.not_found("", "namespaces", call.namespace)
        if "deletionTimestamp" in metadata(namespace):
            raise preparing.terminating(call.resource, call.namespace, name)
