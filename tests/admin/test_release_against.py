"""The form of a release takes other benchmarks along: they are stored until it is frozen, looked through, and gone."""

import json
from pathlib import Path

from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotate.actions.jobs import run_job
from annotate.models import Partition, Project, Release
from tests.admin.conftest import Site
from tests.factories import judge, make_comparison, make_pair

PROMPT = "Why do the lamps of our street go out at ten, and who decided that they should?"


def project_of(site: Site) -> Project:
    for name, prompt in (("known", PROMPT), ("new", "What else?")):
        pair = make_pair(site.project, prompt=prompt, external_id=name, partition=Partition.TRAIN)
        judge(make_comparison(pair), "response1")
    return site.project


def post(client: Client, project: Project, name: str, **fields: object) -> str:
    row = {"prompt": PROMPT, "chosen": "Because.", "rejected": "So."}
    content = (json.dumps(row) + "\n").encode()
    url = reverse("admin:annotate_project_act", args=[project.pk, "export"])
    assert 'enctype="multipart/form-data"' in client.get(url).content.decode()
    given = {"min_labels": 1, "recipe": "formats: [jsonl]", **fields}
    answer = client.post(url, {**given, "against": [SimpleUploadedFile(name, content)]}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_stands_in_an_uploaded_benchmark_is_told_and_left_out(
    ours: Site, as_manager: Client, settings: LazySettings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    project = project_of(ours)
    Release.objects.filter(project=project).delete()
    post(as_manager, project, "theirs.jsonl", drop_contaminated="on")
    release = Release.objects.get(project=project)
    assert release.recipe["against"]["files"][0]["name"] == "theirs.jsonl"
    assert release.recipe["against"]["drop"] is True
    ((_, key),) = release.job.spec["uploads"]
    assert default_storage.exists(key) and key.startswith(release.job.spec["folder"])
    run_job(release.job_id)
    release.refresh_from_db()
    assert release.contamination
    assert [one["pair"] for one in release.contamination["found"]] == ["test/known"]
    assert release.manifest
    assert release.manifest["counts"]["train"]["text_to_text"]["excluded"]["contaminated"] == 1
    assert not default_storage.exists(key)


def test_a_file_that_is_not_read_is_refused_at_the_form(ours: Site, as_manager: Client) -> None:
    project = project_of(ours)
    before = Release.objects.count()
    said = post(as_manager, project, "theirs.docx")
    assert "theirs.docx cannot be compared with" in said
    assert Release.objects.count() == before
