"""While annotations are invalid, an existing Secret is maintained as the annotations last requested it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pullkeeper.domain.config.label_selector import LabelSelector, Operator, Requirement
from pullkeeper.domain.config.policy import ANYBODY, EVERY_NAMESPACE, NOBODY, Grant, Matcher, Policy, RoleGrant
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, service_account
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace, observe_namespace
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import fallback_state
from pullkeeper.domain.secret.secret_record import Target
from testsupport.examples import EU, FOREIGN, PUBLIC, US, managed, published, record_of, wanted

ROLE = "arn:aws:iam::123456789012:role/blue"
ON = {"enabled": "true", "registries": str(EU)}
IDENTITIES = [{}, {"role-arn": ROLE}, {"service-account-name": "puller"}]
ALL = Policy(registries=(EU,), roles=(RoleGrant(role=ROLE),), service_accounts=ANYBODY)


def namespace(annotations: Mapping[str, str], **labels: str) -> ObservedNamespace:
    written = {f"{PREFIX}{key}": value for key, value in annotations.items()}
    return observe_namespace({"name": "team-a", "resourceVersion": "1", "annotations": written, "labels": labels})


def requested(annotations: Mapping[str, str], policy: Policy = ALL) -> DesiredState:
    found = desired_state(namespace({**ON, **annotations}), policy)
    assert found is not None
    return found


def secret_of(identity: str) -> ObservedSecret:
    """A Secret that says it was written as this identity."""
    return managed(record_of(published(EU).held, identity, refresh="r"))


@pytest.mark.parametrize("annotations", IDENTITIES)
@pytest.mark.parametrize("invalid", [{"registries": "x"}, {"enabled": "False"}, {"role-arn": "x"}, {"other": "1"}])
def test_last_valid_request_is_frozen(annotations: Mapping[str, str], invalid: Mapping[str, str]) -> None:
    """Whatever has become invalid, and whatever the Secret says now."""
    last = requested({**annotations, "registries": str(US), "refresh-requested-at": "1"})
    broken = namespace({**ON, **annotations, **invalid})
    for secret in (secret_of("controller"), secret_of(ROLE), secret_of("system:serviceaccount:team-a:puller")):
        assert fallback_state(broken, secret, ALL, last) == last


@pytest.mark.parametrize("annotations", IDENTITIES)
def test_nothing_is_frozen_that_the_policy_has_withdrawn(annotations: Mapping[str, str]) -> None:
    """Not even for an existing Secret."""
    last = requested(annotations)
    secret = secret_of(last.identities[EU].name)
    none = Policy(controller_identity=NOBODY)
    assert fallback_state(namespace({**ON, "registries": "x"}), secret, none, last) is None
    only_us = Grant(namespaces=EVERY_NAMESPACE, registries=(str(US),))
    elsewhere = Policy(controller_identity=only_us, roles=(RoleGrant(role=ROLE, registries=(str(US),)),))
    assert fallback_state(namespace({**ON, "registries": "x"}), secret, elsewhere, last) is None


def test_frozen_request_has_the_session_of_the_current_policy() -> None:
    """A new ExternalId is sent from now on."""
    last = requested({"role-arn": ROLE})
    changed = Policy(roles=(RoleGrant(role=ROLE, external_id="new"),))
    found = fallback_state(namespace({**ON, "registries": "x"}), secret_of(ROLE), changed, last)
    assert found is not None
    assert found.identities == requested({"role-arn": ROLE}, changed).identities != last.identities


@pytest.mark.parametrize("annotations", IDENTITIES)
@pytest.mark.parametrize("invalid", [{"registries": "x"}, {"attach-to-service-accounts": "_"}, {"other": "1"}])
def test_restart_continues_where_opt_in_and_identity_are_clear(
    annotations: Mapping[str, str], invalid: Mapping[str, str]
) -> None:
    """The annotations name the identity, and only the registries are taken from the Secret."""
    asked = requested(annotations)
    broken = namespace({**ON, **annotations, **invalid})
    found = fallback_state(broken, secret_of(asked.identities[EU].name), ALL, None)
    assert found == replace(asked, refresh_requested_at="r")


@pytest.mark.parametrize(
    ("annotations", "identity"),
    [
        ({"enabled": "False"}, "controller"),
        ({"enabled": "True "}, "controller"),
        ({"enabled": "False", "role-arn": ROLE}, ROLE),
        ({"role-arn": ROLE, "registries": "x"}, "controller"),
        ({"role-arn": "x"}, "controller"),
        ({"role-arn": "x"}, ROLE),
        ({"service-account-name": "puller", "registries": "x"}, "system:serviceaccount:victim:puller"),
        ({"service-account-name": "puller", "registries": "x"}, "system:serviceaccount:team-a:other"),
        ({"service-account-name": "_"}, "system:serviceaccount:team-a:puller"),
        ({"registries": "x"}, ROLE),
    ],
)
def test_secret_decides_neither_opt_in_nor_identity(annotations: Mapping[str, str], identity: str) -> None:
    """A tenant may write any Secret: after a restart it gives nothing that the annotations do not ask for."""
    assert fallback_state(namespace({**ON, **annotations}), secret_of(identity), ALL, None) is None


def test_restart_continues_beside_any_number_of_unknown_keys() -> None:
    """They say nothing about opt-in and identity."""
    broken = namespace({**ON, **{f"x{number}": "" for number in range(20)}})
    assert fallback_state(broken, secret_of("controller"), ALL, None) == wanted(EU, refresh_requested_at="r")


def test_restart_continues_with_what_an_identity_may_still_fetch() -> None:
    """What the Secret holds for other registries stays as it is."""
    policy = Policy(controller_identity=Grant(namespaces=EVERY_NAMESPACE, registries=(str(EU),)))
    secret = managed(record_of(published(EU, US, PUBLIC).held, refresh="r"))
    found = fallback_state(namespace({"enabled": "true", "other": "1"}), secret, policy, None)
    assert found is not None
    assert found.left_out.keys() == {US, PUBLIC}
    expected = replace(wanted(EU, refresh_requested_at="r"), refused={US: "controller", PUBLIC: "controller"})
    assert replace(found, left_out={}) == expected


def test_several_identities_that_are_withdrawn_leave_what_they_fetched() -> None:
    """Each of its registries stays as it is, by the identity's name."""
    identities = {EU: CONTROLLER, US: Identity(name="controller/a"), PUBLIC: Identity(name="controller/b")}
    last = DesiredState(identities=identities, service_accounts=ServiceAccountNames(names=frozenset({"a"})))
    policy = Policy(controller_identity=Grant(namespaces=EVERY_NAMESPACE, registries=(str(EU),)))
    found = fallback_state(namespace({**ON, "registries": "x"}), secret_of("controller"), policy, last)
    refused = {US: "controller/a", PUBLIC: "controller/b"}
    assert found == replace(last, identities={EU: CONTROLLER}, refused=refused)


