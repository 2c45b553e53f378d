"""Why a pod cannot pull: each cause, told from the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.config.injection import Injection
from pullkeeper.domain.ecr.manifest_answer import ManifestAnswer, ManifestResult, manifest_result
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.namespace_status import NamespaceStatus
from pullkeeper.domain.views.observed_pod import ObservedPod, PullEvent, WaitingContainer
from pullkeeper.domain.views.pull_explanation import Explanation, as_document, as_text, explain
from pullkeeper.domain.views.pull_verdict import Cause, Known, Verdict
from testsupport import golden, pull_words
from testsupport.examples import EU, EU_OTHER_ACCOUNT, FOREIGN, HOUR, NOW, PUBLIC, US, managed, published
from testsupport.pull_words import IMAGE

NAME = "ecr-pull-secret"
US_OTHER_ACCOUNT = parse("210987654321.dkr.ecr.us-west-2.amazonaws.com")
FRESH = managed(published(EU, issued=NOW - HOUR))
READY = NamespaceStatus(namespace="team-a", state=State.READY, unhealthy=False, registries=(EU.name,))
WARNING = LastWarning(namespace="team-a", reason="AccessDenied", note="namespace/team-a: ECR refused it", at=NOW - HOUR)
PENDING = replace(READY, state=State.PENDING, unhealthy=True, problems=("no pull Secret yet",))
PUBLIC_IMAGE = "public.ecr.aws/shop/web:v1"
GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A pod and all that is known; everything is in order but what is changed."""

    words: str = pull_words.NO_CREDENTIALS
    image: str = IMAGE
    reason: str = "ErrImagePull"
    named: tuple[str, ...] = (NAME,)
    secret: ObservedSecret | None = FRESH
    status: NamespaceStatus | None = READY
    answer: ManifestResult | None = None
    failed: timedelta | None = None
    event: str = ""
    """What the Event of the failure says."""
    known: Mapping[str, Any] = field(default_factory=dict)

    def pod(self, *more: WaitingContainer) -> ObservedPod:
        waiting = WaitingContainer(name="app", image=self.image, reason=self.reason, message=self.words)
        return ObservedPod(
            namespace="team-a",
            name="web",
            uid="uid-1",
            pull_secrets=self.named,
            service_account="puller",
            node="node-1",
            waiting=(waiting, *more),
        )

    def explained(self, *more: WaitingContainer, **pod: Any) -> Explanation:
        answers = {self.image: self.answer} if self.answer else {}
        known = Known(secret_name=NAME, now=NOW, secret=self.secret, status=self.status, answers=answers, **self.known)
        events = [PullEvent(container="app", message=self.event, at=NOW - self.failed)] if self.failed else []
        return explain(replace(self.pod(*more), **pod), events, known)

    def verdict(self) -> Verdict:
        return self.explained().findings[0].verdict


def answered(status: int) -> ManifestResult:
    return manifest_result(status, from_registry=True)


