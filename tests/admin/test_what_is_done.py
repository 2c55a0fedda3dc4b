"""What managers do in the admin goes through the actions: it takes effect, leaves audit rows, and asks first."""

import json
import re
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.actions.jobs import run_job
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    Comparison,
    Criterion,
    DataImport,
    Exclusion,
    Gold,
    Job,
    JobKind,
    JobState,
    Judgment,
    Membership,
    Outcome,
    Project,
    ProjectState,
    Release,
    Report,
    Role,
    User,
)
from annotate.reports import full_report
from tests.admin.conftest import Site, project_form
from tests.factories import make_member, make_user


def act(client: Client, model: str, pk: object, name: str, **data: Any) -> Any:
    url = reverse(f"admin:annotate_{model}_act", args=[pk, name])
    assert client.get(url).status_code == 200  # asks, and changes nothing
    return client.post(url, data, follow=True)


def deeds(project: Project) -> list[str]:
    found = AuditEntry.objects.filter(project=project).exclude(deed="step").order_by("pk")
    return list(found.values_list("deed", flat=True))


def test_pause_open_close(ours: Site, as_manager: Client, manager: User) -> None:
    for name, state in (
        ("pause", ProjectState.PAUSED),
        ("close", ProjectState.CLOSED),
        ("open", ProjectState.OPEN),
    ):
        assert act(as_manager, "project", ours.project.pk, name).status_code == 200
        ours.project.refresh_from_db()
        assert ours.project.state == state
    assert deeds(ours.project) == ["pause project", "close project", "open project"]
    assert set(AuditEntry.objects.filter(deed__endswith="project").values_list("by", flat=True)) == {
        manager.pk
    }


def test_list_actions_reach_own_projects_only(ours: Site, theirs: Site, as_manager: Client) -> None:
    chosen = {"action": "pause", "_selected_action": [ours.project.pk, theirs.project.pk]}
    as_manager.post(reverse("admin:annotate_project_changelist"), chosen)
    states = dict(Project.objects.values_list("name", "state"))
    assert states == {"Ours": "paused", "Theirs": "open"}


def test_foreign_and_unknown_acts_do_not_exist(ours: Site, theirs: Site, as_manager: Client) -> None:
    for pk, name in ((theirs.project.pk, "pause"), (ours.project.pk, "explode")):
        url = reverse("admin:annotate_project_act", args=[pk, name])
        assert as_manager.post(url).status_code == 404
    assert set(Project.objects.values_list("state", flat=True)) == {"open"}


def test_project_made_by_a_superuser_alone(db: None, ours: Site, as_manager: Client, as_root: Client) -> None:
    url = reverse("admin:annotate_project_add")
    form = project_form(ours.project, name="New", slug="new", k=5)
    assert as_manager.post(url, form).status_code == 403
    assert as_root.post(url, form | {"k": 12}).status_code == 200  # the form again, with its errors
    assert not Project.objects.filter(slug="new").exists()
    assert as_root.post(url, form).status_code == 302
    made = Project.objects.get(slug="new")
    assert made.k == 5 and len(made.salt) == 64 and deeds(made) == ["create project"]


def test_settings_changed(ours: Site, as_manager: Client) -> None:
    url = reverse("admin:annotate_project_change", args=[ours.project.pk])
    salt = ours.project.salt
    forged = {"slug": "taken", "state": "closed", "salt": "0"}
    assert as_manager.post(url, project_form(ours.project, k=7, **forged)).status_code == 302
    ours.project.refresh_from_db()
    assert (ours.project.k, ours.project.slug, ours.project.state, ours.project.salt) == (
        7,
        "ours",
        "open",
        salt,
    )
    assert AuditEntry.objects.get(deed="change project").details == {"changed": {"k": [3, 7]}}


