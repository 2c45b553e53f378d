"""What a pull asks of a registry, with a token of it."""

from __future__ import annotations

import aiohttp

from testsupport.fake_aws.fake import AwsFake

_REQUESTS = (("GET", "manifests/latest"), ("HEAD", "blobs/sha256:0"), ("GET", "blobs/sha256:0"))


async def refusals(fake: AwsFake, host: str, authorization: str, repository: str = "team/app") -> list[str]:
    """Give what of a pull a registry refuses; a registry of the fake has no image, and says so to whoever may pull."""
    found = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Basic {authorization}"}) as client:
        for method, what in _REQUESTS:
            url = f"{fake.url}/_registry/{host}/v2/{repository}/{what}"
            async with client.request(method, url) as response:
                if response.status != 404:
                    found.append(f"{method} {what} at {host}: {response.status} {await response.text()}")
    return found