CASES: Mapping[str, tuple[Case, Cause, str]] = {
    "never": (Case(reason="ErrImageNeverPull"), Cause.NEVER_PULL, "imagePullPolicy is Never"),
    "no name": (Case(reason="InvalidImageName", image="https://x/y"), Cause.INVALID_IMAGE, "cannot be parsed"),
    "command": (Case(image=f"{EU}/$(id)"), Cause.INVALID_IMAGE, "cannot be parsed"),
    "region": (
        Case(image="123456789012.dkr.ecr.eu-west.amazonaws.com/web"),
        Cause.INVALID_IMAGE,
        "123456789012.dkr.ecr.eu-west.amazonaws.com is no registry of ECR",
    ),
    "dual-stack region": (
        Case(image="123456789012.dkr-ecr.eu-west.on.aws/web"),
        Cause.INVALID_IMAGE,
        "123456789012.dkr-ecr.eu-west.on.aws is no registry of ECR",
    ),
    "other registry": (Case(image="nginx:1"), Cause.NOT_ECR, "of docker.io"),
    "platform": (Case(words=pull_words.PLATFORM), Cause.PLATFORM, "node-1"),
    "throttled": (Case(words=pull_words.THROTTLED), Cause.THROTTLED, "amazonaws.com throttles"),
    "throttled when asked": (Case(answer=answered(429)), Cause.THROTTLED, "throttles requests"),
    "unreachable": (Case(words=pull_words.UNREACHABLE), Cause.UNREACHABLE, "node node-1 does not get through to"),
    "layers": (Case(words=pull_words.LAYERS_DENIED), Cause.LAYERS_DENIED, "S3 refuses"),
    "missing": (Case(words=pull_words.NOT_FOUND), Cause.IMAGE_MISSING, "no repository shop/web, or no image v1"),
    "no repository": (
        Case(words=pull_words.SAID["repository-missing"][0]),
        Cause.IMAGE_MISSING,
        "there is no repository shop/web in 1",
    ),
    "no tag": (Case(words=pull_words.SAID["tag-missing"][0], answer=answered(404)), Cause.IMAGE_MISSING, "no image v1"),
    "missing when asked": (Case(answer=answered(404)), Cause.IMAGE_MISSING, "or no image v1"),
    "pushed since": (Case(words=pull_words.NOT_FOUND, answer=answered(200)), Cause.RETRYING, "gives the image"),
    "no Secret named": (Case(named=()), Cause.NO_SECRET_NAMED, f"name no Secret, so not {NAME}"),
    "other Secret named": (Case(named=("regcred",)), Cause.NO_SECRET_NAMED, f"only regcred, not {NAME}"),
    "named since": (
        Case(named=(), known={"account_secrets": (NAME,)}),
        Cause.POD_TOO_OLD,
        "serviceaccount/puller names it by now",
    ),
    "injected since": (
        Case(named=(), status=replace(READY, injection=Injection.INJECTED)),
        Cause.POD_TOO_OLD,
        "new pods of the namespace get it by themselves",
    ),
    "injected for other registries": (
        Case(named=(), status=replace(READY, injection=Injection.INJECTED, registries=(US.name,))),
        Cause.NO_SECRET_NAMED,
        "name no Secret",
    ),
    "not injected": (
        Case(named=(), status=replace(READY, injection=Injection.DECLINED), known={"settings_known": True}),
        Cause.NO_SECRET_NAMED,
        "name no Secret",
    ),
    "namespace unreadable, not named": (
        Case(secret=None, status=None, named=(), known={"namespace_readable": False}),
        Cause.NO_SECRET_NAMED,
        "name no Secret",
    ),
    "neither opted in nor named": (Case(secret=None, status=None, named=()), Cause.NOT_OPTED_IN, "asks for none"),
    "not opted in": (Case(secret=None, status=None), Cause.NOT_OPTED_IN, "without its settings"),
    "not opted in by the settings": (
        Case(secret=None, status=None, known={"settings_known": True}),
        Cause.NOT_OPTED_IN,
        "the namespace asks for none",
    ),
    "misconfigured": (
        Case(secret=None, status=replace(PENDING, state=State.MISCONFIGURED, problems=('found "x"', "no Y"))),
        Cause.MISCONFIGURED,
        'found "x"; no Y',
    ),
    "misconfigured, and served": (
        Case(words=pull_words.FORBIDDEN, status=replace(READY, state=State.MISCONFIGURED, problems=('found "x"',))),
        Cause.REPOSITORY_DENIED,
        "refuses the image",
    ),
    "conflict": (Case(secret=FOREIGN), Cause.SECRET_CONFLICT, "not managed by Pullkeeper"),
    "refused by AWS": (
        Case(secret=None, status=replace(PENDING, last_warning=WARNING)),
        Cause.TOKEN_REFUSED,
        "AccessDenied, 1h ago: ECR refused it",
    ),
    "refused by AWS until it expired": (
        Case(secret=managed(published(EU, issued=NOW - 13 * HOUR)), status=replace(READY, last_warning=WARNING)),
        Cause.TOKEN_REFUSED,
        "AccessDenied",
    ),
    "refused by AWS until it expires now": (
        Case(secret=managed(published(EU, issued=NOW - 12 * HOUR)), status=replace(READY, last_warning=WARNING)),
        Cause.TOKEN_REFUSED,
        "AccessDenied",
    ),
    "warned of another registry": (
        Case(secret=managed(published(US)), status=replace(READY, last_warning=WARNING, registries=(US.name,))),
        Cause.WRONG_REGION,
        "another region",
    ),
    "warned and served": (
        Case(words=pull_words.FORBIDDEN, status=replace(READY, last_warning=WARNING)),
        Cause.REPOSITORY_DENIED,
        "refuses the image",
    ),
    "no Secret": (Case(secret=None, status=PENDING), Cause.SECRET_MISSING, "does not exist"),
    "changed": (
        Case(secret=replace(managed(None), writer="kubectl-edit")),
        Cause.SECRET_CHANGED,
        "changed it by kubectl-edit",
    ),
    "changed by nobody knows": (Case(secret=replace(FRESH, intact=False)), Cause.SECRET_CHANGED, "changed it, and"),
    "other region": (Case(secret=managed(published(US))), Cause.WRONG_REGION, f"no entry for {EU}, only for {US}"),
    "other account": (Case(secret=managed(published(EU_OTHER_ACCOUNT))), Cause.WRONG_ACCOUNT, "another account"),
    "not listed": (Case(secret=managed(published(PUBLIC))), Cause.REGISTRY_NOT_LISTED, f"only for {PUBLIC}"),
    "other region and account": (
        Case(secret=managed(published(US_OTHER_ACCOUNT))),
        Cause.REGISTRY_NOT_LISTED,
        f"only for {US_OTHER_ACCOUNT}",
    ),
    "only ECR Public, whose region it is": (
        Case(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/web", secret=managed(published(PUBLIC))),
        Cause.REGISTRY_NOT_LISTED,
        f"only for {PUBLIC}",
    ),
    "not listed, namespace unreadable": (
        Case(secret=managed(published(US)), status=None, known={"namespace_readable": False}),
        Cause.WRONG_REGION,
        "another region",
    ),
    "left out": (
        Case(secret=managed(published(PUBLIC)), status=replace(READY, left_out={EU.name: "ask for `identities[0]`"})),
        Cause.REGISTRY_NOT_LISTED,
        f"{EU} is left out of its pull Secret",
    ),
    "another is left out": (
        Case(secret=managed(published(PUBLIC)), status=replace(READY, left_out={US.name: "ask"})),
        Cause.REGISTRY_NOT_LISTED,
        f"only for {PUBLIC}",
    ),
    "expired": (
        Case(secret=managed(published(EU, issued=NOW - 14 * HOUR)), words=pull_words.FORBIDDEN),
        Cause.EXPIRED,
        "expired 2h ago",
    ),
    "expires now": (Case(secret=managed(published(EU, issued=NOW - 12 * HOUR))), Cause.EXPIRED, "expired 0s ago"),
    "not accepted": (Case(answer=answered(401)), Cause.TOKEN_REJECTED, "status 401"),
    "denied": (Case(words=pull_words.NOT_AUTHORIZED), Cause.REPOSITORY_DENIED, "refuses the image to controller"),
    "denied to a principal": (
        Case(words=pull_words.FORBIDDEN, secret=managed(published(EU, principal="arn:aws:iam::1:role/x"))),
        Cause.REPOSITORY_DENIED,
        "to arn:aws:iam::1:role/x",
    ),
    "denied when asked": (Case(answer=answered(403)), Cause.REPOSITORY_DENIED, "refuses the image"),
    "denied when asked, Secrets may not be listed": (
        Case(secret=None, answer=answered(403), known={"secret_readable": False}),
        Cause.REPOSITORY_DENIED,
        "refuses the image to the identity that the pull Secret's token was fetched as",
    ),
    "denied as an Event says": (
        Case(words="", event=pull_words.FORBIDDEN, failed=HOUR / 2),
        Cause.REPOSITORY_DENIED,
        "refuses",
    ),
    "denied at the rotation": (Case(words=pull_words.FORBIDDEN, failed=HOUR), Cause.REPOSITORY_DENIED, "refuses"),
    "denied before the rotation": (
        Case(words=pull_words.FORBIDDEN, failed=2 * HOUR),
        Cause.RETRYING,
        "replaced since",
    ),
    "denied after the rotation": (
        Case(words=pull_words.FORBIDDEN, failed=HOUR / 2),
        Cause.REPOSITORY_DENIED,
        "refuses",
    ),
    "in order": (Case(), Cause.RETRYING, "has a valid token for the registry now"),
    "asked in vain": (Case(answer=answered(500)), Cause.RETRYING, "valid token"),
    "silent": (Case(words="", reason="ImagePullBackOff"), Cause.UNKNOWN, "does not say why any more"),
    "other words": (Case(words="no space left on device"), Cause.UNKNOWN, "words do not say why"),
    "unreadable": (
        Case(secret=None, known={"secret_readable": False}),
        Cause.UNKNOWN,
        "and the pull Secret could not be read",
    ),
    "unreadable, forbidden": (
        Case(secret=None, words=pull_words.FORBIDDEN, known={"secret_readable": False}),
        Cause.UNKNOWN,
        "could not be read",
    ),
    "namespace unreadable": (
        Case(secret=None, status=None, known={"namespace_readable": False}),
        Cause.SECRET_MISSING,
        "does not exist",
    ),
    "public": (
        Case(image=PUBLIC_IMAGE, words=pull_words.FORBIDDEN, named=()),
        Cause.IMAGE_MISSING,
        "public.ecr.aws gives images to everybody",
    ),
    "public, without a token": (
        Case(image=PUBLIC_IMAGE, words=pull_words.FORBIDDEN),
        Cause.IMAGE_MISSING,
        "public.ecr.aws gives images to everybody",
    ),
    "public, token not named": (
        Case(image=PUBLIC_IMAGE, words=pull_words.FORBIDDEN, secret=managed(published(PUBLIC)), named=()),
        Cause.IMAGE_MISSING,
        "public.ecr.aws gives images to everybody",
    ),
    "public, missing": (
        Case(image=PUBLIC_IMAGE, words="code = NotFound: not found"),
        Cause.IMAGE_MISSING,
        "no repository shop/web",
    ),
    "public, expired": (
        Case(
            image=PUBLIC_IMAGE,
            words=pull_words.FORBIDDEN,
            secret=managed(published(PUBLIC, issued=NOW - 13 * HOUR)),
        ),
        Cause.EXPIRED,
        "its token for public.ecr.aws expired 1h ago",
    ),
}


@pytest.mark.parametrize(("case", "cause", "why"), CASES.values(), ids=CASES.keys())
def test_each_cause_is_told(case: Case, cause: Cause, why: str) -> None:
    """What, which object, why, and the fix."""
    found = case.verdict()
    assert found.cause is cause, found
    assert why in found.why
    assert found.object
    assert found.fix


def test_the_verdict_of_every_case_matches_the_golden_file() -> None:
    """As people read it."""
    texts = {name: as_text(case.explained()).partition("\n\nevidence:\n")[0] for name, (case, _, _) in CASES.items()}
    golden.check(GOLDEN / "explain-pod.txt", "\n\n".join(f"# {name}\n{text}" for name, text in texts.items()) + "\n")


def test_every_cause_has_a_case() -> None:
    """None is left out."""
    assert {cause for _, cause, _ in CASES.values()} == set(Cause)


def test_the_fix_of_a_host_that_is_none_names_the_right_one() -> None:
    """Where it can be told."""
    case = Case(image="123456789012.dkr.ecr.cn-north-1.amazonaws.com/web")
    assert "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn" in case.verdict().fix
    assert case.verdict().cause is Cause.INVALID_IMAGE
    assert "without a scheme" in CASES["no name"][0].verdict().fix
    assert "without a scheme" in CASES["command"][0].verdict().fix


def test_no_fix_repeats_what_a_shell_would_run() -> None:
    """Somebody pastes it."""
    assert "$(id)" not in CASES["command"][0].verdict().fix


def test_what_else_has_to_be_done_is_said() -> None:
    """One verdict, but no surprise after its fix; and that the Secret's name was a guess."""
    assert CASES["neither opted in nor named"][0].verdict().fix.endswith("the pod has to name the Secret, too")
    assert CASES["not opted in"][0].verdict().fix.endswith("enabled=true")
    assert "--secret-name" in CASES["other Secret named"][0].verdict().fix
    assert "--secret-name" not in CASES["not injected"][0].verdict().fix


def test_what_to_allow_is_named_exactly() -> None:
    """Actions, repository, principal."""
    found = CASES["denied"][0].verdict()
    assert found.object == "arn:aws:ecr:eu-west-1:123456789012:repository/shop/web"
    assert "ecr:BatchGetImage" in found.fix
    assert found.object in found.fix


def test_an_unscheduled_pod_has_no_node_to_name() -> None:
    """It may not be known, where the status is read by somebody else."""
    (found,) = Case(words=pull_words.UNREACHABLE).explained(node="").findings
    assert found.verdict.object == "pod/web in team-a"
    assert found.verdict.why == f"the node NODE does not get through to {EU}"


def test_the_text_has_the_verdict_first() -> None:
    """Then what it was told from; the registry's answer among it."""
    case = Case(answer=answered(403), failed=HOUR, status=PENDING, known={"account_secrets": ("other",)})
    explanation = case.explained()
    lines = as_text(explanation).splitlines()
    assert lines[0] == f"pod team-a/web, container app, image {IMAGE}: repository-denied"
    assert [line.partition(":")[0] for line in lines[1:4]] == ["  object", "  why", "  fix"]
    assert lines[4:6] == ["", "evidence:"]
    assert lines[6].startswith("  - container app: ErrImagePull, 1h ago: rpc error")
    assert lines[7:] == [
        f"  - {EU}, asked with the pull Secret's token: denied (status 403)",
        f"  - the pod's imagePullSecrets: {NAME}",
        "  - those of its ServiceAccount puller: other",
        f"  - secret {NAME}: {EU}; valid for 11h",
        "  - namespace: pending; no pull Secret yet",
    ]


def test_evidence_says_what_there_is_not() -> None:
    """No words, no time of the failure, no Secret named."""
    assert Case(words="", named=()).explained().evidence == (
        "container app: ErrImagePull: (no more than that)",
        "the pod's imagePullSecrets: none",
        f"secret {NAME}: {EU}; valid for 11h",
        "namespace: ready",
    )


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (None, "there is none"),
        (FOREIGN, "not managed by Pullkeeper"),
        (managed(None), "without a readable record"),
        (managed(published(EU, issued=NOW - 13 * HOUR)), f"{EU}; expired 1h ago"),
        (managed(published(EU, issued=NOW - 12 * HOUR)), f"{EU}; expired 0s ago"),
    ],
)
def test_the_secret_is_described(secret: ObservedSecret | None, words: str) -> None:
    """From its metadata."""
    assert f"secret {NAME}: {words}" in Case(secret=secret, named=(), words="").explained().evidence


