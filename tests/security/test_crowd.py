"""Participants from Prolific: who gets in, whose account nobody else reaches, and what they are told at the end."""

import csv
import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth import SESSION_KEY
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connections
from django.http import SimpleCookie
from django.test import Client
from django.urls import reverse

from annotate.access import Denied, Unknown
from annotate.actions import crowd, members, projects, queue
from annotate.actions.judging import Answer, submit
from annotate.actions.members import pause_member
from annotate.actions.withdrawal import withdraw_annotator
from annotate.integrity import violations
from annotate.members import crowd_state
from annotate.models import Annotator, AuditEntry, CrowdArrival, Membership, Project, Role, User
from tests.admin.conftest import logged_in
from tests.api.client import Api
from tests.factories import make_comparison, make_member, make_pair, make_project, make_user
from tests.queue.trying import make_set, trained, tried

pytestmark = pytest.mark.django_db

PARTICIPANT, STUDY, SESSION = (
    "5f8a1b2c3d4e5f6a7b8c9d0e",
    "60a1b2c3d4e5f6a7b8c9d0e1",
    "61b2c3d4e5f6a7b8c9d0e1f2",
)
OTHER = "6aaaaaaaaaaaaaaaaaaaaaaa"


def study_project(pairs: int = 6, **fields: Any) -> Project:
    given = {"crowd_open": True, "crowd_pairs": 3, "crowd_code": "DONE-1", "crowd_out_code": "OUT-1"}
    project = make_project(reserve_share=0, validation_share=0, **{**given, **fields})
    for _ in range(pairs):
        make_comparison(make_pair(project))
    return project


@pytest.fixture
def project() -> Project:
    return study_project()


@pytest.fixture
def key(project: Project) -> str:
    return crowd.make_crowd_link(by=None, project=project)


def url_of(project: Project, key: str, **changed: str) -> str:
    ids = {"key": key, "PROLIFIC_PID": PARTICIPANT, "STUDY_ID": STUDY, "SESSION_ID": SESSION}
    return f"{reverse('crowd', args=[project.slug])}?{urlencode({**ids, **changed})}"


def come_in(url: str, client: Client | None = None) -> Client:
    client = client or Client()
    assert client.get(url).status_code == 200
    answered = client.post(url)
    assert answered.status_code == 302, answered.content
    return client


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session[SESSION_KEY])


def annotator_of(client: Client) -> Annotator:
    return Annotator.objects.select_related("project").get(user=user_of(client))


def judge_one(annotator: Annotator) -> None:
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    answers = [Answer(id=uuid4(), comparison=one, verdict="a", strength=2) for one in claim.comparison_ids]
    submit(annotator=annotator, claim_id=claim.pk, answers=answers)


def test_a_participant_is_told_what_it_is_and_begins_by_posting(project: Project, key: str) -> None:
    client = Client()
    url = url_of(project, key)
    page = client.get(url).content.decode()
    assert project.name in page and "3 pairs" in page and PARTICIPANT not in page
    assert not CrowdArrival.objects.exists() and not User.objects.exists()
    answered = client.post(url)
    assert answered["Location"] == reverse("judge", args=[project.slug])
    user = user_of(client)
    assert not user.has_usable_password() and not user.is_staff
    assert PARTICIPANT not in repr(User.objects.values().get())
    assert PARTICIPANT not in repr(list(AuditEntry.objects.values()))
    membership = project.memberships.get()
    assert (membership.user, membership.role) == (user, Role.ANNOTATOR)
    arrival = CrowdArrival.objects.get()
    assert (arrival.participant, arrival.study, arrival.session, arrival.pairs) == (
        PARTICIPANT,
        STUDY,
        SESSION,
        3,
    )
    assert client.get(answered["Location"]).status_code == 200


def test_who_comes_back_in_the_same_browser_goes_on(project: Project, key: str) -> None:
    client = come_in(url_of(project, key))
    user = user_of(client)
    client.post("/logout/")
    assert user_of(come_in(url_of(project, key), client)) == user
    assert CrowdArrival.objects.count() == User.objects.count() == 1


