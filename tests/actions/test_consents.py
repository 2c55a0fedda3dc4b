"""Consent: versions are append-only, nobody gets a pair without the current one, and the trail tells no pseudonyms."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.urls import reverse

from annotate import consents
from annotate.access import Denied, Unknown
from annotate.actions import queue
from annotate.actions.consents import answer_consent, make_consent_text
from annotate.actions.judging import Answer, submit
from annotate.actions.people import annotator_for
from annotate.actions.withdrawal import withdraw_annotator
from annotate.models import AuditEntry, Claim, Consent, ConsentText, Judgment, Project, Role, User
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project, make_user


@pytest.fixture
def project(db: None) -> Project:
    made = make_project(claims_in_hand=3, reserve_share=0, validation_share=0)
    for _ in range(8):
        make_comparison(make_pair(made))
    return made


@pytest.fixture
def user(project: Project) -> User:
    return make_member(project)


def ask(project: Project, text: str = "We keep what you judge.") -> ConsentText:
    return make_consent_text(by=None, project=project, text=text)


def claim(user: User, project: Project) -> Claim | None:
    return queue.claim_next(annotator=annotator_for(user, project), claim_id=uuid4())


def test_no_claim_without_consent_and_none_after_declining(project: Project, user: User) -> None:
    assert claim(user, project)  # nothing is asked yet
    text = ask(project)
    with pytest.raises(queue.ConsentNeeded):
        claim(user, project)
    answer_consent(user=user, project=project, version=text.version, given=False)
    with pytest.raises(queue.ConsentNeeded):
        claim(user, project)
    answer_consent(user=user, project=project, version=text.version, given=True)
    assert claim(user, project)
    answer_consent(user=user, project=project, version=text.version, given=False)  # the last answer holds
    with pytest.raises(queue.ConsentNeeded):
        claim(user, project)
    assert [consent.given for consent in Consent.objects.order_by("pk")] == [False, True, False]


def test_what_is_in_hand_may_be_finished_under_a_new_version(project: Project, user: User) -> None:
    ask(project)
    answer_consent(user=user, project=project, version=1, given=True)
    held = claim(user, project)
    assert held
    ask(project, "Another text.")
    with pytest.raises(queue.ConsentNeeded):
        claim(user, project)
    again = queue.claim_next(
        annotator=annotator_for(user, project), claim_id=held.pk
    )  # the same request once more
    assert again == held
    answer = Answer(id=uuid4(), comparison=held.comparison_ids[0], verdict="a", strength=2)
    submit(annotator=annotator_for(user, project), claim_id=held.pk, answers=[answer])
    assert Judgment.objects.count() == 1
    with pytest.raises(queue.Conflict) as refused:
        answer_consent(user=user, project=project, version=1, given=True)
    assert refused.value.code == "consent_changed"
    answer_consent(user=user, project=project, version=2, given=True)
    assert claim(user, project)


def test_offline_claims_need_it_too(project: Project, user: User) -> None:
    ask(project)
    with pytest.raises(queue.ConsentNeeded):
        queue.take_offline(annotator=annotator_for(user, project), claim_ids=[uuid4()])


def test_an_empty_text_ends_the_asking(project: Project, user: User) -> None:
    ask(project)
    ask(project, "   ")
    assert consents.current_text(project) is None and claim(user, project)


def test_versions_count_and_the_same_text_is_none(project: Project) -> None:
    assert [ask(project, text).version for text in ("One.", "One.", "Two.", "One.")] == [1, 1, 2, 3]
    with pytest.raises(ValidationError):
        make_consent_text(by=None, project=make_project(), text=" ")
    with pytest.raises(ValidationError):
        ask(project, "x" * 20_001)


def test_who_may(project: Project, user: User) -> None:
    with pytest.raises(Denied):
        make_consent_text(by=user, project=project, text="Mine.")
    ask(project)
    with pytest.raises(Unknown):
        answer_consent(user=make_user(), project=project, version=1, given=True)


def test_the_trail_says_who_answered_and_names_no_pseudonym(project: Project, user: User) -> None:
    text = ask(project)
    answer_consent(user=user, project=project, version=1, given=True)
    answer_consent(user=user, project=project, version=1, given=True)  # a second press of the button
    entry = AuditEntry.objects.get(by=user)
    assert (entry.deed, entry.subject) == ("give consent", f"consenttext {text.pk}")
    annotator = annotator_for(user, project)
    assert annotator.pseudonym not in str(entry.details) and entry.details == {"version": 1}


def test_managers_see_who_agreed_to_what(project: Project, user: User) -> None:
    text = ask(project)
    answer_consent(user=user, project=project, version=1, given=True)
    decliner, silent = make_member(project), make_member(project)
    answer_consent(user=decliner, project=project, version=1, given=False)
    annotator_for(silent, project)
    make_annotator(project, pseudonym="imported")
    told = {row.username: (row.version, row.given) for row in consents.answered(project)}
    assert told == {user.username: (1, True), decliner.username: (1, False), silent.username: (None, None)}
    assert consents.counts(project, text) == {"agreed": 1, "declined": 1, "silent": 1}
    first = consents.answered(project, size=2)
    assert [*first, *consents.answered(project, first[-1].pseudonym, 2)] == consents.answered(project)


def test_consents_go_with_a_withdrawal(project: Project, user: User) -> None:
    ask(project)
    answer_consent(user=user, project=project, version=1, given=True)
    withdraw_annotator(by=None, annotator=annotator_for(user, project))
    assert not Consent.objects.exists() and ConsentText.objects.count() == 1


def test_the_api_tells_it_by_a_code(project: Project, user: User) -> None:
    ask(project)
    client = Client()
    client.force_login(user, backend="webapp.sessions.Accounts")
    url = f"/api/v1/projects/{project.slug}/claims/"
    refused = client.post(url, {"id": str(uuid4())}, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "consent_needed")
    page = client.get(reverse("consent", args=[project.slug]))
    assert b"We keep what you judge." in page.content
    for wrong in (
        {},
        {"version": "1"},
        {"version": "x", "answer": "agree"},
        {"version": "7", "answer": "agree"},
    ):
        assert client.post(reverse("consent", args=[project.slug]), wrong)["Location"].startswith("/consent/")
    assert not Consent.objects.exists()
    agreed = client.post(reverse("consent", args=[project.slug]), {"version": "1", "answer": "agree"})
    assert agreed["Location"] == reverse("judge", args=[project.slug])
    assert client.post(url, {"id": str(uuid4())}, content_type="application/json").status_code == 200
    assert (
        client.post(reverse("consent", args=[project.slug]), {"version": "1", "answer": "decline"})[
            "Location"
        ]
        == "/"
    )


def test_managers_write_the_text_on_its_page(project: Project, django_assert_max_num_queries) -> None:
    manager = make_member(project, Role.MANAGER)
    client = Client()
    client.force_login(manager, backend="webapp.sessions.Accounts")
    url = reverse("dashboard_consent", args=[project.slug])
    assert client.post(url, {"text": ""}).status_code == 400
    client.post(url, {"text": "# Please read\r\n<b>this</b>"})
    assert ConsentText.objects.get().text == "# Please read\n<b>this</b>"
    for _ in range(4):
        answer_consent(user=make_member(project), project=project, version=1, given=True)
    with django_assert_max_num_queries(12):
        page = client.get(url)
    assert b"&lt;b&gt;this" in page.content and b"4 agreed, 0 declined, 0 did not" in page.content


@pytest.mark.django_db(transaction=True)
def test_declining_while_claims_are_asked_for_gives_none_afterwards() -> None:
    """Whatever the order, a claim that began after the refusal was stored is refused; before it, it may be given."""
    project = make_project(claims_in_hand=40, reserve_share=0, validation_share=0)
    for _ in range(40):
        make_comparison(make_pair(project))
    user = make_member(project)
    ask(project)
    answer_consent(user=user, project=project, version=1, given=True)
    annotator = annotator_for(user, project)
    queue.fill_queue(project.pk, 40)

    def act(number: int) -> str:
        try:
            if number == 8:
                answer_consent(user=user, project=project, version=1, given=False)
                return "declined"
            queue.claim_next(annotator=annotator, claim_id=uuid4())
            return "given"
        except queue.ConsentNeeded:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(act, range(32)))
    assert done.count("declined") == 1
    # The lock puts them in a row: whatever was given had begun before the refusal was noted.
    assert not Claim.objects.filter(created_at__gt=Consent.objects.latest("pk").at).exists()
    with pytest.raises(queue.ConsentNeeded):
        queue.claim_next(annotator=annotator, claim_id=uuid4())


@pytest.mark.django_db(transaction=True)
def test_two_versions_at_once_are_two() -> None:
    project = make_project()

    def write(number: int) -> int:
        try:
            return make_consent_text(by=None, project=project, text=f"Text {number}.").version
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(write, range(12))) == list(range(1, 13))