def several(count: int) -> Explanation:
    more = [WaitingContainer(name=f"c{n}", image=IMAGE, reason="ErrImagePull", message="") for n in range(count - 1)]
    return Case(image="nginx").explained(*more)


def test_several_images_have_a_verdict_each() -> None:
    """That on an image of ECR first, and no more text than for ten."""
    explanation = several(12)
    document = as_document(explanation)
    assert [found.verdict.cause for found in explanation.findings] == [Cause.UNKNOWN] * 11 + [Cause.NOT_ECR]
    assert (document["verdict"]["container"], len(document["others"])) == ("c0", 11)
    assert len(explanation.evidence) == 10 + 3


@pytest.mark.parametrize(("count", "more"), [(10, []), (11, ["and 1 more"]), (1010, ["and 1,000 more"])])
def test_of_many_containers_the_first_are_shown(count: int, more: list[str]) -> None:
    """One paragraph each, and the number of the others."""
    lines = as_text(several(count)).splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("pod team-a/web, container ")]
    assert heads == list(range(0, 50, 5))
    assert [*map(lines.__getitem__, range(4, 45, 5))] == [""] * 9
    assert lines[49 : lines.index("evidence:")] == [*more, ""]


def test_the_document_shortens_nothing() -> None:
    """What is unknown is null."""
    case = Case(answer=answered(403))
    found, other = case.verdict(), WaitingContainer(name="x", image="nginx", reason="ErrImagePull", message="no")
    explanation = case.explained(other)
    assert as_document(explanation) == {
        "ok": False,
        "namespace": "team-a",
        "pod": "web",
        "verdict": {
            "cause": "repository-denied",
            "container": "app",
            "image": IMAGE,
            "object": "arn:aws:ecr:eu-west-1:123456789012:repository/shop/web",
            "why": found.why,
            "fix": found.fix,
        },
        "others": [as_document(Case(image="nginx").explained())["verdict"] | {"container": "x"}],
        "evidence": list(explanation.evidence),
    }