def test_nobody_reaches_an_account_by_writing_its_ids(project: Project, key: str) -> None:
    victim = user_of(come_in(url_of(project, key)))
    other = come_in(url_of(project, key, PROLIFIC_PID=OTHER))  # a participant too, with a cookie of their own
    for attacker in (Client(), other):
        before = attacker.session.get(SESSION_KEY)
        attacker.get(url_of(project, key))
        for session in (SESSION, "0" * 24):
            refused = attacker.post(url_of(project, key, SESSION_ID=session))
            assert refused.status_code == 403 and "another browser" in refused.content.decode()
            assert attacker.session.get(SESSION_KEY) == before
        # Nor through another study of the project.
        assert attacker.post(url_of(project, key, STUDY_ID="7" * 24)).status_code == 403
    assert user_of(other) != victim
    assert CrowdArrival.objects.filter(participant=PARTICIPANT).count() == 1


@pytest.mark.parametrize("change", ["", "x", "cut"])
def test_a_forged_cookie_is_none(project: Project, key: str, change: str) -> None:
    client = come_in(url_of(project, key))
    name = "crowd"
    good = client.cookies[name].value
    attacker = Client()
    attacker.cookies = SimpleCookie({name: {"": "", "x": f"x{good}", "cut": good.rpartition(":")[0]}[change]})
    assert attacker.post(url_of(project, key)).status_code == 400
    assert SESSION_KEY not in attacker.session


def test_a_cookie_of_another_project_is_none(project: Project, key: str) -> None:
    client = come_in(url_of(project, key))
    second = study_project()
    other_key = crowd.make_crowd_link(by=None, project=second)
    attacker = Client()
    attacker.cookies = SimpleCookie({"crowd": client.cookies["crowd"].value})
    assert attacker.post(url_of(second, other_key)).status_code == 400


def test_the_cookie_is_for_this_page_alone_and_no_script(project: Project, key: str) -> None:
    client = Client()
    client.get(url_of(project, key))
    cookie = client.cookies["crowd"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == f"/crowd/{project.slug}/"
    assert cookie.value.split(":")[0] not in repr(list(CrowdArrival.objects.values()))


def test_without_the_key_there_is_nothing(project: Project, key: str) -> None:
    paused = study_project(state="paused")
    closed = study_project()
    links = [
        url_of(project, "wrong"),
        url_of(project, ""),
        url_of(closed, ""),
        url_of(paused, crowd.make_crowd_link(by=None, project=paused)),
        url_of(project, key).replace(project.slug, "unknown"),
    ]
    Project.objects.filter(pk=closed.pk).update(crowd_open=False)
    links.append(url_of(closed, crowd.make_crowd_link(by=None, project=closed)))
    for link in links:
        client = Client()
        for answered in (client.get(link), client.post(link)):
            assert answered.status_code == 404 and project.name not in answered.content.decode()
            assert "crowd" not in client.cookies
    assert not User.objects.exists()


def test_a_new_link_ends_the_old_one(project: Project, key: str) -> None:
    new = crowd.make_crowd_link(by=None, project=project)
    assert Client().get(url_of(project, key)).status_code == 404
    assert Client().get(url_of(project, new)).status_code == 200
    assert new not in repr(Project.objects.values().get()) + repr(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    "wrong", ["", "short", "x" * 65, "5f8a1b2c3d4e5f6a7b8c9d0'", "{{%PROLIFIC_PID%}}", "a\x00bcdefghijk"]
)
@pytest.mark.parametrize("name", ["PROLIFIC_PID", "STUDY_ID", "SESSION_ID"])
def test_ids_that_are_none_are_refused(project: Project, key: str, name: str, wrong: str) -> None:
    client = Client()
    client.get(url_of(project, key))
    for answered in (
        client.get(url_of(project, key, **{name: wrong})),
        client.post(url_of(project, key, **{name: wrong})),
    ):
        assert answered.status_code == 400 and "Open the study from Prolific" in answered.content.decode()
    assert not User.objects.exists()


def test_a_forged_beginning_is_refused(project: Project, key: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get(url_of(project, key))
    assert client.post(url_of(project, key)).status_code == 403
    assert not CrowdArrival.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_posts_of_one_browser_are_one_participant() -> None:
    project = study_project(pairs=1)
    key = crowd.make_crowd_link(by=None, project=project)
    start = threading.Barrier(6)

    def post(_: int) -> int:
        try:
            start.wait()
            return crowd.begin(
                slug=project.slug,
                key=key,
                participant=PARTICIPANT,
                study=STUDY,
                session=SESSION,
                browser="one",
            ).pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(post, range(6)))) == 1
    assert CrowdArrival.objects.count() == User.objects.count() == Annotator.objects.count() == 1


