"""The admin in a browser: every page without a violation of the policy; a job's bar that moves by itself."""

from collections.abc import Callable

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.models import Job, JobState, Role, User
from tests.admin.conftest import Site, make_site
from tests.admin.test_who_sees_what import JUDGED, MODELS
from tests.factories import make_member, make_user

SignIn = Callable[[User], None]
ACTS = {
    "project": ("export", "pause", "close", "raise-k"),
    "criterion": ("apply", "merge"),
    "claim": ("release",),
    "annotator": ("withdraw",),
}


@pytest.fixture
def ours(page: Page) -> Site:
    return make_site("Ours")


@pytest.mark.parametrize("who", ["reviewer", "manager", "superuser"])
def test_every_page_obeys_the_policy(who: str, ours: Site, page: Page, sign_in: SignIn) -> None:
    """The fixture `page` fails on whatever the console or the network shows."""
    user = make_user("boss", superuser=who == "superuser", password=None)
    if who != "superuser":
        make_member(ours.project, Role(who), user)
    sign_in(user)
    urls = [reverse("admin:index"), reverse("admin:password_change")]
    for model in JUDGED if who == "reviewer" else MODELS:
        row = ours.rows[model]
        urls.append(reverse(f"admin:annotate_{model}_changelist"))
        urls.append(reverse(f"admin:annotate_{model}_change", args=[row.pk]))
        if who != "reviewer":
            urls += [
                reverse(f"admin:annotate_{model}_act", args=[row.pk, name]) for name in ACTS.get(model, ())
            ]
    if who != "reviewer":
        urls.append(reverse("admin:annotate_dataimport_add"))
        urls.append(reverse("admin:annotate_project_learning", args=[ours.project.pk]))
        urls.append(reverse("admin:annotate_project_history", args=[ours.project.pk]))
    if who == "superuser":
        urls += [reverse(f"admin:annotate_{name}_add") for name in ("project", "user")]
        urls += [
            reverse("admin:annotate_user_changelist"),
            reverse("admin:annotate_user_change", args=[user.pk]),
        ]
    for url in urls:
        answer = page.goto(url)
        assert answer and answer.status == 200, url


def test_members_are_added_in_the_page_of_the_project(ours: Site, page: Page, sign_in: SignIn) -> None:
    manager = make_member(ours.project, Role.MANAGER, make_user("boss", password=None))
    make_user("new", password=None)
    sign_in(manager)
    page.goto(reverse("admin:annotate_project_change", args=[ours.project.pk]))
    page.get_by_role("button", name="Add another Member").click()
    page.locator("input[name$=-username]:enabled").first.fill("new")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert ours.project.memberships.filter(user__username="new", role=Role.ANNOTATOR).exists()


def test_a_job_is_followed_without_touching_the_page(ours: Site, page: Page, sign_in: SignIn) -> None:
    sign_in(make_member(ours.project, Role.MANAGER, make_user("boss", password=None)))
    jobs = Job.objects.filter(pk=ours.rows["release"].job_id)
    jobs.update(state=JobState.RUNNING, done=0, total=None, step="freezing")
    page.goto(reverse("admin:annotate_job_progress", args=[jobs.get().pk]))
    bar = page.locator("progress")
    expect(page.get_by_role("status")).to_have_text("running freezing")
    expect(bar).not_to_have_attribute("value", "0")

    jobs.update(done=250, total=1000, step="writing rows")
    expect(page.get_by_role("status")).to_have_text("running writing rows")
    expect(page.locator("[data-share]")).to_have_text("250 of 1,000")
    assert bar.evaluate("bar => bar.position") == 0.25

    jobs.update(state=JobState.FAILED, error="The disk is full.", ended_at=timezone.now())
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    page.get_by_role("link", name="Retry").click()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("queued")
    assert jobs.get().error == ""
