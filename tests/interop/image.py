"""An image made by hand, as small as they get: an OCI layout with one file in one layer."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

TAG = "1"
CONTENT = b"pulled\n"
_OCI = "application/vnd.oci.image"


def write_layout(folder: Path) -> Path:
    """Write the layout."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    tar = _tar()
    layer = _blob(folder, gzip.compress(tar, mtime=0), f"{_OCI}.layer.v1.tar+gzip")
    root = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]}
    config = _document(
        folder, {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": root}, f"{_OCI}.config.v1+json"
    )
    content = {"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", "config": config, "layers": [layer]}
    manifest = _document(folder, content, f"{_OCI}.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": TAG}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    return folder


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("proof")
        entry.size = len(CONTENT)
        tar.addfile(entry, io.BytesIO(CONTENT))
    return file.getvalue()


def _document(folder: Path, content: dict[str, Any], media_type: str) -> dict[str, Any]:
    return _blob(folder, json.dumps(content).encode(), media_type)


def _blob(folder: Path, content: bytes, media_type: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    (folder / "blobs" / "sha256" / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
