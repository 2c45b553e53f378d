"""What goes wrong at AWS and its registries."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from testsupport.chaos.cluster import Cluster
from testsupport.fake_aws.effects import Garbage
from testsupport.fake_aws.faults import Fault
from testsupport.installation import IRELAND
from testsupport.waiting import until

Kind = Callable[[Cluster], Awaitable[None]]


async def aws_throttling(cluster: Cluster) -> None:
    """ThrottlingException."""
    await _at_aws(cluster, cluster.aws.throttle(operation="GetAuthorizationToken"))


async def aws_denying(cluster: Cluster) -> None:
    """AccessDeniedException."""
    await _at_aws(cluster, cluster.aws.deny(operation="GetAuthorizationToken"))


async def aws_hanging(cluster: Cluster) -> None:
    """No answer."""
    await _at_aws(cluster, cluster.aws.hang(operation="GetAuthorizationToken"))


async def aws_answering_garbage(cluster: Cluster) -> None:
    """Of any kind that the fake knows."""
    await _at_aws(cluster, cluster.aws.garbage(cluster.rng.choice(list(Garbage)), service="ecr"))


async def aws_answering_expired_tokens(cluster: Cluster) -> None:
    """Tokens that have been dead for an hour."""
    await _at_aws(cluster, cluster.aws.answer_expired_token())


async def registry_refusing(cluster: Cluster) -> None:
    """One registry, or each, refuses every token, with a status that ECR has for that."""
    status, host = cluster.rng.choice((400, 401, 403)), cluster.rng.choice((_registry(cluster), "*"))
    fault = cluster.aws.fail(code="DENIED", status=status, operation="ProbeRegistry", host=host)
    await _at_aws(cluster, fault)


async def registry_hanging(cluster: Cluster) -> None:
    """No answer, for less or more time than a probe has."""
    await _at_aws(cluster, cluster.aws.hang(operation="ProbeRegistry", host=_registry(cluster)), longest=8)


async def registry_away(cluster: Cluster) -> None:
    """Its name does not resolve, or every packet to it is lost."""
    host, network = _registry(cluster), cluster.aws.network
    asked = network.asked.count(host)
    cluster.rng.choice((network.unreachable, network.swallow))(host)
    await cluster.ask_for_rotation()

    async def asked_again() -> bool:
        return network.asked.count(host) > asked

    await until(asked_again, f"{host} to be asked")
    await last(cluster)
    network.restore(host)


async def registry_answering_garbage(cluster: Cluster) -> None:
    """Of those kinds that can stand in place of a registry's answer, with any status."""
    kind = cluster.rng.choice((Garbage.HTML_PAGE, Garbage.EMPTY_BODY, Garbage.INVALID_BODY))
    status = cluster.rng.choice((200, 302, 403, 404, 429, 503))
    fault = cluster.aws.garbage(kind, status=status, operation="ProbeRegistry", host=_registry(cluster))
    await _at_aws(cluster, fault)


async def token_revoked(cluster: Cluster) -> None:
    """A token that is published stops to be good at its registries."""
    held = [each.tokens[IRELAND] for each in cluster.judge.held.values() if IRELAND in each.tokens]
    cluster.aws.revoke(max(held, key=lambda token: token.serial))


AWS_KINDS: tuple[Kind, ...] = (
    aws_throttling,
    aws_denying,
    aws_hanging,
    aws_answering_garbage,
    aws_answering_expired_tokens,
    registry_refusing,
    registry_hanging,
    registry_away,
    registry_answering_garbage,
    token_revoked,
)


async def last(cluster: Cluster, longest: float = 3) -> None:
    """Let a fault last for some time."""
    await asyncio.sleep(cluster.rng.uniform(0.5, longest))


async def _at_aws(cluster: Cluster, fault: Fault, longest: float = 3) -> None:
    await cluster.ask_for_rotation()
    assert await asyncio.to_thread(fault.wait_played), "AWS was asked nothing"
    await last(cluster, longest)
    fault.clear()


def _registry(cluster: Cluster) -> str:
    """Choose a registry, of those that were in trouble longest ago: from one that was just now, nobody asks much."""
    hosts = cluster.verifiable()
    host = min(cluster.rng.sample(hosts, len(hosts)), key=lambda host: cluster.troubled.get(host, 0.0))
    cluster.troubled[host] = time.monotonic()
    return host
