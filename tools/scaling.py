"""What more namespaces, or more clusters, need: `python -m tools.scaling` prints the figures of docs/scaling.md.

What is measured is named as such, with the command that measures it; all else is computed from documented limits.
"""

import base64
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.secret.shapes import PULL_SECRET, manifest

SIZES = (1_000, 10_000, 100_000)
"""Namespaces of one cluster."""
FLEETS = (10, 100, 1_000)
"""Clusters that use registries of one account and region."""
SHARDS = (1, 2, 4, 8)
WRITES_PER_SECOND = 250
"""Measured: the least that a rotation reached on a real API server that shares two cores with it (`make bench`)."""
WRITE_SECONDS = 0.02
"""Measured: what a write takes on such a machine at rest, so how long it holds a seat (`make bench`)."""
BASE_MIB, KIB_PER_NAMESPACE = 90, 5
"""At most so much is resident after a rotation with 100 namespaces, and for each further one: docs/bench/bench.json has
what was measured (`make bench`), and a test compares them."""
_TOKEN_BYTES = 2_400
"""Of an ECR password; AWS documents no length, and those seen are shorter."""
_MANAGED_FIELDS_BYTES = 900
_COMPACTION = timedelta(minutes=5)
"""kube-apiserver, `--etcd-compaction-interval`: for so long etcd keeps what was overwritten."""
_ETCD_DEFAULT, _ETCD_LARGEST = 2 * 2**30, 8 * 2**30
"""etcd.io/docs/latest/dev-guide/limit: the default quota, and the suggested largest one."""
_SEATS = 245
"""kube-apiserver 1.36 with default flags: `apiserver_flowcontrol_nominal_limit_seats` of `workload-low`, where all
ServiceAccounts outside kube-system are."""
_ECR_BURST, _ECR_RATE = 200, 20
"""GetAuthorizationToken for each account and region, docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors.html;
accounts may have more (Service Quotas)."""
_WATCH_EVENT_KIB = 2.5
"""The metadata of a pull Secret as JSON, in a watch event."""


def main() -> int:
    """Print the tables."""
    sys.stdout.write(text())
    return 0


def text() -> str:
    """Return what is printed."""
    return "\n".join([*_table(_cluster_rows()), "", *_table(_fleet_rows()), "", *_table(_shard_rows())]) + "\n"


def secret_bytes() -> int:
    """Return about what a pull Secret for one registry takes in etcd."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    auth = Password(base64.b64encode(b"AWS:" + b"x" * _TOKEN_BYTES).decode())
    token = Token(issued_at=now, expires_at=now + timedelta(hours=12), auth=auth)
    host = registry_host.parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    record = SecretRecord(held={host: token.validity}, identities={host: CONTROLLER.name})
    data = PullSecret(record=record, auths={host: auth}).data()
    body = manifest(PULL_SECRET, "team-a", record, data, installation="pullkeeper/pullkeeper")
    return len(json.dumps(body)) + _MANAGED_FIELDS_BYTES


def shard_of(namespace: str, shards: int) -> int:
    """Return the shard of a namespace: the one with the highest hash, so that another number of shards moves few."""
    return max(
        range(shards), key=lambda shard: hashlib.blake2b(f"{shard}/{namespace}".encode(), digest_size=8).digest()
    )


def _cluster_rows() -> Iterator[Mapping[str, str]]:
    window = Settings().rotation.jitter.total_seconds()
    size = secret_bytes()
    for count in SIZES:
        lasts = max(window, count / WRITES_PER_SECOND)
        rate = count / lasts
        stored, history = count * size, min(count, rate * _COMPACTION.total_seconds()) * size
        yield {
            "namespaces": f"{count:,}",
            "even rate, writes/s": f"{count / window:,.1f}",
            "at full speed": f"{count / WRITES_PER_SECOND:,.0f} s",
            "a rotation lasts": f"{lasts:,.0f} s",
            f"seats of {_SEATS}": f"{rate * WRITE_SECONDS:.1f}",
            "Secrets in etcd": _mib(stored),
            "with history": f"{_mib(stored + history)} ({(stored + history) / _ETCD_DEFAULT:.0%} of 2 GiB)",
            "watch traffic": f"{rate * _WATCH_EVENT_KIB / 1024:.2f} MiB/s",
            "memory for namespaces": f"{count * KIB_PER_NAMESPACE / 1024:,.0f} MiB",
        }


def _fleet_rows() -> Iterator[Mapping[str, str]]:
    for clusters in FLEETS:
        waits = max(clusters - _ECR_BURST, 0) / _ECR_RATE
        window = Settings().rotation.jitter.total_seconds()
        yield {
            "clusters": f"{clusters:,}",
            "tokens in each rotation": f"{clusters:,}",
            "all start at once: the last waits": f"{waits:.0f} s",
            "tokens/s if spread over 6 h": f"{clusters / (6 * 3600):.3f}",
            f"within one window of {window:.0f} s": f"{clusters / window:.2f}/s of {_ECR_RATE}",
            "identities for each cluster until ECR's rate is used up": f"{_ECR_RATE * window / clusters:,.0f}",
        }


def _shard_rows() -> Iterator[Mapping[str, str]]:
    names = [f"team-{number:06}" for number in range(SIZES[-1])]
    for shards in SHARDS:
        owned = Counter(shard_of(name, shards) for name in names)
        moved = sum(shard_of(name, shards) != shard_of(name, shards + 1) for name in names)
        yield {
            "shards": str(shards),
            "namespaces of the largest": f"{max(owned.values()):,}",
            "over the mean": f"{max(owned.values()) * shards / len(names):.3f}",
            "full speed": f"{max(owned.values()) / WRITES_PER_SECOND:,.0f} s",
            "moved by one shard more": f"{moved / len(names):.1%}",
        }


def _table(rows: Iterator[Mapping[str, str]]) -> Iterator[str]:
    found: Sequence[Mapping[str, str]] = list(rows)
    yield "| " + " | ".join(found[0]) + " |"
    yield "|" + "---|" * len(found[0])
    for row in found:
        yield "| " + " | ".join(row.values()) + " |"


def _mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
