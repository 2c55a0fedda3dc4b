"""Threads: who reads what, what is unread, and that nothing said is ever changed."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotate import review
from annotate.access import Denied, Unknown
from annotate.actions.judging import Invalid
from annotate.actions.review import answer_comment, comment, note_seen, retract_comment
from annotate.models import Annotator, AuditEntry, Comment, Comparison, Project, Role, User
from tests.factories import judge, make_annotator, make_comparison, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def comparison(project: Project) -> Comparison:
    return make_comparison(make_pair(project), k=3)


def judged_by(comparison: Comparison) -> tuple[User, Annotator]:
    project = comparison.pair.project
    user = make_member(project)
    annotator = make_annotator(project, user)
    judge(comparison, "response1", annotator)
    return user, annotator


def texts(annotator: Annotator) -> list[str]:
    return [one.text for thread in review.threads(annotator) for one in thread.comments]


def test_annotators_read_what_was_said_to_them_alone(project: Project, comparison: Comparison) -> None:
    (_, one), (_, other) = judged_by(comparison), judged_by(comparison)
    stranger = make_annotator(project, make_member(project))
    me = make_member(project, Role.REVIEWER)
    said: dict[str, Any] = {"by": me, "project": project, "comparison_id": comparison.pk}
    comment(**said, text="Among us.")
    comment(**said, text="To one.", annotator=one)
    comment(**said, text="To all.", to_all=True)
    assert (texts(one), texts(other), texts(stranger)) == (["To one.", "To all."], ["To all."], [])
    seen = [text.text for text in review.reviewed(project, comparison.pk).comments]
    assert seen == ["Among us.", "To one.", "To all."]
    with pytest.raises(Invalid, match="not judged"):
        comment(**said, text="To nobody.", annotator=stranger)


def test_they_answer_in_their_own_thread(project: Project, comparison: Comparison) -> None:
    (user, one), (_, other) = judged_by(comparison), judged_by(comparison)
    me = make_member(project, Role.REVIEWER)
    place: dict[str, Any] = {"project": project, "comparison_id": comparison.pk}
    with pytest.raises(Unknown):
        answer_comment(by=user, text="Nobody asked.", **place)
    with pytest.raises(Denied):
        comment(by=user, text="As a reviewer?", **place)
    comment(by=me, text="To all.", to_all=True, **place)
    answer_comment(by=user, text="I say.", **place)
    assert (texts(one), texts(other)) == (["To all.", "I say."], ["To all."])
    assert AuditEntry.objects.filter(deed="comment", project=project).count() == 2


def test_what_is_unread_is_counted_by_project(project: Project, comparison: Comparison) -> None:
    user, one = judged_by(comparison)
    me = make_member(project, Role.REVIEWER)
    place: dict[str, Any] = {"project": project, "comparison_id": comparison.pk}
    assert review.unread(user) == {}
    first = comment(by=me, text="To one.", annotator=one, **place)
    second = comment(by=me, text="To all.", to_all=True, **place)
    comment(by=me, text="Among us.", **place)
    assert review.unread(user) == {project.pk: 2} and review.unread(me) == {}
    note_seen(reader=one, comparison=comparison, upto=first.pk)
    assert review.unread(user) == {project.pk: 1} and review.threads(one)[0].unread == 1
    answer_comment(by=user, text="Yes?", **place)
    assert review.unread(me) == {project.pk: 1}
    retract_comment(by=me, project=project, comment_id=second.pk)
    assert review.unread(user) == {}
    note_seen(reader=one, comparison=comparison, upto=0)
    assert review.threads(one)[0].unread == 0, "it never goes back"


def test_an_annotator_counts_nothing_among_reviewers(project: Project, comparison: Comparison) -> None:
    """Who said something there, and is no reviewer any more, or never was."""
    user, one = judged_by(comparison)
    me = make_member(project, Role.REVIEWER)
    place: dict[str, Any] = {"project": project, "comparison_id": comparison.pk}
    first = comment(by=me, text="To one.", annotator=one, **place)
    answer_comment(by=user, text="Yes?", **place)
    note_seen(reader=one, comparison=comparison, upto=first.pk)
    comment(by=me, text="Among us.", **place)
    assert review.unread(user) == {}


def test_what_is_taken_back_stays_as_such(project: Project, comparison: Comparison) -> None:
    user, one = judged_by(comparison)
    me, other = make_member(project, Role.REVIEWER), make_member(project, Role.MANAGER)
    said = comment(by=me, project=project, comparison_id=comparison.pk, text="Wrong.", annotator=one)
    for somebody in (other, user):
        with pytest.raises(Unknown):
            retract_comment(by=somebody, project=project, comment_id=said.pk)
    taken = retract_comment(by=me, project=project, comment_id=said.pk)
    assert retract_comment(by=me, project=project, comment_id=said.pk) == taken
    with pytest.raises(Unknown):
        retract_comment(by=me, project=project, comment_id=taken.pk)
    [thread] = review.threads(one)
    assert thread.comments[0].retracted_by == taken and len(thread.comments) == 1
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Comment.objects.filter(pk=said.pk).update(text="Right.")


def test_too_little_and_too_much(project: Project, comparison: Comparison) -> None:
    me = make_member(project, Role.REVIEWER)
    for text in ("", " \n", "x" * 5001):
        with pytest.raises(Invalid):
            comment(by=me, project=project, comparison_id=comparison.pk, text=text)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="webapp.sessions.Accounts")
    return client


def test_the_page_shows_ones_own_threads_as_text(project: Project, comparison: Comparison) -> None:
    (user, one), (other_user, _) = judged_by(comparison), judged_by(comparison)
    me = make_member(project, Role.REVIEWER)
    place: dict[str, Any] = {"project": project, "comparison_id": comparison.pk}
    comment(by=me, text="Look <b>here</b>.", annotator=one, **place)
    client, url = client_of(user), f"/comments/{project.slug}/"
    text = client.get(url).content.decode()
    assert "Look &lt;b&gt;here&lt;/b&gt;." in text and me.username not in text
    assert "Look" not in client_of(other_user).get(url).content.decode()
    assert "1 unread comment" in client.get("/").content.decode()
    assert "1 unread comment" in client.get(f"/judge/{project.slug}/").content.decode()

    assert client.post(url, {"deed": "answer", "comparison": comparison.pk, "text": " "}).status_code == 400
    done = client.post(url, {"deed": "answer", "comparison": comparison.pk, "text": "I <i>did</i>."})
    assert done.status_code == 302 and review.unread(user) == {}
    assert "I &lt;i&gt;did&lt;/i&gt;." in client.get(url).content.decode()
    mine = Comment.objects.get(author=one)
    client.post(url, {"deed": "retract", "comment": mine.pk})
    assert "did" not in client.get(url).content.decode()
    for given in ({"deed": "answer", "comparison": 0, "text": "Hm."}, {"deed": "retract", "comment": "x"}):
        assert client.post(url, given).status_code == 404
    assert (
        client_of(other_user)
        .post(url, {"deed": "answer", "comparison": comparison.pk, "text": "Me too?"})
        .status_code
        == 404
    )


def test_reviewers_find_what_was_answered(project: Project, comparison: Comparison) -> None:
    user, one = judged_by(comparison)
    me = make_member(project, Role.REVIEWER)
    place: dict[str, Any] = {"project": project, "comparison_id": comparison.pk}
    comment(by=me, text="Why?", annotator=one, **place)
    url = f"/comments/{project.slug}/"
    assert f"/review/{project.slug}/{comparison.pk}/" not in client_of(me).get(url).content.decode()
    answer_comment(by=user, text="Because.", **place)
    assert f"/review/{project.slug}/{comparison.pk}/" in client_of(me).get(url).content.decode()


def test_all_is_read_at_once_and_pages_make_as_many_statements(
    project: Project, comparison: Comparison
) -> None:
    user, one = judged_by(comparison)
    me = make_member(project, Role.REVIEWER)
    client, url = client_of(user), f"/comments/{project.slug}/"
    comment(by=me, project=project, comparison_id=comparison.pk, text="First.", annotator=one)
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for n in range(4):
        other = make_comparison(make_pair(project), f"Number {n}?")
        judge(other, "tie", one)
        comment(by=me, project=project, comparison_id=other.pk, text="Hm.", annotator=one)
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(few) == len(many) and review.unread(user) == {project.pk: 5}
    client.post(url, {"deed": "seen"})
    assert review.unread(user) == {}
