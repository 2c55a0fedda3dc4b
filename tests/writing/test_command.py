"""manage.py write_criteria, over real HTTP: what is written, verified, refused and kept, and what a kill leaves."""

import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from annotate import library
from annotate.access import Denied
from annotate.actions.moderation import accept_criterion, reject_criterion
from annotate.actions.queue import fill_queue
from annotate.actions.writing import start_writing
from annotate.integrity import violations
from annotate.models import (
    AuditEntry,
    Comparison,
    CriteriaRun,
    Criterion,
    Derivative,
    Draw,
    Job,
    Judgment,
    Partition,
    Project,
    Proposal,
    Role,
    Seat,
)
from annotate.tallies import judged_units
from annotate.verdicts import read_wanted
from tests.factories import make_asset, make_comparison, make_criterion, make_member, make_pair, make_project
from tests.media.pictures import coded, picture
from tests.paths import ROOT
from tests.processes import environ_on_test_database
from tests.reward_models.chat_server import Reply
from tests.writing.models import BRIEF, DETAIL, answers, as_file, models, other, recipe, shorter, written

SHORT, LONG = "Yes.", "Yes, and there are several reasons for it, which follow."


@pytest.fixture(autouse=True)
def own_data_dir(settings: LazySettings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return tmp_path / "data"


def project_of(pairs: int, **fields: Any) -> Project:
    """Pairs whose first response is the short one."""
    project = make_project(**fields)
    for number in range(pairs):
        make_pair(project, response1=SHORT, response2=LONG, external_id=f"p{number}")
    return project


def write(project: Project, path: Path, **options: Any) -> str:
    said = io.StringIO()
    call_command("write_criteria", project=project.slug, recipe=path, stdout=said, stderr=said, **options)
    return said.getvalue()


def labels(project: Project) -> dict[tuple[str, str], str]:
    """By pair and criterion, the label of what was accepted."""
    rows = Proposal.objects.filter(run__project=project, state="accepted")
    return {(row.pair.external_id, row.text): row.label for row in rows.select_related("pair", "comparison")}


pytestmark = pytest.mark.django_db


def test_either_side_wins_by_what_is_written_and_nobody_is_asked(tmp_path: Path) -> None:
    project = project_of(3)
    with models() as server:
        told = write(project, as_file(tmp_path, recipe(server.url)))
        asked = Counter(body["model"] for body in server.asked)
    expected: dict[tuple[str, str], str] = {}
    for number in range(3):
        expected |= {(f"p{number}", BRIEF): "response1", (f"p{number}", DETAIL): "response2"}
    assert labels(project) == expected
    # One reply a pair is written; each criterion is verified by three in both orders.
    assert asked == {"writer": 3, "first": 12, "second": 12, "biased": 12}
    assert "3 pairs, 6 criteria accepted (0 wait for people), 0 rejected" in told
    assert set(Criterion.objects.filter(project=project).values_list("text", "state", "in_library")) == {
        (BRIEF, "own", False),
        (DETAIL, "own", False),
    }
    proposal = Proposal.objects.filter(text=BRIEF).order_by("pk")[0]
    assert proposal.comparison and proposal.comparison.pair_id == proposal.pair_id
    assert [(said["judge"], said["agrees"]) for said in proposal.verdicts] == [
        ("first", True),
        ("second", True),
        ("biased", False),
    ]
    assert (proposal.verdicts[0]["verdict"], proposal.verdicts[0]["swapped"]) == ("response1", "response1")
    assert proposal.verdicts[2]["verdict"] != proposal.verdicts[2]["swapped"]
    # A model's label is no judgment: nothing that counts people's counts it, and no pair is served for it.
    assert not Judgment.objects.exists() and not Seat.objects.exists()
    assert judged_units(project, Partition.TRAIN) == [] and read_wanted(project) == []
    assert fill_queue(project.pk, 10) is not None
    assert violations() == {}
    deeds = AuditEntry.objects.filter(project=project).values_list("deed", flat=True)
    assert sorted(deeds) == ["queue write criteria", "write criterion", "write criterion"]


def test_what_the_writer_is_shown_first_is_left_to_chance_and_the_label_is_not(tmp_path: Path) -> None:
    project = project_of(12)
    with models() as server:
        write(project, as_file(tmp_path, recipe(server.url, ("first",), agree=1, sides="response1")))
        first = [shorter(body) for body in server.asked if body["model"] == "writer"]
    assert set(first) == {"A", "B"}
    assert set(labels(project).values()) == {"response1"} and len(labels(project)) == 12
    # The writer gave both sides each time: what was not asked for is refused, and said to be.
    reasons = set(Proposal.objects.filter(state="rejected").values_list("reason", flat=True))
    assert reasons == {"it is about a side that was not asked for"}


def test_what_verifiers_do_not_find_is_rejected_and_kept(tmp_path: Path) -> None:
    project = project_of(1)

    def wrong(body: dict[str, Any]) -> Reply:
        if body["model"] == "writer":
            return written((BRIEF, other(shorter(body))))
        return answers(body)

    with models(wrong) as server:
        told = write(project, as_file(tmp_path, recipe(server.url)), report=tmp_path / "told.jsonl")
    (row,) = Proposal.objects.all()
    (line,) = map(json.loads, (tmp_path / "told.jsonl").read_text().splitlines())
    assert (line["id"], line["criterion"], line["state"], line["reason"]) == (
        "p0",
        BRIEF,
        "rejected",
        row.reason,
    )
    assert line["verdicts"] == row.verdicts and line["cost"] == row.cost
    assert (row.state, row.label, row.comparison) == ("rejected", "response2", None)
    assert row.reason == "0 of 3 verifiers name this side in both orders; 2 must"
    assert [said["verdict"] for said in row.verdicts][:2] == ["response1", "response1"]
    assert not Comparison.objects.exists() and not Criterion.objects.exists()
    assert "0 criteria accepted" in told and f"  1: {row.reason}" in told


def test_what_a_pair_has_is_not_written_again_but_its_opposite_is(tmp_path: Path) -> None:
    project = project_of(1)
    pair = project.pairs.get()
    make_comparison(pair, "The answer is shorter than the other.")

    def repeats(body: dict[str, Any]) -> Reply:
        if body["model"] == "writer":
            short = shorter(body)
            return written(
                ("The answer is shorter than the other", short),
                ("The answer is longer than the other.", other(short)),
                ("Response A says it in few words.", short),
                ("", short),
                ("x" * 501, short),
                ("It is few words.", short),
                ("It has few words.", short),
            )
        return answers(body)

    with models(repeats) as server:
        write(project, as_file(tmp_path, recipe(server.url)))
    found = list(Proposal.objects.order_by("n").values_list("state", "reason"))
    assert [state for state, _ in found] == [
        "rejected",
        "accepted",
        "rejected",
        "rejected",
        "rejected",
        "accepted",
        "rejected",
    ]
    assert found[0][1].endswith("like “The answer is shorter than the other.”, which the pair has")
    assert found[2][1].startswith("it names a side, “Response A”")
    assert [reason for _, reason in found[3:5]] == [
        "it is empty",
        "it has 501 characters; at most 500 are taken",
    ]
    assert found[6][1] == "it is one more than was asked for"


def test_a_criterion_that_moderators_decided_about_stays_as_it_was_decided(tmp_path: Path) -> None:
    project = project_of(2)
    rejected = make_criterion(project, BRIEF, state="proposed", in_library=False)
    reject_criterion(by=None, criterion=rejected, reason="It says nothing.")
    accepted = make_criterion(project, DETAIL)
    fill_queue(project.pk, 10)
    Draw.objects.update(open=False)  # both were drawn, and nothing is open
    with models() as server:
        write(project, as_file(tmp_path, recipe(server.url)))
    assert set(Proposal.objects.filter(text=BRIEF).values_list("state", "reason")) == {
        ("rejected", "the project has rejected this criterion: It says nothing.")
    }
    assert Comparison.objects.filter(criterion=accepted).count() == 2
    # People are asked by that one, as it was accepted before: the pairs come up again.
    assert set(Draw.objects.filter(open=True).values_list("route", flat=True)) == {"reopened"}
    assert violations() == {}


def test_people_look_at_a_sample_and_see_what_was_said(tmp_path: Path) -> None:
    project = project_of(2)
    with models() as server:
        told = write(project, as_file(tmp_path, recipe(server.url, sample=1)))
    assert "(4 wait for people)" in told
    assert {row["text"] for row in library.listed(project, "proposed")} == {BRIEF, DETAIL}
    assert library.counts(project)["written"] == 2
    assert {row["writer"] for row in library.listed(project, "written")} == {"writer"}
    criterion = Criterion.objects.get(text=BRIEF)
    said = library.details(criterion, names=True)["written"]
    assert {(one["pair"], one["label"], one["writer"]) for one in said} == {
        ("test/p0", "response1", "writer"),
        ("test/p1", "response1", "writer"),
    }
    assert said[0]["verdicts"][0] == {
        "judge": "first",
        "verdict": "response1",
        "swapped": "response1",
        "agrees": True,
        "detail": "",
        "rationale": said[0]["verdicts"][0]["rationale"],
    }
    assert "So it is." in said[0]["verdicts"][0]["rationale"]
    # Accepted, it is asked of people like any other.
    accept_criterion(by=None, criterion=criterion)
    assert [(one.comparisons, one.labels) for one in read_wanted(project)] == [(2, 2 * project.authored_k)]
    assert fill_queue(project.pk, 10) is not None
    assert violations() == {}


def test_replies_that_are_none_are_asked_for_again_and_then_noted(tmp_path: Path) -> None:
    project = project_of(1)
    with models(lambda body: Reply("I would rather not.")) as server:
        told = write(project, as_file(tmp_path, recipe(server.url)))
        assert len(server.asked) == 2  # as many tries as the recipe says
        assert "1 pairs without a readable one" in told
        (row,) = Proposal.objects.all()
        assert (row.state, row.why) == ("unreadable", "I would rather not.")
        assert row.reason == "writer: it is not the JSON that was asked for."
        # It was answered, and is not asked again.
        write(project, as_file(tmp_path, recipe(server.url)))
        assert len(server.asked) == 2


def test_a_server_that_asks_for_patience_or_fails_is_asked_again(tmp_path: Path) -> None:
    project = project_of(2)
    refused: set[str] = set()

    def busy(body: dict[str, Any]) -> Reply:
        asked = json.dumps(body, sort_keys=True)
        if asked not in refused:
            refused.add(asked)
            return Reply("Too many requests.", status=429, headers={"Retry-After": "0"})
        return answers(body)

    with models(busy) as server:
        write(project, as_file(tmp_path, recipe(server.url, ("first",), agree=1)))
    assert len(labels(project)) == 4

    ill = project_of(1)
    with models(lambda body: Reply(raw=b"<html>", status=200)) as server:
        told = write(ill, as_file(tmp_path, recipe(server.url)))
    assert "1 pairs could not be asked about. The same command asks them again." in told
    (row,) = Proposal.objects.filter(run__project=ill)
    assert row.state == "failed" and "its reply is no JSON" in row.reason


def test_a_pair_that_could_not_be_asked_about_is_asked_by_the_next_run(tmp_path: Path) -> None:
    project = project_of(1)
    ill = {"first"}

    def sometimes(body: dict[str, Any]) -> Reply:
        return Reply("broken", status=400) if body["model"] in ill else answers(body)

    with models(sometimes) as server:
        path = as_file(tmp_path, recipe(server.url))
        assert "1 pairs could not be asked about" in write(project, path)
        assert not labels(project)
        ill.clear()
        assert "could not be asked" not in write(project, path)
        assert len(labels(project)) == 2
        asked = Counter(body["model"] for body in server.asked)
    assert asked["writer"] == 1  # what was answered was not asked again
    assert not Proposal.objects.filter(state="failed").exists()
    assert CriteriaRun.objects.count() == 1 and Job.objects.count() == 2


def test_a_refused_key_ends_the_run_and_names_the_server(tmp_path: Path) -> None:
    project = project_of(1)
    with (
        models(lambda body: Reply("no such key", status=401)) as server,
        pytest.raises(CommandError, match="The key is refused"),
    ):
        write(project, as_file(tmp_path, recipe(server.url)))
    assert Job.objects.get().state == "failed"
    lacking = recipe("http://localhost:1/v1")
    lacking["writer"]["key_env"] = "NO_SUCH_KEY"
    with pytest.raises(CommandError, match="key_env: the environment variable NO_SUCH_KEY is not set"):
        write(project, as_file(tmp_path, lacking))


def test_cost_is_estimated_told_and_limited(tmp_path: Path) -> None:
    project = project_of(8)
    with models() as server:
        values = recipe(server.url, ("first",), agree=1)
        values["writer"]["concurrency"] = 1
        path = as_file(tmp_path, values)
        told = write(project, path, dry_run=True)
        assert "8 pairs, at most 16 criteria: about 40 requests" in told and not server.asked
        assert not CriteriaRun.objects.exists()
        told = write(project, path, most_cost=0.000001)
        assert "It stopped: the replies cost" in told
        # The limit was passed by the first reply; what was under way is kept, nothing more is begun.
        done = Proposal.objects.values("pair").distinct().count()
        assert 1 <= done <= 3
        told = write(project, path, most_cost=100.0)
        assert "stopped" not in told and len(labels(project)) == 16
        assert Counter(body["model"] for body in server.asked) == {"writer": 8, "first": 32}
        total = sum(row.cost or 0 for row in Proposal.objects.all())
        assert f"cost {total:,.4f}" in told
        into = sum(row.tokens_in for row in Proposal.objects.all())
        out = sum(row.tokens_out for row in Proposal.objects.all())
        assert total == pytest.approx((into * 1.0 + out * 2.0) / 1e6)
        unpriced = recipe(server.url)
        del unpriced["verifiers"][1]["price_in"], unpriced["verifiers"][1]["price_out"]
        with pytest.raises(CommandError, match=r"verifiers\[1\] has no price_in"):
            write(project, as_file(tmp_path, unpriced), most_cost=1.0)


def test_a_recipe_chooses_its_pairs(tmp_path: Path) -> None:
    project = project_of(3)
    make_pair(project, response1=SHORT, response2=LONG, source="elsewhere", external_id="e")
    make_pair(project, response1=SHORT, response2=LONG, partition=Partition.RESERVE, external_id="r")
    with models() as server:
        path = as_file(tmp_path, recipe(server.url, pairs={"sources": ["elsewhere"]}))
        write(project, path)
        assert {pair for pair, _ in labels(project)} == {"e"}
        path = as_file(tmp_path, recipe(server.url, pairs={"sources": ["test"], "most": 2}))
        write(project, path)
        found = {pair for pair, _ in labels(project)} - {"e"}
        assert len(found) == 2 and "r" not in found
        write(project, path)  # done is done, whatever else there is
        assert {pair for pair, _ in labels(project)} == found | {"e"}


def test_models_are_shown_the_media_that_they_look_at(tmp_path: Path) -> None:
    project = make_project(task_type="text_to_image")
    assets = []
    for width in (20, 30):
        content = coded("PNG", picture(width, 10))
        assets.append(make_asset(project, content))
        key = default_storage.save(f"derived/{uuid4().hex}", ContentFile(content))
        Derivative.objects.create(asset=assets[-1], kind="web", media_type="image/png", size=1, key=key)
    make_pair(project, prompt="A red fox", response1=assets[0], response2=assets[1])
    wins: list[str] = []

    def looks(body: dict[str, Any]) -> Reply:
        said = body["messages"][1]["content"]
        pictures = [part["image_url"]["url"] for part in said if part["type"] == "image_url"]
        assert len(set(pictures)) == 2
        if body["model"] == "writer":
            wins.append(pictures[0])
            return written(("The fox is redder.", "A"))
        return Reply("[[A]]" if pictures[0] == wins[0] else "[[B]]")

    with models(looks) as server:
        values = recipe(server.url, ("first", "blind"), agree=1)
        values["verifiers"][1]["sees"] = []
        write(project, as_file(tmp_path, values))
        assert {body["model"] for body in server.asked} == {"writer", "first"}
    (row,) = Proposal.objects.all()
    assert row.state == "accepted"
    assert [said["agrees"] for said in row.verdicts] == [True, False]
    assert row.verdicts[1]["detail"] == "it is not shown image"


def test_only_who_manages_may_begin_one() -> None:
    project = project_of(1)
    begun: dict[str, Any] = {
        "project": project,
        "recipe": {},
        "digest": "0" * 64,
        "writer": "w",
        "send_it": False,
    }
    with pytest.raises(Denied):
        start_writing(by=make_member(project, Role.REVIEWER), **begun)
    run = start_writing(by=make_member(project, Role.MANAGER), **begun)
    assert start_writing(by=None, **begun).pk == run.pk  # the same recipe is the same run, with one job
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_killed_it_goes_on_and_asks_nothing_twice(tmp_path: Path, own_data_dir: Path) -> None:
    project = project_of(6)
    killed: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def kills(body: dict[str, Any]) -> Reply:
        # Each pair takes five questions, and the third pair is begun once the first is kept: it is killed within the third,
        # and this question is answered to nobody.
        if len(server.asked) == 14 and process and not killed:
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)
        return answers(body)

    with models(kills) as server:
        values = recipe(server.url, ("first",), agree=1)
        values["writer"]["concurrency"] = 1
        path = as_file(tmp_path, values)
        command = [sys.executable, str(ROOT / "manage.py"), "write_criteria"]
        command += ["--project", project.slug, "--recipe", str(path)]
        environ = environ_on_test_database() | {"DATA_DIR": str(own_data_dir)}
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert process.wait(120) == -signal.SIGKILL
        assert 0 < Proposal.objects.values("pair").distinct().count() < 6
        write(project, path)
        asked = Counter(json.dumps(body, sort_keys=True) for body in server.asked)
    assert len(labels(project)) == 12
    assert violations() == {}
    # All but what was on its way when it was killed was asked once.
    twice = [body for body, times in asked.items() if times > 1]
    assert len(twice) <= 1 and max(asked.values()) <= 2
    assert len(asked) == 6 * (1 + 2 * 2)