def test_restart_continues_where_the_settings_opt_in() -> None:
    """Without the annotation the opt-in of the settings counts, and only that."""
    settings = replace(ALL, opt_in=EVERY_NAMESPACE)
    broken = namespace({"registries": "x"})
    assert fallback_state(broken, secret_of("controller"), settings, None) is not None
    assert fallback_state(broken, secret_of("controller"), ALL, None) is None


@pytest.mark.parametrize("secret", [None, FOREIGN, managed(None, intact=False)])
def test_no_fallback_without_a_readable_secret_of_ours(secret: ObservedSecret | None) -> None:
    """There is nothing to maintain."""
    assert fallback_state(namespace({**ON, "registries": "x"}), secret, ALL, requested({})) is None


def test_fallback_of_an_unreadable_record_is_its_target() -> None:
    """Registries are enough to fetch new tokens; no request counts as answered."""
    secret = managed(None, intact=False, purpose=Target(identities=dict.fromkeys((EU, US), CONTROLLER.name)))
    found = fallback_state(namespace({**ON, "other": "1"}), secret, ALL, None)
    assert found == wanted(EU, US, identity=CONTROLLER)


def test_fallback_depends_on_the_current_namespace() -> None:
    """Its labels of today count, not those of when the Secret was written."""
    blue = LabelSelector(requirements=(Requirement(key="team", operator=Operator.EXISTS),))
    policy = Policy(registries=(EU,), roles=(RoleGrant(role=ROLE, namespaces=Matcher(selector=blue)),))
    broken = {**ON, "role-arn": ROLE, "registries": "x"}
    assert fallback_state(namespace(broken, team="blue"), secret_of(ROLE), policy, None) is not None
    assert fallback_state(namespace(broken), secret_of(ROLE), policy, None) is None


def test_identity_that_is_allowed_still_is_authorized_again() -> None:
    """A role with any path, and a ServiceAccount of this namespace only."""
    view = namespace(ON)
    odd = "arn:aws:iam::123456789012:role/a#b/name"
    policy = Policy(roles=(RoleGrant(role="arn:aws:iam::123456789012:role/*"),), service_accounts=ANYBODY)
    for found in (policy.identity(view, (EU,), role=odd), policy.identity(view, (EU,), account="puller")):
        assert policy.reauthorize(view, found, (EU,)) == found
    assert policy.reauthorize(view, service_account("victim", "puller"), (EU,)) == service_account("team-a", "puller")
    assert Policy(controller_identity=NOBODY).reauthorize(view, Identity(name="controller"), (EU,)) is None