def test_the_code_is_told_when_all_is_judged_and_not_before(project: Project, key: str) -> None:
    client = come_in(url_of(project, key))
    annotator = annotator_of(client)
    api = Api(user_of(client), project.slug)
    for judged in range(3):
        told = api.get(f"projects/{project.slug}/")
        assert told.body["crowd"] == {
            "pairs": 3,
            "before": 0,
            "judged": judged,
            "stage": "working",
            "code": "",
            "link": "",
        }
        assert "DONE-1" not in told.text + client.get("/").content.decode()
        judge_one(annotator)
    with pytest.raises(queue.Enough, match="all the pairs that were agreed"):
        queue.claim_next(annotator=annotator, claim_id=uuid4())
    told = api.get(f"projects/{project.slug}/").body["crowd"]
    link = "https://app.prolific.com/submissions/complete?cc=DONE-1"
    assert (told["stage"], told["judged"], told["code"], told["link"]) == ("done", 3, "DONE-1", link)
    home = client.get("/").content.decode()
    assert "DONE-1" in home and link in home and "3 of 3 pairs" in home
    assert reverse("judge", args=[project.slug]) not in home
    assert violations() == {}


def test_whoever_has_begun_keeps_what_was_agreed(project: Project, key: str) -> None:
    annotator = annotator_of(come_in(url_of(project, key)))
    projects.change_project(by=None, project=project, crowd_pairs=1)
    for _ in range(3):
        judge_one(annotator)
    annotator.refresh_from_db()
    state = crowd_state(annotator)
    assert state and (state.pairs, state.stage) == (3, "done")


def test_others_are_asked_nothing_more_for_it(project: Project) -> None:
    user = make_member(project)
    api = Api(user, project.slug)
    assert api.get(f"projects/{project.slug}/").body["crowd"] is None


def test_who_cannot_go_on_gets_the_other_code(project: Project, key: str) -> None:
    client = come_in(url_of(project, key))
    annotator = annotator_of(client)
    pause_member(by=None, membership=project.memberships.get(user=annotator.user))
    state = crowd_state(annotator)
    assert state and (state.stage, state.code) == ("out", "OUT-1")
    assert "OUT-1" in client.get("/").content.decode()


def test_who_finds_nothing_left_gets_the_other_code_until_there_is_more() -> None:
    project = study_project(pairs=1)
    key = crowd.make_crowd_link(by=None, project=project)
    annotator = annotator_of(come_in(url_of(project, key)))

    def stage() -> str:
        annotator.refresh_from_db()
        state = crowd_state(annotator)
        assert state
        return state.stage

    assert stage() == "working"
    judge_one(annotator)
    assert queue.claim_next(annotator=annotator, claim_id=uuid4()) is None
    assert stage() == "out"
    make_comparison(make_pair(project))
    assert stage() == "working"
    judge_one(annotator)
    assert queue.claim_next(annotator=annotator, claim_id=uuid4()) is None
    assert stage() == "out"


@pytest.mark.parametrize("code", ["OUT-1", ""])
def test_who_fails_the_quiz_is_out_and_training_is_none_of_the_pairs_agreed(
    project: Project, key: str, code: str
) -> None:
    settings = {"qualify": True, "quiz_attempts": 1, "claims_in_hand": 1, "crowd_out_code": code}
    Project.objects.filter(pk=project.pk).update(**settings)
    make_set(project, "training", 1)
    make_set(project, "quiz", 1)
    annotator = annotator_of(come_in(url_of(project, key)))
    trained(annotator, 1)
    state = crowd_state(annotator)
    assert state and (state.stage, state.judged) == ("working", 0)
    tried(annotator, False)
    with pytest.raises(queue.NotQualified):
        queue.claim_next(annotator=annotator, claim_id=uuid4())
    state = crowd_state(annotator)
    assert state and (state.stage, state.code, bool(state.link)) == ("out", code, bool(code))


