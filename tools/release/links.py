"""Links of a document that leaves the repository: absolute, to the files of its release."""

import posixpath
import re

from tools.release.names import Names

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^()\s]+)\)")
_CHART = "charts/pullkeeper"


def absolute(document: str, folder: str, names: Names, version: str) -> str:
    """Return a document of a folder of the repository with absolute links; those within itself stay.

    Images link to the raw file, and commands that install the chart's folder name the published chart.
    """

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, hash_, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(folder, path))
        kind = "raw" if match["image"] else "blob"
        url = f"{names.repository}/{kind}/v{version}/{file}{hash_}{anchor}"
        return f"{match['image']}[{match['text']}]({url})"

    text = _LINK.sub(link, document)
    return text.replace(f" pullkeeper {_CHART} ", f" pullkeeper oci://{names.chart} --version {version} ")