def test_members_are_named_by_account(ours: Site, as_manager: Client, manager: User) -> None:
    url = reverse("admin:annotate_project_change", args=[ours.project.pk])
    new, old = (
        make_user("new", password=None),
        make_member(ours.project, user=make_user("old", password=None)),
    )
    memberships = {row.user_id: row for row in ours.project.memberships.all()}

    def post(*rows: dict[str, Any]) -> Any:
        formset: dict[str, Any] = {
            "memberships-TOTAL_FORMS": len(rows),
            "memberships-INITIAL_FORMS": sum("id" in row for row in rows),
        }
        for number, row in enumerate(rows):
            formset |= {f"memberships-{number}-{name}": value for name, value in row.items()}
            formset[f"memberships-{number}-project"] = ours.project.pk
        return as_manager.post(url, project_form(ours.project, **formset))

    answer = post({"username": "nobody", "role": "annotator"})
    assert "There is no account" in answer.content.decode()
    twice = {"username": "new", "role": "annotator"}
    assert "stands here twice" in post(twice, twice).content.decode()
    assert post({"username": "old", "role": "reviewer"}).status_code == 200  # a member already
    assert deeds(ours.project) == []

    changed = post({"id": memberships[old.pk].pk, "role": "reviewer"}, {"username": "new", "role": "manager"})
    assert changed.status_code == 302
    assert dict(
        ours.project.memberships.filter(user__in=[new, old]).values_list("user__username", "role")
    ) == {
        "new": Role.MANAGER,
        "old": Role.REVIEWER,
    }
    assert post({"id": memberships[old.pk].pk, "role": "reviewer", "DELETE": "on"}).status_code == 302
    assert not ours.project.memberships.filter(user=old).exists()
    assert deeds(ours.project) == ["change role", "add member", "remove member"]


def test_a_project_of_many_members_can_still_be_changed(
    ours: Site, as_manager: Client, settings: Any
) -> None:
    """What its page sends is no more than the server takes, and the members that it leaves out have pages of their own."""
    users = User.objects.bulk_create(User(username=f"many-{n}") for n in range(400))
    Membership.objects.bulk_create(Membership(project=ours.project, user=user) for user in users)
    page = as_manager.get(reverse("admin:annotate_project_change", args=[ours.project.pk])).content.decode()
    fields = set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', page))
    assert len(fields) < settings.DATA_UPLOAD_MAX_NUMBER_FIELDS / 2
    assert 'value="manager"' in page, "who is more than an annotator comes first"
    listed = f"{reverse('admin:annotate_membership_changelist')}?project={ours.project.pk}"
    assert f'href="{listed}"' in page
    last = ours.project.memberships.latest("pk")
    act(as_manager, "membership", last.pk, "role", role="reviewer")
    last.refresh_from_db()
    assert last.role == Role.REVIEWER
    act(as_manager, "membership", last.pk, "remove")
    assert not Membership.objects.filter(pk=last.pk).exists()
    assert deeds(ours.project) == ["change role", "remove member"]


def test_criterion_added_applied_and_merged(ours: Site, as_manager: Client) -> None:
    url = reverse("admin:annotate_project_change", args=[ours.project.pk])
    formset = {"criteria-TOTAL_FORMS": 1, "criteria-0-text": "Which one is kinder?"}
    assert as_manager.post(url, project_form(ours.project, **formset)).status_code == 302
    added = Criterion.objects.get(text="Which one is kinder?")

    act(as_manager, "criterion", added.pk, "apply")
    job = Job.objects.get(kind=JobKind.APPLY)
    assert job.spec == {"criterion": added.pk} and job.project == ours.project

    other = ours.rows["criterion"]
    answer = act(as_manager, "criterion", added.pk, "merge", into=10**9)
    assert "no such criterion" in answer.content.decode()
    act(as_manager, "criterion", added.pk, "merge", into=other.pk)
    added.refresh_from_db()
    assert added.canonical == other
    assert deeds(ours.project) == ["add criterion", "queue apply criterion", "merge criterion"]


def test_an_answer_is_marked_as_known_on_its_pairs_page(ours: Site, theirs: Site, as_manager: Client) -> None:
    pair, criterion = ours.rows["pair"], ours.rows["criterion"]
    comparison = Comparison.objects.get(pair=pair)
    known = {"comparison": comparison.pk, "verdict": "tie"}
    refused = act(as_manager, "pair", pair.pk, "gold", **known, kind="training")
    assert "Only an objective criterion" in refused.content.decode()
    act(as_manager, "pair", pair.pk, "gold", **known, kind="attention")
    assert Gold.objects.get().kind == "attention"
    act(as_manager, "pair", pair.pk, "ungold", comparison=comparison.pk)
    act(as_manager, "criterion", criterion.pk, "change", k=4, objective="on")
    criterion.refresh_from_db()
    assert (criterion.k, criterion.objective) == (4, True)
    foreign = Comparison.objects.get(pair=theirs.rows["pair"])
    refused = act(as_manager, "pair", pair.pk, "gold", comparison=foreign.pk, verdict="tie", kind="gold")
    assert "Select a valid choice" in refused.content.decode()
    shown = act(
        as_manager,
        "pair",
        pair.pk,
        "gold",
        comparison=comparison.pk,
        verdict="tie",
        kind="gold",
        note="So <b>it</b> is",
    )
    assert "Known answer (gold): tie. So &lt;b&gt;it&lt;/b&gt; is" in shown.content.decode()
    listed = as_manager.get(reverse("admin:annotate_pair_changelist"), {"known": "yes"})
    assert [row.pk for row in listed.context["cl"].result_list] == [pair.pk]
    refused = act(as_manager, "criterion", criterion.pk, "change", k=4)
    assert "known answers under it" in refused.content.decode()
    act(as_manager, "pair", pair.pk, "ungold", comparison=comparison.pk)
    assert not Gold.objects.exists()
    assert deeds(ours.project) == ["mark gold", "unmark gold", "change criterion", "mark gold", "unmark gold"]


