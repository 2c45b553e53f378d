"""The two protocols on the wire: JSON 1.1 (ECR, ECR Public) and query with XML answers (STS)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET

from aiohttp import web

from testsupport.fake_aws.errors import AwsError

STS_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"
JSON_CONTENT: Final = "application/x-amz-json-1.1"
XML_CONTENT: Final = "text/xml"


def utc_text(moment: datetime) -> str:
    """Give the timestamp form of XML answers and of the metadata endpoints, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_answer(body: object) -> web.Response:
    """Give a JSON 1.1 success."""
    return web.Response(
        body=json.dumps(body).encode(),
        content_type=JSON_CONTENT,
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
    )


def xml_answer(operation: str, result: Mapping[str, object]) -> web.Response:
    """Give a query protocol success: the result in its wrapper."""
    root = ET.Element(f"{operation}Response", xmlns=STS_NAMESPACE)
    _fill(ET.SubElement(root, f"{operation}Result"), result)
    _fill(root, {"ResponseMetadata": {"RequestId": str(uuid.uuid4())}})
    return _xml(root, 200)


def error_answer(service: str, error: AwsError) -> web.Response:
    """Give an error in the protocol of the service."""
    return _xml_error(error) if service == "sts" else _json_error(error)


def _json_error(error: AwsError) -> web.Response:
    body = json.dumps({"__type": error.code, "message": error.message})
    return web.Response(
        body=body.encode(),
        status=error.status,
        content_type=JSON_CONTENT,
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
    )


def _xml_error(error: AwsError) -> web.Response:
    root = ET.Element("ErrorResponse", xmlns=STS_NAMESPACE)
    side = "Sender" if error.status < 500 else "Receiver"
    _fill(root, {"Error": {"Type": side, "Code": error.code, "Message": error.message}})
    _fill(root, {"RequestId": str(uuid.uuid4())})
    return _xml(root, error.status)


def _fill(parent: ET.Element, tree: Mapping[str, object]) -> None:
    for name, value in tree.items():
        child = ET.SubElement(parent, name)
        if isinstance(value, Mapping):
            _fill(child, value)
        else:
            child.text = str(value)


def _xml(root: ET.Element, status: int) -> web.Response:
    return web.Response(body=ET.tostring(root), status=status, content_type=XML_CONTENT)
