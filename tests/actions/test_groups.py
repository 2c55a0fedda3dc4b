"""Groups of annotators: made, filled by managers, by a CSV and by what people say of themselves."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotate.access import Denied
from annotate.actions import groups, withdrawal
from annotate.actions.consents import make_consent_text
from annotate.models import Annotator, AnnotatorGroup, AuditEntry, GroupMember, Project, Role
from tests.factories import make_annotator, make_member, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


def make(project: Project, name: str, kind: str = "language", **fields: Any) -> AnnotatorGroup:
    return groups.make_group(by=None, project=project, kind=kind, name=name, **fields)


def groups_of(annotator: Annotator) -> list[AnnotatorGroup]:
    return list(AnnotatorGroup.objects.filter(members__annotator=annotator))


def test_names_are_unique_by_kind_and_kinds_are_known(project: Project) -> None:
    assert make(project, "  Korean \n speakers ").name == "Korean speakers"
    make(project, "Korean speakers", "taste")
    for name, kind in (("Korean speakers", "language"), ("", "taste"), ("x" * 61, "taste"), ("a", "shoes")):
        with pytest.raises(ValidationError):
            make(project, name, kind)
    with pytest.raises(Denied):
        groups.make_group(by=make_member(project), project=project, kind="taste", name="mine")


def test_set_by_a_manager(project: Project) -> None:
    korean, english = make(project, "Korean"), make(project, "English")
    annotator = make_annotator(project)
    groups.set_groups(by=None, annotator=annotator, groups=[korean, english])
    groups.set_groups(by=None, annotator=annotator, groups=[english])
    assert [group.name for group in groups_of(annotator)] == ["English"]
    with pytest.raises(ValidationError):
        groups.set_groups(by=None, annotator=annotator, groups=[make(make_project(), "English")])
    groups.remove_group(by=None, group=english)
    assert not groups_of(annotator) and Annotator.objects.filter(pk=annotator.pk).exists()


def test_read_from_a_csv_all_or_nothing(project: Project) -> None:
    make(project, "Korean")
    ada = make_annotator(project, pseudonym="ada")
    make_annotator(project, pseudonym="bob")
    make_annotator(make_project(), pseudonym="eve")

    def read(text: str) -> int:
        return groups.read_members(by=None, project=project, text=text)

    head = "annotator,kind,group\r\n"
    assert read(f"\ufeff{head}ada,language,Korean\r\nada,language,Korean\r\n") == 1
    assert read(f"{head}ada,language,Korean\nbob,language,Korean\n") == 1
    for text, told in (
        ("annotator,group\nada,Korean\n", "kind is missing"),
        ("", "is missing"),
        (f"{head}eve,language,Korean\n", "Line 2: there is no annotator 'eve'"),
        (f"{head}bob,language,Korean\nada,language,French\n", "Line 3: there is no group language: French"),
        (f"{head}ada\n", "Line 2: there is no group"),
    ):
        with pytest.raises(ValidationError, match=told):
            read(text)
    assert GroupMember.objects.count() == 2 and len(groups_of(ada)) == 1


def test_declared_on_the_consent_page(project: Project) -> None:
    asked, unasked = make(project, "Korean", asked=True), make(project, "Experts", "expertise")
    foreign = make(make_project(), "Elsewhere", asked=True)
    make_consent_text(by=None, project=project, text="We keep it.")
    user = make_member(project)
    client = Client()
    client.force_login(user, backend="webapp.sessions.Accounts")
    url = reverse("consent", args=["ours"])
    page = client.get(url).content.decode()
    assert "Korean" in page and "Experts" not in page and "Elsewhere" not in page
    sent = {"version": "1", "answer": "agree", "groups": [asked.pk, unasked.pk, foreign.pk, "x", "9" * 30]}
    assert client.post(url, sent).status_code == 302
    member = GroupMember.objects.get()
    assert member.group == asked and member.declared
    annotator = Annotator.objects.get(user=user)
    groups.set_groups(by=None, annotator=annotator, groups=[asked, unasked])
    assert "checked" in client.get(url).content.decode()
    client.post(url, {"version": "1", "answer": "agree"})  # it may be taken back; what a manager set stays
    assert groups_of(annotator) == [unasked]
    trail = AuditEntry.objects.filter(by=user, deed="declare groups")
    assert trail.count() == 2 and {entry.subject for entry in trail} == {f"project {project.pk}"}
    other = make_member(project)
    client.force_login(other, backend="webapp.sessions.Accounts")
    client.post(url, {"version": "1", "answer": "decline", "groups": [asked.pk]})
    assert not GroupMember.objects.filter(annotator__user=other).exists()


def test_who_withdraws_and_stays_without_a_name_is_in_no_group(project: Project) -> None:
    Project.objects.update(withdrawal="anonymise")
    user = make_member(project)
    annotator = make_annotator(project, user)
    groups.set_groups(by=None, annotator=annotator, groups=[make(project, "Korean")])
    withdrawal.withdraw_myself(user=user, project=project)
    assert Annotator.objects.filter(pk=annotator.pk).exists() and not GroupMember.objects.exists()


def test_the_page_of_groups(project: Project) -> None:
    client = Client()
    client.force_login(make_member(project, Role.MANAGER), backend="webapp.sessions.Accounts")
    url = reverse("groups", args=["ours"])
    assert (
        client.post(url, {"do": "make", "kind": "taste", "name": "<b>plain</b>", "asked": "on"}).status_code
        == 302
    )
    group = AnnotatorGroup.objects.get()
    assert group.asked and "&lt;b&gt;plain" in client.get(url).content.decode()
    make_annotator(project, pseudonym="ada")
    file = SimpleUploadedFile("members.csv", b"annotator,kind,group\nada,taste,<b>plain</b>\n")
    assert client.post(url, {"do": "read", "file": file}).status_code == 302
    assert group.members.count() == 1
    for wrong in (
        {"do": "make", "kind": "taste", "name": "<b>plain</b>"},
        {"do": "read"},
        {"do": "read", "file": SimpleUploadedFile("x.csv", b"\xff\xfe\x00")},
        {"do": "remove", "group": "x"},
        {"do": "fly"},
    ):
        refused = client.post(url, wrong)
        assert refused.status_code == 400 and b'role="alert"' in refused.content
    foreign = make(make_project(), "Elsewhere")
    assert client.post(url, {"do": "remove", "group": foreign.pk}).status_code == 400
    client.post(url, {"do": "remove", "group": group.pk})
    assert list(AnnotatorGroup.objects.all()) == [foreign]
