"""Everything that `pullkeeper explain pod` shows: one verdict first, then what it was told from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.domain.errors.text import listed, printable
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.domain.views.observed_pod import ObservedPod, PullEvent, WaitingContainer, latest, words
from pullkeeper.domain.views.pull_rules import verdict
from pullkeeper.domain.views.pull_verdict import Cause, Known, Pull, Verdict

_MAX_LENGTH = 600
"""Characters of the kubelet's words that are shown."""
_MAX_OTHERS = 10
_NOTHING = "none of its containers waits for an image"
_NOT_SCHEDULED = "it has not been assigned to a node yet: kubectl describe pod says why"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Why one container cannot pull."""

    container: WaitingContainer
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Why a pod cannot pull."""

    pod: ObservedPod
    findings: tuple[Finding, ...]
    """The verdicts, that on an image of ECR first; none where no container waits for an image."""
    evidence: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether no container waits for an image."""
        return not self.findings


def explain(pod: ObservedPod, events: Sequence[PullEvent], known: Known, unreadable: Sequence[str] = ()) -> Explanation:
    """Explain why a pod cannot pull; `unreadable` says what the caller could not read."""
    pulls = [_pull(pod, each, latest(events, each.name), known) for each in pod.waiting]
    findings = [Finding(container=pull.container, verdict=verdict(pull)) for pull in pulls]
    findings.sort(key=lambda finding: finding.verdict.cause is Cause.NOT_ECR)
    evidence = [line for pull in pulls[:_MAX_OTHERS] for line in _said(pull)]
    evidence += [*_about_pod(pod, known), *_about_secret(known), *_about_namespace(known), *unreadable]
    return Explanation(pod=pod, findings=tuple(findings), evidence=tuple(evidence))


def as_text(explanation: Explanation) -> str:
    """Return the explanation for people."""
    return "\n".join(printable(line) for line in _lines(explanation))


def as_document(explanation: Explanation) -> Mapping[str, Any]:
    """Return the explanation for machines; `verdict` is null where no container waits for an image."""
    found = [_document(finding) for finding in explanation.findings]
    return {
        "ok": explanation.ok,
        "namespace": explanation.pod.namespace,
        "pod": explanation.pod.name,
        "verdict": found[0] if found else None,
        "others": found[1:],
        "evidence": list(explanation.evidence),
    }


def _pull(pod: ObservedPod, container: WaitingContainer, event: PullEvent | None, known: Known) -> Pull:
    with_time = replace(container, failed_at=event.at if event else None)
    return Pull(pod=pod, container=with_time, words=words(container, event), known=known)


def _lines(explanation: Explanation) -> Iterable[str]:
    pod = explanation.pod
    name = f"{pod.namespace}/{pod.name}"
    if explanation.ok:
        yield f"pod {name}: {_NOTHING if pod.node else _NOT_SCHEDULED}"
    for number, finding in enumerate(explanation.findings[:_MAX_OTHERS]):
        found = finding.verdict
        if number:
            yield ""
        yield f"pod {name}, container {finding.container.name}, image {finding.container.image}: {found.cause}"
        yield f"  object: {found.object}"
        yield f"  why: {found.why}"
        yield f"  fix: {found.fix}"
    if (more := len(explanation.findings) - _MAX_OTHERS) > 0:
        yield f"and {more:,} more"
    yield ""
    yield "evidence:"
    yield from (f"  - {line}" for line in explanation.evidence)


def _document(finding: Finding) -> Mapping[str, str]:
    found = finding.verdict
    return {
        "cause": found.cause.value,
        "container": finding.container.name,
        "image": finding.container.image,
        "object": found.object,
        "why": found.why,
        "fix": found.fix,
    }


def _said(pull: Pull) -> Iterable[str]:
    said = printable(pull.words, _MAX_LENGTH) if pull.words else "(no more than that)"
    when = f", {format_duration(pull.known.now - pull.container.failed_at)} ago" if pull.container.failed_at else ""
    yield f"container {pull.container.name}: {pull.container.reason}{when}: {said}"
    if pull.answer:
        yield f"{pull.image.host}, asked with the pull Secret's token: {pull.answer.answer} ({pull.answer.why})"


def _about_pod(pod: ObservedPod, known: Known) -> Iterable[str]:
    yield f"the pod's imagePullSecrets: {listed(pod.pull_secrets) or 'none'}"
    if known.account_secrets:
        yield f"those of its ServiceAccount {pod.service_account}: {listed(known.account_secrets)}"


def _about_secret(known: Known) -> Iterable[str]:
    if known.secret_readable:
        yield f"secret {known.secret_name}: {_held(known.secret, known.now)}"


def _held(secret: ObservedSecret | None, now: datetime) -> str:
    if secret is None:
        return "there is none"
    if secret.record is None:
        return "without a readable record" if secret.managed else "not managed by Pullkeeper"
    left = secret.record.expires_at - now
    valid = f"valid for {format_duration(left)}" if left > timedelta() else f"expired {format_duration(left)} ago"
    return f"{listed(secret.record.registries)}; {valid}"


def _about_namespace(known: Known) -> Iterable[str]:
    if status := known.status:
        yield f"namespace: {listed((status.state, *status.problems), separator='; ')}"
