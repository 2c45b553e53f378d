"""The rules by which a failed pull is judged, in their order: the first that applies is the verdict."""

from collections.abc import Sequence

from pullkeeper.domain.config.injection import Injection
from pullkeeper.domain.ecr.manifest_answer import ManifestAnswer
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.namespace.annotations import ENABLED
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.pull_secret import MANAGED_BY, MANAGER
from pullkeeper.domain.views import image_rules
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.domain.views.pull_symptom import CREDENTIAL, REFUSED
from pullkeeper.domain.views.pull_verdict import Cause, Pull, Rule, Verdict

_ACTIONS = "ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability"
_RECREATE = "create the pod anew (kubectl rollout restart of what owns it): the list is copied when a pod is created"


def verdict(pull: Pull) -> Verdict:
    """Return why a container cannot pull."""
    return next(filter(None, (rule(pull) for rule in _RULES)))


def _not_named(pull: Pull) -> Verdict | None:
    name, named = pull.known.secret_name, pull.pod.pull_secrets
    if name in named:
        return None
    others = f"only {listed(named)}, not {name}" if named else f"no Secret, so not {name}"
    why = f"the pod's imagePullSecrets name {others}"
    if since := _named_since(pull):
        return Verdict(cause=Cause.POD_TOO_OLD, object=pull.this_pod, why=f"{why}; {since}", fix=_RECREATE)
    otherwise = "" if pull.known.settings_known else f"; or say by --secret-name if the installation's is not {name}"
    return Verdict(
        cause=Cause.NO_SECRET_NAMED,
        object=pull.this_pod,
        why=why,
        fix=f"add {{name: {name}}} to imagePullSecrets of the pod template, or annotate the namespace with "
        f"{PREFIX}attach-to-service-accounts={pull.pod.service_account} if the installation allows it; then "
        f"{_RECREATE}{otherwise}",
    )


def _named_since(pull: Pull) -> str:
    """Return what would make the pod name the pull Secret if it were created now; "" if nothing would."""
    if pull.known.secret_name in pull.known.account_secrets:
        return f"serviceaccount/{pull.pod.service_account} names it by now, but not when the pod was created"
    status = pull.known.status
    if status and status.injection is Injection.INJECTED and pull.image.host in status.registries:
        return "new pods of the namespace get it by themselves, and this one was created before"
    return ""


def _namespace(pull: Pull) -> Verdict | None:
    """Tell what the namespace itself has wrong, where the pull Secret cannot serve this pull for it."""
    known = pull.known
    if not known.secret_readable or pull.held is not None:
        return None
    if known.secret is None and known.status is None and known.namespace_readable:
        unknown = "" if known.settings_known else " (what the settings opt in is not known without its settings)"
        named = "" if known.secret_name in pull.pod.pull_secrets else "; the pod has to name the Secret, too"
        return Verdict(
            cause=Cause.NOT_OPTED_IN,
            object=pull.namespace,
            why=f"there is no pull Secret, and the namespace asks for none{unknown}",
            fix=f"kubectl annotate namespace {pull.pod.namespace} {PREFIX}{ENABLED}=true{named}",
        )
    if known.status and known.status.state is State.MISCONFIGURED:
        why = listed(known.status.problems, separator="; ")
        return Verdict(cause=Cause.MISCONFIGURED, object=pull.namespace, why=why, fix="correct it as it says")
    return None


def _conflict(pull: Pull) -> Verdict | None:
    if pull.known.secret is None or pull.known.secret.managed:
        return None
    return Verdict(
        cause=Cause.SECRET_CONFLICT,
        object=pull.secret,
        why="a Secret of that name exists and is not managed by Pullkeeper, which never touches it",
        fix=f"delete or rename it, or hand it over by the label {MANAGED_BY}={MANAGER}",
    )


def _no_token(pull: Pull) -> Verdict | None:
    """Tell the controller's own warning, where it has put no usable token there for a registry that is wanted."""
    held, status = pull.held, pull.known.status
    wanted = status is not None and (not status.registries or pull.image.host in status.registries)
    warning = status.last_warning if status and wanted else None
    if warning is None or not pull.known.secret_readable or (held and pull.known.now < held.expires_at):
        return None
    ago = format_duration(pull.known.now - warning.at)
    note = warning.note.removeprefix(f"{pull.namespace}: ")
    return Verdict(
        cause=Cause.TOKEN_REFUSED,
        object=pull.namespace,
        why=f"the controller has no token for it; {warning.reason}, {ago} ago: {note}",
        fix=f"do what it says; pullkeeper check --explain {warning.reason} says more",
    )


def _no_secret(pull: Pull) -> Verdict | None:
    if pull.known.secret is not None or not pull.known.secret_readable:
        return None
    return Verdict(
        cause=Cause.SECRET_MISSING,
        object=pull.secret,
        why="the pod names it, and it does not exist",
        fix=f"see whether the controller runs and serves the namespace: pullkeeper check; pullkeeper status -n "
        f"{pull.pod.namespace}; kubectl get events -n {pull.pod.namespace}",
    )


def _changed(pull: Pull) -> Verdict | None:
    secret = pull.known.secret
    if secret is None or (secret.record is not None and secret.intact):
        return None
    by = f" by {secret.writer}" if secret.writer else ""
    return Verdict(
        cause=Cause.SECRET_CHANGED,
        object=pull.secret,
        why=f"somebody has changed it{by}, and the controller has not repaired it",
        fix="let nothing else write it, and see whether the controller runs: pullkeeper check",
    )


