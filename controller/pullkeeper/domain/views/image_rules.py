"""Why a container cannot pull, as far as the image, its registry and the node alone tell."""

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.manifest_answer import ManifestAnswer
from pullkeeper.domain.views.pull_symptom import CREDENTIAL, REFUSED, Symptom
from pullkeeper.domain.views.pull_verdict import Cause, Pull, Verdict

_NOT_THERE = {
    Symptom.REPOSITORY_MISSING: "there is no repository {repository} in {host}",
    Symptom.TAG_MISSING: "the repository {repository} of {host} has no image {reference}",
    Symptom.IMAGE_MISSING: "{host} has no repository {repository}, or no image {reference} in it",
}
_ELSEWHERE = {
    Symptom.PLATFORM: (
        Cause.PLATFORM,
        "the image is not built for the operating system and architecture of the node {node}",
        (
            "build it for that platform too (kubectl get node {node} -o jsonpath='{{.status.nodeInfo.architecture}}' "
            "names it), or select nodes that fit by nodeSelector kubernetes.io/arch"
        ),
    ),
    Symptom.NODE_LIMIT: (
        Cause.THROTTLED,
        "the kubelet of node {node} has reached its own limit on pulls",
        "wait: it retries by itself; if that lasts, raise registryPullQPS and registryBurst in the kubelet's settings",
    ),
    Symptom.THROTTLED: (
        Cause.THROTTLED,
        "{host} throttles pulls",
        (
            "wait: the kubelet retries with backoff; if that lasts, pull less often (imagePullPolicy IfNotPresent, a "
            "pull-through cache), or have the quota raised in Service Quotas"
        ),
    ),
    Symptom.UNREACHABLE: (
        Cause.UNREACHABLE,
        "the node {node} does not get through to {host}",
        "check the node's route, DNS, proxy, CA certificates, and VPC endpoints for ecr.api, ecr.dkr and S3",
    ),
    Symptom.LAYERS_DENIED: (
        Cause.LAYERS_DENIED,
        "the registry gives the image, and S3 refuses its layers",
        (
            "allow s3:GetObject on the region's bucket prod-REGION-starport-layer-bucket in the policy of the S3 VPC "
            "endpoint"
        ),
    ),
}


def invalid_image(pull: Pull) -> Verdict | None:
    """Tell an image whose name is wrong; what other rules put into commands is of the right form, then."""
    if pull.symptom is Symptom.INVALID_NAME or (pull.is_ecr and not pull.image.well_formed):
        why = "the image's name cannot be parsed"
    elif not pull.is_ecr and _meant_for_ecr(pull.image.host):
        why = f"{pull.image.host} is no registry of ECR"
    else:
        return None
    return Verdict(cause=Cause.INVALID_IMAGE, object=pull.this_pod, why=why, fix=_image_fix(pull.image.host))


def not_ecr(pull: Pull) -> Verdict | None:
    """Tell an image of somebody else's registry."""
    if pull.is_ecr:
        return None
    return Verdict(
        cause=Cause.NOT_ECR,
        object=pull.this_pod,
        why=f"the image is of {pull.image.host}, and Pullkeeper keeps credentials for Amazon ECR only",
        fix=f"see the kubelet's words, and name a Secret with credentials for {pull.image.host} in the pod's "
        "imagePullSecrets if it needs any",
    )


def never_pull(pull: Pull) -> Verdict | None:
    """Tell a pod that forbids the kubelet to pull."""
    if pull.symptom is not Symptom.NEVER_PULL:
        return None
    return Verdict(
        cause=Cause.NEVER_PULL,
        object=pull.this_pod,
        why="its imagePullPolicy is Never, and the node has no such image that this pod may use",
        fix="set imagePullPolicy to IfNotPresent, or load the image onto the node",
    )


def elsewhere(pull: Pull) -> Verdict | None:
    """Tell what no credential would change."""
    found = _ELSEWHERE.get(pull.symptom)
    if found is None:
        return None
    cause, why, fix = found
    about = {"host": pull.image.host, "node": pull.pod.node or "NODE"}
    target = f"node/{pull.pod.node}" if cause is Cause.UNREACHABLE and pull.pod.node else pull.this_pod
    return Verdict(cause=cause, object=target, why=why.format_map(about), fix=fix.format_map(about))


def missing(pull: Pull) -> Verdict | None:
    """Tell that the registry has no such image, by the kubelet's words or its own."""
    answer = pull.answer.answer if pull.answer else None
    symptom = Symptom.IMAGE_MISSING if answer is ManifestAnswer.MISSING else pull.symptom
    what = _NOT_THERE.get(pull.symptom) or _NOT_THERE.get(symptom)
    if what is None or answer is ManifestAnswer.FOUND:
        return None
    image = pull.image
    why = what.format(host=image.host, repository=image.repository, reference=image.reference)
    return Verdict(
        cause=Cause.IMAGE_MISSING,
        object=pull.this_pod,
        why=f"{why}; the credentials were accepted",
        fix=f"push it, or correct the image: {_list_images(pull)} shows what there is",
    )


def public(pull: Pull) -> Verdict | None:
    """Tell a refusal of ECR Public, which needs no credentials, where none were used."""
    held = pull.held and pull.known.secret_name in pull.pod.pull_secrets
    if not pull.host.public or held or pull.symptom not in REFUSED | CREDENTIAL:
        return None
    return Verdict(
        cause=Cause.IMAGE_MISSING,
        object=pull.this_pod,
        why=f"{pull.image.host} gives images to everybody, so no credential is missing: there is no public "
        f"{pull.image.repository}, or the node's proxy refuses it",
        fix=f"correct the image: {_list_images(pull)} shows what there is",
    )


def throttled(pull: Pull) -> Verdict | None:
    """Tell that the registry throttled the question."""
    if pull.answer is None or pull.answer.answer is not ManifestAnswer.THROTTLED:
        return None
    fix = "wait: the kubelet retries with backoff"
    return Verdict(cause=Cause.THROTTLED, object=pull.this_pod, why=f"{pull.image.host} throttles requests", fix=fix)


def _meant_for_ecr(host: str) -> bool:
    return ".dkr.ecr" in host.lower() or ".dkr-ecr" in host.lower()


def _image_fix(host: str) -> str:
    if _meant_for_ecr(host):
        try:
            registry_host.parse(host)
        except ValueError as error:
            return f"write the registry as {error}"
    return "write the image as HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST, in lower case and without a scheme"


def _list_images(pull: Pull) -> str:
    if pull.host.public:
        return "https://gallery.ecr.aws"
    return (
        f"aws ecr describe-images --registry-id {pull.host.account} --region {pull.host.region} "
        f"--repository-name {pull.image.repository}"
    )