def test_claim_released_on_its_page_and_from_the_list(ours: Site, theirs: Site, as_manager: Client) -> None:
    act(as_manager, "claim", ours.claim().pk, "release")
    assert Claim.objects.get(pk=ours.claim().pk).outcome == Outcome.RELEASED
    assert "ended already" in act(as_manager, "claim", ours.claim().pk, "release").content.decode()
    Claim.objects.filter(pk=ours.claim().pk).update(outcome="", closed_at=None)
    chosen = {"action": "release", "_selected_action": [ours.claim().pk, theirs.claim().pk]}
    as_manager.post(reverse("admin:annotate_claim_changelist"), chosen)
    assert Claim.objects.get(pk=ours.claim().pk).outcome == Outcome.RELEASED
    assert Claim.objects.get(pk=theirs.claim().pk).outcome == Outcome.HELD
    assert deeds(ours.project) == ["release claim", "release claim"]


def test_an_annotator_is_excluded_from_labels_and_counted_again(ours: Site, as_manager: Client) -> None:
    annotator = ours.rows["annotator"]
    page = reverse("admin:annotate_annotator_change", args=[annotator.pk])
    assert "Count again" not in as_manager.get(page).content.decode()
    refused = act(as_manager, "annotator", annotator.pk, "exclude", reason="")
    assert "This field is required" in refused.content.decode() and not Exclusion.objects.exists()
    told = act(
        as_manager,
        "annotator",
        annotator.pk,
        "exclude",
        reason="Answers <i>without</i> looking.",
        since_0="2026-01-02",
        since_1="03:04:05",
    ).content.decode()
    assert "from 2026-01-02 03:04 UTC, by manager" in told
    assert "Answers &lt;i&gt;without&lt;/i&gt; looking." in told
    assert "Exclude from labels" not in told
    now = timezone.now()
    content = full_report(ours.project, now.date())
    Report.objects.create(project=ours.project, read_at=now, verdicts=0, seconds=1, content=content)
    dashboard = as_manager.get(reverse("dashboard", args=[ours.project.slug])).content.decode()
    assert annotator.pseudonym in dashboard and "2026-01-02 03:04" in dashboard
    act(as_manager, "annotator", annotator.pk, "count-again")
    assert not Exclusion.objects.filter(lifted_at__isnull=True).exists()
    assert deeds(ours.project) == ["exclude annotator", "lift exclusion"]


def test_annotator_withdrawn_after_typing_the_pseudonym(ours: Site, as_manager: Client) -> None:
    annotator = ours.rows["annotator"]
    assert (
        "That is not"
        in act(as_manager, "annotator", annotator.pk, "withdraw", pseudonym="x").content.decode()
    )
    assert Annotator.objects.filter(pk=annotator.pk).exists()
    act(as_manager, "annotator", annotator.pk, "withdraw", pseudonym=annotator.pseudonym)
    assert not Annotator.objects.filter(pk=annotator.pk).exists()
    assert not Judgment.objects.filter(annotator=annotator.pk).exists()


def test_raise_k_begins_a_job(ours: Site, as_manager: Client) -> None:
    assert act(as_manager, "project", ours.project.pk, "raise-k", k=0).status_code == 200
    act(as_manager, "project", ours.project.pk, "raise-k", k=5, partition="train")
    assert Job.objects.get(kind=JobKind.RAISE_K).spec == {"k": 5, "partition": "train"}


