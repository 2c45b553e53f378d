"""The additional Secrets of the tests: their names are the same for all, because the fence of the tests names them."""

from collections.abc import Mapping
from typing import Any

ARGOCD = "tests-argocd"
BASIC = "tests-basic-auth"
_REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ADDITIONAL: tuple[Mapping[str, Any], ...] = (
    {"name": ARGOCD, "shape": "argocd-repo-creds", "registry": _REGISTRY, "namespaces": ["team-*"]},
    {"name": BASIC, "shape": "basic-auth", "registry": _REGISTRY, "namespaces": ["team-*"]},
)
SETTINGS: Mapping[str, Any] = {"additionalSecrets": list(map(dict, ADDITIONAL))}