def test_the_same_participant_in_another_study_is_the_same_person(project: Project, key: str) -> None:
    client = come_in(url_of(project, key))
    annotator = annotator_of(client)
    for _ in range(3):
        judge_one(annotator)
    come_in(url_of(project, key, STUDY_ID="7" * 24), client)
    assert User.objects.count() == 1 and CrowdArrival.objects.count() == 2
    annotator.refresh_from_db()
    state = crowd_state(annotator)
    assert state and (state.before, state.judged, state.stage) == (3, 0, "working")
    for _ in range(3):
        judge_one(annotator)
    annotator.refresh_from_db()
    state = crowd_state(annotator)
    assert state and state.stage == "done"


def test_who_was_taken_out_does_not_come_back_by_the_link(project: Project, key: str) -> None:
    client = come_in(url_of(project, key))
    members.remove_member(by=None, membership=project.memberships.get())
    refused = client.post(url_of(project, key))
    assert refused.status_code == 403 and "no more" in refused.content.decode()
    assert not project.memberships.exists()


def test_a_manager_lets_one_in_from_another_browser(project: Project, key: str) -> None:
    user = user_of(come_in(url_of(project, key)))
    arrival = CrowdArrival.objects.get()
    manager = logged_in(make_member(project, Role.MANAGER))
    manager.post(reverse("admin:annotate_crowdarrival_act", args=[arrival.pk, "elsewhere"]))
    second = come_in(url_of(project, key))
    assert user_of(second) == user
    third = Client()
    third.get(url_of(project, key))
    assert third.post(url_of(project, key)).status_code == 403  # the next one, and no other


def test_managers_alone_make_links_and_let_in(project: Project, key: str) -> None:
    come_in(url_of(project, key))
    arrival = CrowdArrival.objects.get()
    for role, error in ((None, Unknown), (Role.ANNOTATOR, Denied), (Role.REVIEWER, Denied)):
        user = make_user(password=None) if role is None else make_member(project, role)
        with pytest.raises(error):
            crowd.make_crowd_link(by=user, project=project)
        with pytest.raises(error):
            crowd.let_in_elsewhere(by=user, arrival=arrival)


def test_managers_see_who_came_and_how_far_they_are(project: Project, key: str) -> None:
    annotator = annotator_of(come_in(url_of(project, key)))
    judge_one(annotator)
    come_in(url_of(project, key, PROLIFIC_PID=OTHER))
    client = logged_in(make_member(project, Role.MANAGER))
    page = client.get(reverse("admin:annotate_crowdarrival_changelist")).content.decode()
    assert PARTICIPANT in page and OTHER in page
    answered = client.get(reverse("crowd_arrivals", args=[project.slug]))
    rows = list(csv.DictReader(io.StringIO(answered.content.decode())))
    assert [(row["participant"], row["judged"], row["done"]) for row in rows] == [
        (PARTICIPANT, "1", "no"),
        (OTHER, "0", "no"),
    ]
    link = client.post(
        reverse("admin:annotate_project_act", args=[project.pk, "crowd-link"])
    ).content.decode()
    assert "PROLIFIC_PID={{%PROLIFIC_PID%}}&amp;STUDY_ID={{%STUDY_ID%}}" in link


def test_open_to_prolific_needs_a_code(project: Project) -> None:
    with pytest.raises(ValidationError, match="completion code"):
        projects.change_project(by=None, project=project, crowd_code="")
    with pytest.raises(ValidationError, match="letters, digits"):
        projects.change_project(by=None, project=project, crowd_code="a b?c")


def test_a_withdrawal_takes_the_arrival_along(project: Project, key: str) -> None:
    annotator = annotator_of(come_in(url_of(project, key)))
    judge_one(annotator)
    withdraw_annotator(by=None, annotator=annotator)
    assert not CrowdArrival.objects.exists() and not Membership.objects.exists()


def test_no_release_tells_who_a_participant_is(project: Project, key: str, tmp_path: Path) -> None:
    client = come_in(url_of(project, key))
    for _ in range(3):
        judge_one(annotator_of(client))
    call_command(
        "export_bench", "--project", project.slug, "--out", str(tmp_path / "out"), "--min-labels", "1"
    )
    assert json.loads((tmp_path / "out/MANIFEST.json").read_text())
    secrets = [PARTICIPANT, STUDY, SESSION, user_of(client).username]
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 3
    for path in written:
        told = _plain(path)
        assert not [one for one in secrets if one.encode() in told], path


def _plain(path: Path) -> bytes:
    """What a file says, columns of Parquet written out: these are compressed."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return repr(pq.read_table(path).to_pylist()).encode()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    return path.read_bytes()