def test_export_begins_a_release_and_says_what_is_wrong(ours: Site, as_manager: Client) -> None:
    answer = act(as_manager, "project", ours.project.pk, "export", sources="elsewhere")
    assert "no pairs of source" in answer.content.decode()
    answer = act(as_manager, "project", ours.project.pk, "export", min_labels=2, sources=" test ,")
    made = Release.objects.exclude(pk=ours.rows["release"].pk).get()
    assert made.recipe["sources"] == ["test"]
    page = reverse("admin:annotate_job_progress", args=[made.job_id])
    assert answer.redirect_chain[-1][0] == page
    assert run_job(made.job_id).error == ""
    download = reverse("admin:annotate_release_download", args=[made.pk])
    assert download in as_manager.get(page).content.decode()
    archive = b"".join(as_manager.get(download).streaming_content)  # type: ignore[attr-defined]
    assert "MANIFEST.json" in ZipFile(BytesIO(archive)).namelist()


def test_export_takes_a_recipe_and_tells_its_wrong_lines(ours: Site, as_manager: Client) -> None:
    url = reverse("admin:annotate_project_act", args=[ours.project.pk, "export"])
    page = as_manager.get(url).content.decode()
    assert "min_agreement: 0  # share of the usable verdicts" in page  # it begins as it holds without any
    recipe = "formats: [csv]\ntrain:\n  ties: half\n  quota: {}\n"
    answer = act(as_manager, "project", ours.project.pk, "export", recipe=recipe).content.decode()
    assert "line 3, train.ties: is &#x27;half&#x27;; must be one of keep, drop, both." in answer
    assert "line 4, train.quota: is no field of a recipe." in answer
    recipe = "formats: [csv]\nsettled: ignore\ntrain: {ties: both, caps: {criterion: 3}}\n"
    act(as_manager, "project", ours.project.pk, "export", recipe=recipe, min_labels=1)
    made = Release.objects.exclude(pk=ours.rows["release"].pk).get()
    kept = made.recipe["recipe"]
    assert (kept["formats"], kept["settled"], made.recipe["settled"]) == (["csv"], "ignore", "ignore")
    assert kept["train"] == kept["validation"] | {"ties": "both", "cap_criterion": 3, "labels": "all"}
    assert kept["train"]["min_judgments"] == 1


def test_download_of_a_release(ours: Site, theirs: Site, as_manager: Client, manager: User) -> None:
    urls = []
    for site in (ours, theirs):
        release = site.rows["release"]
        urls.append(reverse("admin:annotate_release_download", args=[release.pk]))
        assert as_manager.get(urls[-1]).status_code == 404
        release.archive_key = default_storage.save("releases/x.zip", ContentFile(b"PK zip" * 100_000))
        release.save()
    answer = as_manager.get(urls[0])
    assert b"".join(answer.streaming_content) == b"PK zip" * 100_000  # type: ignore[attr-defined]
    assert answer["Content-Type"] == "application/zip" and answer["Content-Length"] == "600000"
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    entry = AuditEntry.objects.get(deed="fetch release")
    assert (entry.by, entry.project) == (manager, ours.project)
    assert as_manager.get(urls[1]).status_code == 404


def upload(client: Client, site: Site, content: str, name: str = "rows.jsonl", **options: Any) -> Any:
    form = {
        "project": site.project.pk,
        "uploads": SimpleUploadedFile(name, content.encode()),
        "layout": "auto",
        "on_error": "abort",
        "labels": "on",
    }
    return client.post(reverse("admin:annotate_dataimport_add"), form | options, follow=True)


def test_import_of_an_upload(ours: Site, theirs: Site, as_manager: Client) -> None:
    url = reverse("admin:annotate_dataimport_add")
    page = as_manager.get(f"{url}?project={ours.project.pk}").content.decode()
    assert "Ours" in page and "Theirs" not in page
    row = json.dumps({"id": "1", "prompt": "Why?", "response1": "So.", "response2": "Thus."})
    before = DataImport.objects.count()
    for answer in (
        upload(as_manager, theirs, row),
        upload(as_manager, ours, row, name="rows.exe"),
        upload(as_manager, ours, row, mapping_text="- a list"),
        upload(as_manager, ours, row, layout="mapping"),
    ):
        assert answer.status_code == 200 and "errorlist" in answer.content.decode()
    assert DataImport.objects.count() == before

    answer = upload(as_manager, ours, row, source="mine", k=2)
    made = DataImport.objects.latest("pk")
    assert answer.redirect_chain[-1][0] == reverse("admin:annotate_job_progress", args=[made.job_id])
    assert (made.spec["source"], made.spec["k"], made.spec["files"][0]["name"]) == ("mine", 2, "rows.jsonl")
    assert made.job.state == JobState.QUEUED
    assert run_job(made.job_id).error == ""
    found = as_manager.get(reverse("admin:annotate_pair_changelist"), {"q": "1"}).content.decode()
    assert '<td class="field-source">mine</td>' in found and "Why?" in found
    assert deeds(ours.project)[:2] == ["queue import", "start import"]