@pytest.mark.parametrize(("node", "words"), [("node-1", "waits for an image"), ("", "not been assigned to a node")])
def test_a_pod_that_does_not_wait_is_in_order(node: str, words: str) -> None:
    """It may not have been scheduled."""
    explanation = Case().explained(waiting=(), node=node)
    assert explanation.ok
    assert words in as_text(explanation).splitlines()[0]
    assert (as_document(explanation)["ok"], as_document(explanation)["verdict"]) == (True, None)


def test_what_could_not_be_read_is_said() -> None:
    """The reader may have fewer rights than it takes."""
    known = Known(secret_name=NAME, now=NOW, secret=None, secret_readable=False)
    assert explain(Case().pod(), (), known, ["not read: Events"]).evidence[-1] == "not read: Events"


def test_text_of_others_is_escaped_and_bounded() -> None:
    """The image's name is a tenant's."""
    text = as_text(Case(image="x.io/\x1b[2J", words="y" * 2000).explained())
    assert "\x1b" not in text
    assert "y" * 601 not in text


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, "found"), (400, "rejected"), (401, "rejected"), (403, "denied"), (404, "missing"), (429, "throttled")],
)
def test_answers_of_a_registry(status: int, answer: str) -> None:
    """One of a proxy in its place is none."""
    assert manifest_result(status, from_registry=True).answer == answer
    assert manifest_result(status, from_registry=False) == ManifestResult(
        answer=ManifestAnswer.UNKNOWN, why=f"status {status}, not from the registry"
    )
    assert manifest_result(503, from_registry=True).answer is ManifestAnswer.UNKNOWN
