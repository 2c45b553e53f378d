"""From the bytes of a request to the typed object they stand for, defaults filled in."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import yaml

from testsupport.fake_kube import protobuf
from testsupport.fake_kube.objects import Object, metadata, with_metadata
from testsupport.fake_kube.resources import RBAC_GROUP, Resource
from testsupport.fake_kube.schema import DecodeError, Decoder
from testsupport.fake_kube.status import ApiError, bad_request, quoted

ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


class PlainLoader(yaml.SafeLoader):
    """Reads YAML into what JSON can hold: a timestamp stays the text that it is."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_json(raw: bytes) -> Any:
    """Read JSON, or raise ValueError."""
    try:
        return json.loads(raw)
    except ValueError:
        raise ValueError(go_json_error(raw)) from None


def go_json_error(raw: bytes) -> str:
    """Say of a text that is no JSON what Go says."""
    text = raw.decode(errors="replace").lstrip()
    if not text or text[0] in '{["':
        return "unexpected end of JSON input"
    return f"invalid character '{text[0]}' looking for beginning of value"


def parse_yaml(raw: bytes) -> Any:
    """Read YAML (or JSON, which is the same faster), or raise ValueError."""
    try:
        return json.loads(raw)
    except ValueError:
        try:
            return yaml.load(raw, Loader=PlainLoader)  # noqa: S506 -- it is a SafeLoader
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or str(error)
            raise ValueError(f"error converting YAML to JSON: yaml: {problem}") from None


def parse_body(raw: bytes, media_type: str) -> Any:
    """Read any body, or raise ValueError; one of no known type is JSON."""
    match media_type:
        case "application/yaml":
            return parse_yaml(raw)
        case protobuf.MEDIA_TYPE:
            return protobuf.read(raw)
    return parse_json(raw)


def read_object(resource: Resource, raw: bytes, content_type: str, query: Mapping[str, str]) -> Object:
    """Decode the body of a create or an update into the form that is stored."""
    sent = _parse(resource.kind, raw, content_type)
    _check_type(resource, sent)
    try:
        return finish(resource, sent, strict=query.get("fieldValidation") == "Strict")
    except DecodeError as error:
        message = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {error}'
        raise bad_request(message) from None


def _parse(kind: str, raw: bytes, content_type: str) -> Object:
    media = content_type.partition(";")[0].strip()
    if media not in ("", "application/json", "application/yaml", protobuf.MEDIA_TYPE):
        message = f"the body of the request was in an unknown format - accepted media types include: {ACCEPTED}"
        raise ApiError(415, "UnsupportedMediaType", message)
    try:
        sent = parse_body(raw, media)
    except ValueError as error:
        problem = f"couldn't get version/kind; json parse error: {error}"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {problem}") from None
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): not an object")
    return sent


def _check_type(resource: Resource, sent: Object) -> None:
    kind, version = sent.get("kind") or resource.kind, sent.get("apiVersion") or resource.api_version
    if kind != resource.kind:
        why = f"converting (v1.{kind}) to (core.{resource.kind}): unknown conversion"
        raise bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}')
    if version != resource.api_version:
        expected = f"the expected API version ({resource.api_version})"
        raise bad_request(f"the API version in the data ({version}) does not match {expected}")


def finish(resource: Resource, sent: Object, *, strict: bool = False) -> Object:
    """Do what decoding into the typed object does: known fields only, defaults, conversions."""
    decoder = Decoder(resource.kind)
    decoded = decoder.struct(resource.schema, sent)
    decoded.setdefault("metadata", {})
    if strict and decoder.unknown:
        fields = ", ".join(f"unknown field {quoted(field)}" for field in decoder.unknown)
        raise DecodeError(f"strict decoding error: {fields}")
    head: Object = {"kind": resource.kind, "apiVersion": resource.api_version}
    return _with_defaults(resource, head | decoded)


def _with_defaults(resource: Resource, obj: Object) -> Object:
    match resource.kind:
        case "Secret":
            return _secret(obj)
        case "Namespace":
            return name_label(obj)
        case "RoleBinding" | "ClusterRoleBinding":
            return _binding(obj)
    return obj


def _secret(obj: Object) -> Object:
    """Move stringData into data and fill in the type."""
    plain = obj.pop("stringData", {})
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
    data = obj.get("data", {}) | encoded
    return obj | ({"data": data} if data else {}) | {"type": obj.get("type") or "Opaque"}


def name_label(obj: Object) -> Object:
    """Give a namespace the label with its own name."""
    name = metadata(obj).get("name")
    if not name:
        return obj
    labels = {**(metadata(obj).get("labels") or {}), "kubernetes.io/metadata.name": name}
    return with_metadata(obj, labels=labels)


def _binding(obj: Object) -> Object:
    def completed(reference: Object) -> Object:
        needs_group = reference.get("kind") in ("User", "Group", "Role", "ClusterRole")
        return reference | ({"apiGroup": reference.get("apiGroup") or RBAC_GROUP} if needs_group else {})

    binding = obj | {"roleRef": completed(obj.get("roleRef", {}))}
    if "subjects" in obj:
        binding["subjects"] = [completed(subject) for subject in obj["subjects"]]
    return binding