def _not_listed(pull: Pull) -> Verdict | None:
    record, host = pull.record, pull.host
    if record is None or host in record.held:
        return None
    if why := pull.known.status.left_out.get(host.name) if pull.known.status else None:
        return Verdict(
            cause=Cause.REGISTRY_NOT_LISTED,
            object=pull.namespace,
            why=f"{host} is left out of its pull Secret",
            fix=why,
        )
    cause, near = _nearest(host, record.registries)
    return Verdict(
        cause=cause,
        object=pull.namespace,
        why=f"the pull Secret has no entry for {host}, {near}",
        fix=f"add {host} to the annotation {PREFIX}registries of the namespace (or to the installation's registries), "
        "or correct the image",
    )


def _nearest(host: RegistryHost, registries: Sequence[RegistryHost]) -> tuple[Cause, str]:
    held = f"only for {listed(registries)}"
    if any(each.account == host.account and each.region != host.region for each in registries if host.account):
        return Cause.WRONG_REGION, f"{held}: the image is of another region, and a token is valid in one region only"
    if any(each.region == host.region and each.account not in {"", host.account} for each in registries):
        return Cause.WRONG_ACCOUNT, f"{held}: the image is of another account"
    return Cause.REGISTRY_NOT_LISTED, held


def _expired(pull: Pull) -> Verdict | None:
    held = pull.held
    if held is None or pull.known.now < held.expires_at:
        return None
    ago = format_duration(pull.known.now - held.expires_at)
    return Verdict(
        cause=Cause.EXPIRED,
        object=pull.secret,
        why=f"its token for {pull.image.host} expired {ago} ago and has not been replaced",
        fix="see why the controller does not renew it: pullkeeper check; is it running, and does AWS answer it?",
    )


def _answered(pull: Pull) -> Verdict | None:
    """Tell what the registry said to the pull Secret's token."""
    if pull.answer is None:
        return None
    if pull.answer.answer is ManifestAnswer.FOUND:
        return _retrying(pull, "the registry gives the image to the pull Secret's token")
    if pull.answer.answer is ManifestAnswer.DENIED:
        return _denied(pull)
    if pull.answer.answer is ManifestAnswer.REJECTED:
        return Verdict(
            cause=Cause.TOKEN_REJECTED,
            object=pull.secret,
            why=f"{pull.image.host} does not accept its token ({pull.answer.why}), although it has not expired",
            fix=f"ask for another one: pullkeeper refresh -n {pull.pod.namespace}; if that does not help, the session "
            "or the account behind it was closed",
        )
    return None


def _refused(pull: Pull) -> Verdict | None:
    held, failed_at = pull.held, pull.container.failed_at
    if pull.symptom not in REFUSED or held is None:
        return None
    if failed_at is not None and failed_at < held.issued_at:
        return _retrying(pull, "the token has been replaced since")
    return _denied(pull)


def _in_order(pull: Pull) -> Verdict | None:
    if pull.symptom not in CREDENTIAL or not pull.held:
        return None
    return _retrying(pull, "the pod names the pull Secret, which has a valid token for the registry now")


def _unknown(pull: Pull) -> Verdict:
    said = "the kubelet's words do not say why" if pull.words else "the kubelet does not say why any more"
    unread = "" if pull.known.secret_readable else ", and the pull Secret could not be read"
    return Verdict(
        cause=Cause.UNKNOWN,
        object=pull.this_pod,
        why=f"{said}{unread}",
        fix=f"run this again as somebody who may list Secrets and Events in {pull.pod.namespace}, with --ask-registry; "
        f"kubectl describe pod -n {pull.pod.namespace} {pull.pod.name} shows the last attempts",
    )


_RULES: tuple[Rule, ...] = (
    image_rules.never_pull,
    image_rules.invalid_image,
    image_rules.not_ecr,
    image_rules.elsewhere,
    image_rules.throttled,
    image_rules.missing,
    image_rules.public,
    _namespace,
    _not_named,
    _conflict,
    _no_token,
    _no_secret,
    _changed,
    _not_listed,
    _expired,
    _answered,
    _refused,
    _in_order,
    _unknown,
)


def _retrying(pull: Pull, why: str) -> Verdict:
    delete = f"kubectl delete pod -n {pull.pod.namespace} {pull.pod.name}"
    fix = f"wait: the kubelet retries within five minutes; or at once: {delete}"
    return Verdict(cause=Cause.RETRYING, object=pull.this_pod, why=why, fix=fix)


def _denied(pull: Pull) -> Verdict:
    who, host = _principal(pull), pull.host
    arn = f"arn:{host.partition}:ecr:{host.region}:{host.account}:repository/{pull.image.repository}"
    return Verdict(
        cause=Cause.REPOSITORY_DENIED,
        object=arn,
        why=f"{pull.image.host} refuses the image to {who}, whose token is valid",
        fix=f"allow {_ACTIONS} on {arn} to {who}; if that is in another account, the repository's own policy must "
        "allow it as well",
    )


def _principal(pull: Pull) -> str:
    """Return whose token the pull Secret holds for the image's registry; who may get Secrets may not list them."""
    if pull.record is None:
        return "the identity that the pull Secret's token was fetched as"
    identity = pull.record.identities[pull.host]
    return pull.record.principals.get(identity) or identity
