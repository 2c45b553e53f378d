"""References of images, as pods name them."""

import re
from dataclasses import dataclass

_DEFAULT_HOST = "docker.io"
_DEFAULT_TAG = "latest"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_REFERENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|[a-z0-9]+:[0-9a-f]{32,128}")
_MAX_REPOSITORY = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """An image's registry, repository, and tag or digest; none of them is checked."""

    host: str
    repository: str
    reference: str
    """The digest where there is one, else the tag."""

    @property
    def well_formed(self) -> bool:
        """Whether repository and reference have the form of the OCI distribution specification: fit for a URL."""
        fits = len(self.repository) <= _MAX_REPOSITORY and _REPOSITORY.fullmatch(self.repository)
        return bool(fits and _REFERENCE.fullmatch(self.reference))


def parse(image: str) -> ImageReference:
    """Split an image's name as container runtimes do: the first part is a host if it has a dot, a port, or is local."""
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if is_host else (_DEFAULT_HOST, name)
    repository, _, tag = path.partition(":")
    return ImageReference(host=host, repository=repository, reference=digest or tag or _DEFAULT_TAG)
