"""The admin is open to managers for their projects, to reviewers for what was judged in theirs, to superusers for all."""

import pytest
from django.test import Client
from django.urls import reverse

from annotate import audit
from annotate.models import AuditEntry, Role, User
from tests.admin.conftest import Site, logged_in
from tests.factories import make_member, make_user

MODELS = (
    "project",
    "annotator",
    "asset",
    "pair",
    "criterion",
    "judgment",
    "draw",
    "claim",
    "crowdarrival",
    "invitation",
    "membership",
    "job",
    "dataimport",
    "release",
    "criteriarun",
    "proposal",
    "auditentry",
)


JUDGED = ("asset", "pair", "criterion", "judgment")  # what reviewers see


def change_url(site: Site, model: str) -> str:
    return reverse(f"admin:annotate_{model}_change", args=[site.rows[model].pk])


@pytest.mark.parametrize("model", MODELS)
def test_lists_show_a_manager_their_own_and_a_superuser_all(
    model: str, ours: Site, theirs: Site, as_manager: Client, as_root: Client
) -> None:
    url = reverse(f"admin:annotate_{model}_changelist")
    links = [change_url(site, model) for site in (ours, theirs)]
    seen = [[link in client.get(url).content.decode() for link in links] for client in (as_manager, as_root)]
    assert seen == [[True, False], [True, True]]


@pytest.mark.parametrize("model", MODELS)
def test_pages_of_a_foreign_project_do_not_exist(
    model: str, ours: Site, theirs: Site, as_manager: Client, as_root: Client
) -> None:
    for client in (as_manager, as_root):
        assert client.get(change_url(ours, model), follow=True).status_code == 200
    assert as_root.get(change_url(theirs, model), follow=True).status_code == 200
    for method in (as_manager.get, as_manager.post):
        answer = method(change_url(theirs, model), follow=True)
        assert answer.status_code == 404
        assert b"Secret" not in answer.content


@pytest.mark.parametrize(
    "name",
    [
        "annotate_job_progress",
        "annotate_job_progress_json",
        "annotate_project_learning",
    ],
)
def test_further_pages(name: str, ours: Site, theirs: Site, as_manager: Client) -> None:
    kind = "project" if "project" in name else "job"
    assert as_manager.get(reverse(f"admin:{name}", args=[ours.rows[kind].pk])).status_code == 200
    assert as_manager.get(reverse(f"admin:{name}", args=[theirs.rows[kind].pk])).status_code == 404


@pytest.mark.parametrize("role", [None, Role.ANNOTATOR])
def test_others_stay_outside(role: Role | None, ours: Site) -> None:
    user = make_member(ours.project, role, make_user(password=None)) if role else None
    client = logged_in(user) if user else Client()
    for url in (reverse("admin:index"), change_url(ours, "pair"), reverse("admin:annotate_dataimport_add")):
        answer = client.get(url, follow=True)
        assert b"Secret" not in answer.content and b"Import pairs" not in answer.content
        assert answer.status_code == (403 if user else 200)
        if not user:
            assert answer.redirect_chain[-1][0].startswith(reverse("login"))


def test_accounts_are_for_superusers(as_manager: Client, as_root: Client, manager: User) -> None:
    for name, args in (("changelist", []), ("add", []), ("change", [manager.pk])):
        url = reverse(f"admin:annotate_user_{name}", args=args)
        assert (as_manager.get(url).status_code, as_root.get(url).status_code) == (403, 200)


def test_index_and_site_pages(ours: Site, as_manager: Client, as_root: Client) -> None:
    for client in (as_manager, as_root):
        assert client.get(reverse("admin:index")).status_code == 200
        assert client.get(reverse("admin:app_list", args=["annotate"])).status_code == 200
    assert b"axes" not in as_manager.get(reverse("admin:index")).content.lower()


def test_a_pair_is_shown_with_what_was_judged_of_it(ours: Site, as_manager: Client) -> None:
    page = as_manager.get(change_url(ours, "pair")).content.decode()
    for text in ("Secret prompt of Ours?", "Secret criterion of Ours", "Secret rationale of Ours", "model-x"):
        assert text in page


@pytest.mark.parametrize("model", ["judgment", "pair", "auditentry", "draw", "claim"])
def test_what_is_only_read_cannot_be_posted(model: str, ours: Site, as_root: Client) -> None:
    assert as_root.post(change_url(ours, model), {"verdict": "tie"}).status_code == 403
    delete = reverse(f"admin:annotate_{model}_delete", args=[ours.rows[model].pk])
    assert as_root.post(delete, {"post": "yes"}).status_code == 403
    add = reverse(f"admin:annotate_{model}_add")
    assert as_root.get(add).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "salt__startswith=0",
        "pseudonym_key__gt=0",
        "memberships__user__password__startswith=p",
        "project__salt__startswith=0",
    ],
)
def test_a_query_string_does_not_feel_its_way_through_columns(
    query: str, ours: Site, as_manager: Client
) -> None:
    for model in ("project", "pair", "annotator", "job"):
        url = reverse(f"admin:annotate_{model}_changelist")
        assert as_manager.get(f"{url}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("model", "term", "found"),
    [
        ("pair", "Ours-r", True),
        ("pair", "{pair}", True),
        ("pair", "row", False),
        ("criterion", "Secret crit", True),
        ("criterion", "{criterion}", True),
        ("judgment", "{pair}", True),
        ("judgment", "{judgment}", True),
        ("judgment", "nobody", False),
        ("claim", "{claim}", True),
        ("claim", "not an id", False),
        ("draw", "{draw_pair}", True),
        ("annotator", "annotator-", True),
        ("annotator", "Ours-anno", True),
        ("project", "our", True),
    ],
)
def test_search(model: str, term: str, found: bool, ours: Site, theirs: Site, as_manager: Client) -> None:
    ids = {name: str(row.pk) for name, row in ours.rows.items()} | {"draw_pair": ours.rows["draw"].pair_id}
    url = reverse(f"admin:annotate_{model}_changelist")
    page = as_manager.get(url, {"q": term.format(**ids)}).content.decode()
    assert (change_url(ours, model) in page) == found
    assert change_url(theirs, model) not in page


