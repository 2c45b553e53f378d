"""The judge of versions notices each invariant that is broken, and nothing else."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from testsupport.chaos.judge import Judge, satisfied
from testsupport.fake_aws.records import IssuedToken, Principal
from testsupport.fake_aws.tokens import TOKEN_MARKER, TokenMint
from testsupport.installation import IRELAND, VIRGINIA

WHO = Principal(arn="arn:aws:iam::123456789012:user/one", account="123456789012", user_id="one")
LIFE = timedelta(minutes=2)
TEAM = "team"


@dataclass
class Scene:
    """A namespace that is opted in, and a clock that a test moves."""

    now: datetime = datetime(2026, 11, 27, 12, tzinfo=UTC)
    versions: int = 0
    judge: Judge = field(init=False)
    mint: TokenMint = field(init=False)

    def __post_init__(self) -> None:
        self.mint = TokenMint(lambda: self.now, set())
        self.judge = Judge(token_of=self.mint.find, clock=lambda: self.now)
        self.judge.wanted[TEAM] = frozenset({IRELAND})

    def token(self, region: str = "eu-west-1", life: timedelta = LIFE) -> IssuedToken:
        return self.mint.issue(WHO, region=region, public=False, life=life)

    def secret(self, auths: dict[str, str], uid: str = "1", **metadata: Any) -> dict[str, Any]:
        self.versions += 1
        content = json.dumps({"auths": {host: {"auth": auth} for host, auth in auths.items()}}).encode()
        named = {"namespace": TEAM, "uid": uid, "resourceVersion": str(self.versions)}
        labels = {"app.kubernetes.io/managed-by": "pullkeeper"}
        return {
            "metadata": named | {"labels": labels} | metadata,
            "data": {".dockerconfigjson": base64.b64encode(content).decode()},
        }

    def fresh(self, **metadata: Any) -> dict[str, Any]:
        return self.secret({IRELAND: self.token().authorization_token}, **metadata)


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.judge.take("ADDED", scene.fresh())
    return scene


def test_rotations_in_time_break_nothing(scene: Scene) -> None:
    """Nor does a deletion that the test has made, or one after an opt-out."""
    for _ in range(5):
        scene.now += LIFE / 2
        scene.judge.take("MODIFIED", scene.fresh())
    scene.judge.expect_deletion(TEAM)
    scene.judge.take("DELETED", scene.fresh())
    scene.judge.take("ADDED", scene.fresh(uid="2"))
    scene.judge.sweep()
    del scene.judge.wanted[TEAM]
    scene.judge.take("DELETED", scene.fresh())
    assert (scene.judge.broken, scene.judge.versions) == ([], 9)


def older(scene: Scene) -> None:
    auth = scene.token(life=LIFE / 2).authorization_token
    scene.judge.take("MODIFIED", scene.secret({IRELAND: auth}))


def dropped(scene: Scene) -> None:
    scene.judge.take("MODIFIED", scene.secret({}))


def replaced(scene: Scene) -> None:
    scene.judge.take("MODIFIED", scene.fresh(uid="2"))


def deleted(scene: Scene) -> None:
    scene.judge.take("DELETED", scene.fresh())


def late(scene: Scene) -> None:
    scene.now += 2 * LIFE
    scene.judge.take("MODIFIED", scene.fresh())


def forgotten(scene: Scene) -> None:
    scene.now += 2 * LIFE
    scene.judge.sweep()


def stranger(scene: Scene) -> None:
    scene.judge.foreign.add(TEAM)
    scene.judge.take("MODIFIED", scene.fresh())


def unlabelled(scene: Scene) -> None:
    scene.judge.take("MODIFIED", scene.fresh(labels={}))


def shown(scene: Scene) -> None:
    scene.judge.take("MODIFIED", scene.fresh(annotations={"note": f"{TOKEN_MARKER}.1"}))


def invented(scene: Scene) -> None:
    scene.judge.take("MODIFIED", scene.secret({IRELAND: "QVdTOm5vdGhpbmc="}))


def of_another_region(scene: Scene) -> None:
    auth = scene.token("us-east-1").authorization_token
    scene.judge.take("MODIFIED", scene.secret({IRELAND: auth}))


BREACHES: dict[Callable[[Scene], None], str] = {
    older: "never worse: team has an older token",
    dropped: "never worse: team lost its entry",
    replaced: "in place: the Secret in team is another object",
    deleted: "opt-out cleans up, a slip does not",
    late: "never stale",
    forgotten: "never stale",
    stranger: "only ours: somebody else's Secret",
    unlabelled: "only ours: the Secret in team has no label",
    shown: "the token is only in the data",
    invented: "what AWS has not issued",
    of_another_region: "what AWS has not issued",
}


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.__name__)
def test_each_breach_is_noticed(scene: Scene, breach: Callable[[Scene], None]) -> None:
    breach(scene)
    assert BREACHES[breach] in scene.judge.broken[0]


def test_a_restored_etcd_excuses_what_was_there_before(scene: Scene) -> None:
    scene.judge.history_went_back()
    older(scene)
    assert scene.judge.broken == []


def test_what_was_asked_for_is_compared_with_what_is_there(scene: Scene) -> None:
    """Its hosts, and that each token is good now."""
    good = scene.fresh()
    assert satisfied(scene.judge, {TEAM: good, "left": None}) == []
    two = {host: scene.token().authorization_token for host in (IRELAND, VIRGINIA)}
    for wrong in (None, scene.secret(two), scene.secret({})):
        assert satisfied(scene.judge, {TEAM: wrong}) == [TEAM]
    assert satisfied(scene.judge, {"left": good}) == ["left"]
    scene.now += 2 * LIFE
    assert satisfied(scene.judge, {TEAM: good}) == [TEAM]


def test_a_request_for_fresh_tokens_is_to_be_answered(scene: Scene) -> None:
    """By the Secret's own annotation; whether a request has outlived a restored etcd is not known."""
    scene.judge.refreshes[TEAM] = "2"
    answered = {value: scene.fresh(annotations={"pullkeeper.dev/refresh-requested-at": value}) for value in "12"}
    assert satisfied(scene.judge, {TEAM: answered["2"]}) == []
    for unanswered in (answered["1"], scene.fresh()):
        assert satisfied(scene.judge, {TEAM: unanswered}) == [TEAM]
    scene.judge.history_went_back()
    assert satisfied(scene.judge, {TEAM: answered["1"]}) == []
