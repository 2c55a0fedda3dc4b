"""What managers and annotators are told of who may judge what."""

import pytest
from django.test import Client

from annotate.actions import queue
from annotate.actions.exclusion import exclude_annotator
from annotate.actions.members import pause_member
from annotate.actions.pools import ask_of_people, asks, set_pool
from annotate.models import (
    AnnotatorGroup,
    GroupMember,
    Membership,
    Need,
    Pair,
    PoolRule,
    Project,
    Role,
    TaskType,
)
from annotate.pools import nothing_for, unserved, why_nothing
from tests.api.client import Api
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db


def law_project(**fields: object) -> Project:
    project = make_project(reserve_share=0, validation_share=0, **fields)
    pairs = [make_pair(project) for _ in range(3)]
    for pair in pairs:
        make_comparison(pair, k=1)
    law = asks("ko", ["law", "medicine"], any_of=True)
    ask_of_people(by=None, project=project, pair_ids=[pair.pk for pair in pairs[:2]], asked=law)
    return project


def test_what_nobody_may_judge_is_told_until_somebody_may() -> None:
    project = law_project()
    user = make_member(project)
    assert [str(one) for one in unserved(project)] == ["2 pairs need the language ko; nobody active has it."]
    annotator = make_annotator(project, user)
    groups = {
        name: AnnotatorGroup.objects.create(project=project, kind=kind, name=name)
        for kind, name in (("language", "ko"), ("expertise", "medicine"), ("taste", "plain"))
    }
    GroupMember.objects.create(group=groups["ko"], annotator=annotator)
    told = "2 pairs need the expertise law or medicine; nobody active has that."
    assert [str(one) for one in unserved(project)] == [told]
    GroupMember.objects.create(group=groups["medicine"], annotator=annotator)
    assert unserved(project) == []
    pause_member(by=None, membership=Membership.objects.get(user=user))
    assert {one.pairs for one in unserved(project)} == {1, 2}, "who is paused judges nothing"
    Membership.objects.update(paused_at=None)
    set_pool(by=None, group=groups["plain"], task_type=TaskType.TEXT_TO_TEXT)
    assert all("somebody of a pool for text to text" in str(one) for one in unserved(project))
    assert len(unserved(project)) == 2


def test_an_annotator_is_told_that_the_rest_is_for_others_and_a_manager_why() -> None:
    project = law_project()
    user = make_member(project)
    annotator = make_annotator(project, user)
    told = why_nothing(annotator)
    assert "Pairs: 1 still ask for labels" in told and "Not 2: these need the language ko." in told
    api = Api(user, project.slug)
    claim = api.claim()
    assert claim.status == 200
    queue.skip_claim(annotator=annotator, claim_id=claim.body["id"], reason="other")
    refused = api.claim()
    assert refused.error == (409, "not_for_you", "") and "for people with: ko." in refused.text
    exclude_annotator(by=None, annotator=annotator, reason="Careless.")
    assert nothing_for(annotator) == "", "who is excluded is not told anything else than before"
    assert why_nothing(annotator).startswith("Nothing: excluded")
    project.state = "paused"
    project.save()
    assert "The project is paused." in why_nothing(annotator)


def test_who_has_judged_all_there_is_hears_of_nobody_else() -> None:
    project = make_project()
    user = make_member(project)
    assert Api(user, project.slug).claim().status == 204


def test_rules_are_set_and_removed_on_the_page_of_groups() -> None:
    project = law_project()
    client = Client()
    client.force_login(make_member(project, Role.MANAGER))
    url = f"/dashboard/{project.slug}/groups/"
    group = AnnotatorGroup.objects.create(project=project, kind="taste", name="plain")
    sent = {"do": "pool", "group": group.pk, "how": "excludes", "task_type": "text_to_text"}
    page = client.post(url, sent, follow=True).content.decode()
    assert "taste: plain may not judge pairs of text to text" in page and "need the language ko" in page
    rule = PoolRule.objects.get()
    assert rule.excludes
    assert client.post(url, {"do": "remove", "group": group.pk}).status_code == 400, "a rule names it"
    elsewhere = AnnotatorGroup.objects.create(project=make_project(), kind="taste", name="theirs")
    for wrong in ({"group": elsewhere.pk}, {"group": "x"}, {"task_type": "smell"}):
        assert client.post(url, {**sent, **wrong}).status_code == 400
    assert client.post(url, {"do": "unpool", "rule": rule.pk}).status_code == 302
    assert client.post(url, {"do": "unpool", "rule": rule.pk}).status_code == 400
    assert not PoolRule.objects.exists()


def test_a_pair_s_page_says_who_may_judge_it() -> None:
    project = law_project()
    client = Client()
    client.force_login(make_member(project, Role.MANAGER))
    pair = Pair.objects.filter(need__language="ko").first()
    assert pair
    url = f"/admin/annotate/pair/{pair.pk}/act/people/"
    assert 'value="law, medicine"' in client.get(url).content.decode()
    assert client.post(url, {"language": "", "expertise": "law, Law"}).status_code == 200, (
        "told, and nothing written"
    )
    assert client.post(url, {"language": "", "expertise": " law ,physics"}).status_code == 302
    pair.refresh_from_db()
    assert pair.need == Need.objects.get(expertise=["law", "physics"], any_of=False, language="")