def test_job_page_tells_progress_errors_and_the_report(ours: Site, as_manager: Client) -> None:
    failed, running = ours.rows["job"], ours.rows["release"].job
    url = reverse("admin:annotate_job_progress", args=[failed.pk])
    page = as_manager.get(url).content.decode()
    for told in ("no such column", "Ours.jsonl", "<td>7</td>", "is empty"):
        assert told in page
    assert "job-progress" not in page  # it has ended: nothing to follow
    report = as_manager.get(reverse("admin:annotate_dataimport_refused", args=[ours.rows["dataimport"].pk]))
    lines = b"".join(report.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [json.loads(line)["row"] for line in lines] == [7]

    page = as_manager.get(reverse("admin:annotate_job_progress", args=[running.pk])).content.decode()
    assert "job-progress" in page and 'http-equiv="refresh"' in page
    told = as_manager.get(reverse("admin:annotate_job_progress_json", args=[running.pk])).json()
    assert told == {
        "state": "queued",
        "step": "reading",
        "share": "3 of 10",
        "done": 3,
        "total": 10,
        "ended": False,
        "curves": "",
    }


def test_job_cancelled_and_retried(ours: Site, as_manager: Client) -> None:
    failed, queued = ours.rows["job"], ours.rows["release"].job
    act(as_manager, "job", queued.pk, "cancel")
    act(as_manager, "job", failed.pk, "retry")
    states = dict(Job.objects.filter(pk__in=(queued.pk, failed.pk)).values_list("pk", "state"))
    assert states == {queued.pk: JobState.CANCELLED, failed.pk: JobState.QUEUED}
    assert deeds(ours.project) == ["cancel job", "retry job"]


@pytest.mark.django_db
def test_accounts_leave_audit_rows_without_secrets(as_root: Client, root: User) -> None:
    password = "correct horse battery"
    form = {"username": "ada", "usable_password": "true", "password1": password, "password2": password}
    assert as_root.post(reverse("admin:annotate_user_add"), form).status_code == 302
    ada = User.objects.get(username="ada")
    assert ada.check_password(password) and not ada.is_staff
    change = {"username": "ada", "is_active": "on", "is_superuser": "on", "first_name": "Ada"}
    assert as_root.post(reverse("admin:annotate_user_change", args=[ada.pk]), change).status_code == 302
    ada.refresh_from_db()
    assert ada.is_superuser and ada.is_staff
    url = reverse("admin:auth_user_password_change", args=[ada.pk])
    new = {"usable_password": "true", "password1": password[::-1], "password2": password[::-1]}
    assert as_root.post(url, new).status_code == 302
    entries = AuditEntry.objects.order_by("pk")
    assert list(entries.values_list("deed", flat=True)) == ["create user", "change user", "set password"]
    assert set(entries.values_list("by", flat=True)) == {root.pk}
    assert password not in str(list(entries.values_list("details", flat=True)))


def test_history_is_the_audit_trail(ours: Site, theirs: Site, as_manager: Client, manager: User) -> None:
    url = reverse("admin:annotate_project_history", args=[ours.project.pk])
    act(as_manager, "project", ours.project.pk, "pause")
    page = as_manager.get(url).content.decode()
    assert "pause project" in page and "manager" in page
    assert (
        as_manager.get(reverse("admin:annotate_project_history", args=[theirs.project.pk])).status_code == 404
    )
    assert not LogEntry.objects.exists()


@pytest.mark.django_db
def test_a_login_is_unlocked_by_a_superuser_and_that_is_written_down(as_root: Client, root: User) -> None:
    fields = {"username": "ada", "ip_address": "192.0.2.1", "failures_since_start": 8}
    attempts = [AccessAttempt.objects.create(**fields, user_agent=agent) for agent in ("one", "two", "three")]
    url = reverse("admin:axes_accessattempt_delete", args=[attempts[0].pk])
    assert as_root.post(url, {"post": "yes"}).status_code == 302
    chosen = {"action": "delete_selected", "_selected_action": [attempts[1].pk], "post": "yes"}
    assert as_root.post(reverse("admin:axes_accessattempt_changelist"), chosen).status_code == 302
    assert AccessAttempt.objects.get() == attempts[2]
    entries = AuditEntry.objects.filter(deed="unlock login", by=root)
    assert [entry.details for entry in entries] == [{"username": "ada", "failures": 8}] * 2
    assert not LogEntry.objects.exists()