def test_search_of_another_projects_rows_finds_nothing(ours: Site, theirs: Site, as_manager: Client) -> None:
    for model in ("pair", "criterion", "judgment", "claim"):
        url = reverse(f"admin:annotate_{model}_changelist")
        page = as_manager.get(url, {"q": str(theirs.rows[model].pk)}).content.decode()
        assert change_url(theirs, model) not in page


def test_filter_by_project(ours: Site, theirs: Site, as_root: Client) -> None:
    for model in ("pair", "judgment", "claim", "job"):
        url = reverse(f"admin:annotate_{model}_changelist")
        page = as_root.get(url, {"project": ours.project.pk}).content.decode()
        assert change_url(ours, model) in page and change_url(theirs, model) not in page


@pytest.fixture
def as_reviewer(ours: Site) -> Client:
    return logged_in(make_member(ours.project, Role.REVIEWER, make_user("reviewer", password=None)))


def test_a_reviewer_is_offered_what_was_judged_and_nothing_else(ours: Site, as_reviewer: Client) -> None:
    page = as_reviewer.get(reverse("admin:index")).content.decode()
    lists = {model: reverse(f"admin:annotate_{model}_changelist") for model in MODELS}
    assert {model for model, url in lists.items() if f'"{url}"' in page} == set(JUDGED)
    assert "/add/" not in page
    for model in set(MODELS) - set(JUDGED):
        assert as_reviewer.get(lists[model]).status_code == 403


@pytest.mark.parametrize("model", JUDGED)
def test_a_reviewer_reads_what_was_judged_in_their_project(
    model: str, ours: Site, theirs: Site, as_reviewer: Client
) -> None:
    page = as_reviewer.get(reverse(f"admin:annotate_{model}_changelist")).content.decode()
    assert change_url(ours, model) in page and change_url(theirs, model) not in page
    assert "Ours" in page and "Theirs" not in page  # nor is it named in the filter
    read = as_reviewer.get(change_url(ours, model))
    assert read.status_code == 200
    assert "/act/" not in read.content.decode() and 'name="_save"' not in read.content.decode()
    assert as_reviewer.post(change_url(ours, model), {"text": "x", "verdict": "tie"}).status_code == 403
    for method in (as_reviewer.get, as_reviewer.post):
        assert method(change_url(theirs, model)).status_code == 404


def test_a_reviewer_sees_comparisons_and_judgments_of_a_pair(ours: Site, as_reviewer: Client) -> None:
    page = as_reviewer.get(change_url(ours, "pair")).content.decode()
    for text in ("Secret prompt of Ours?", "Secret criterion of Ours", "Secret rationale of Ours"):
        assert text in page
    found = as_reviewer.get(
        reverse("admin:annotate_judgment_changelist"), {"q": ours.rows["annotator"].pseudonym}
    )
    assert change_url(ours, "judgment") in found.content.decode()


def test_who_manages_one_project_and_reviews_another_acts_in_the_first_alone(
    ours: Site, theirs: Site, manager: User, as_manager: Client
) -> None:
    make_member(theirs.project, Role.REVIEWER, manager)
    urls = [change_url(site, "criterion") for site in (ours, theirs)]
    page = as_manager.get(reverse("admin:annotate_criterion_changelist")).content.decode()
    assert all(url in page for url in urls)
    assert ["/act/merge/" in as_manager.get(url).content.decode() for url in urls] == [True, False]
    act = [
        reverse("admin:annotate_criterion_act", args=[s.rows["criterion"].pk, "apply"])
        for s in (ours, theirs)
    ]
    assert [as_manager.post(url).status_code for url in act] == [302, 403]
    jobs = as_manager.get(reverse("admin:annotate_job_changelist")).content.decode()
    assert change_url(ours, "job") in jobs and change_url(theirs, "job") not in jobs


def test_history_of_a_deed_that_belongs_to_no_project(ours: Site, as_root: Client, root: User) -> None:
    audit.record(root, "create user", root)
    entry = AuditEntry.objects.get(deed="create user")
    for page in ("change", "history"):
        assert as_root.get(reverse(f"admin:annotate_auditentry_{page}", args=[entry.pk])).status_code == 200
