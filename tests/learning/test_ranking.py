"""Pools that are ranked by kept features: the same draws as by scores, and tables that go missing, tear or grow stale."""

import os
import shutil
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection

from annotate.actions.jobs import run_job
from annotate.actions.learning import start_scoring
from annotate.actions.moderation import Chosen, decide_criteria
from annotate.leaks import HELD, KEPT_FROM, NO_LEAK
from annotate.learning import freeze_pool, pool_by_criterion
from annotate.models import Criterion, Draw, Job, JobKind, Partition, Revision, Score
from annotate.opinions import of_comparisons
from tests.factories import make_asset, make_comparison, make_pair, make_project
from tests.learning.stub import RankingStub
from tests.learning.world import LONG, SHORT, at_work, ended_well, learn, planted
from workers import feature_table, loop, ranking
from workers.feature_table import FeatureTable
from workers.reward_models import base
from workers.reward_models.base import Ranking, Scored
from workers.sampling.policies import VERSION

pytestmark = pytest.mark.django_db


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def ranked(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the default model ranks."""
    monkeypatch.setitem(base.BACKENDS, "builtin", "tests.learning.stub:RankingStub")


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def rows(count: int, seed: int = 0, width: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


# The table.


def test_rows_are_found_by_comparison_and_criterion_and_the_last_written_counts(data_dir: Path) -> None:
    table, first, second = FeatureTable(1, "a"), rows(3), rows(2, seed=1)
    assert table.places(ids(7), ids(1)).tolist() == [-1]
    table.append(ids(7, 3, 9), ids(1, 1, 2), first)
    table.append(ids(3, 11), ids(4, 1), second)
    again = FeatureTable(1, "a")
    places = again.places(ids(3, 7, 9, 9, 11, 3, 2), ids(4, 1, 2, 1, 1, 1, 1))
    assert places.tolist() == [3, 0, 2, -1, 4, -1, -1]
    assert (again.rows(ids(0, 2, 4)) == [first[0], first[2], second[1]]).all()
    blocks = again.blocks(places, 2)
    assert [which.tolist() for which in blocks] == [[1], [2, 0], [4]]
    assert [again.rows(places[which]).shape for which in blocks] == [(1, 3), (2, 3), (1, 3)]
    assert again.blocks(ids(-1, -1), 2) == []
    with pytest.raises(ValueError, match="holds rows of 3 numbers, not of 2"):
        again.append(ids(1), ids(1), rows(1, width=2))


def test_whoever_is_killed_while_appending_leaves_whole_rows(data_dir: Path) -> None:
    table, kept, new = FeatureTable(1, "a"), rows(2), rows(2, seed=1)
    table.append(ids(1, 2), ids(1, 1), kept)
    folder = feature_table.folder_of(1) / "a"
    with (folder / "rows").open("ab") as file:  # rows without keys, the last one torn
        file.write(rows(1, seed=2).tobytes() + b"torn")
    with (folder / "keys").open("ab") as file:
        file.write(b"torn")
    assert table.places(ids(1, 2, 3), ids(1, 1, 1)).tolist() == [0, 1, -1]
    table.append(ids(3, 4), ids(1, 1), new)
    assert table.places(ids(1, 2, 3, 4), ids(1, 1, 1, 1)).tolist() == [0, 1, 2, 3]
    assert (table.rows(ids(0, 1, 2, 3)) == np.concatenate([kept, new])).all()
    # A disk that kept the keys and lost rows: what is not there is not promised.
    with (folder / "rows").open("r+b") as file:
        file.truncate(30)
    assert table.places(ids(1, 2, 3, 4), ids(1, 1, 1, 1)).tolist() == [0, 1, -1, -1]


@pytest.mark.parametrize("written", [b"", b"short", b"no table at all, but some other file"])
def test_files_that_are_no_table_are_begun_anew(data_dir: Path, written: bytes) -> None:
    folder = feature_table.folder_of(1) / "a"
    folder.mkdir(parents=True)
    (folder / "keys").write_bytes(written)
    (folder / "rows").write_bytes(written)
    table = FeatureTable(1, "a")
    assert table.places(ids(1), ids(1)).tolist() == [-1]
    table.append(ids(1), ids(1), rows(1))
    assert (table.rows(table.places(ids(1), ids(1))) == rows(1)).all()


def test_several_who_append_at_once_lose_nothing(data_dir: Path) -> None:
    def write(n: int) -> None:
        for part in range(10):
            at = ids(*range(100 * n + 10 * part, 100 * n + 10 * part + 10))
            FeatureTable(1, "a").append(at, at, np.repeat(at[:, None], 5, axis=1).astype(np.float32))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    table, asked = FeatureTable(1, "a"), ids(*range(400))
    places = table.places(asked, asked)
    assert sorted(places) == list(range(400))
    for which in table.blocks(places, 64):
        assert (table.rows(places[which]) == asked[which][:, None]).all()


# The loop.


def test_ranked_by_features_a_pool_is_as_it_is_by_scores(
    ranked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = planted(judged=6, open_pairs=30)
    revision = learn(project)
    assert revision.ranks and ended_well(project) and not Score.objects.exists()
    by_features = ranking.freeze(revision)
    assert sum(row["scored"] for row in pool_by_criterion(project, revision)) == 60
    job = start_scoring(by=None, revision=revision, everything=True, send_it=False)
    run_job(job.pk, by_hand=True)
    by_scores = freeze_pool(revision)
    assert by_features.pair_ids == by_scores.pair_ids and len(by_scores) == 30
    assert by_features.nats == pytest.approx(by_scores.nats, rel=1e-6)
    assert (by_features.comparisons["margin"] == by_scores.comparisons["margin"]).all()
    assert by_features.by_criterion().keys() == by_scores.by_criterion().keys()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no niceness of their own")
def test_who_ranks_gives_way_and_nobody_else_does(ranked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    own, nice = os.getpriority(os.PRIO_PROCESS, 0), []
    plain = RankingStub.ranking

    def ranking_of(self: RankingStub, layout: str, criteria: Sequence[str], **more: Any) -> Ranking:
        rank = plain(self, layout, criteria, **more)

        def watched(place: np.ndarray, rows: np.ndarray) -> Scored:
            nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return rank(place, rows)

        return watched

    monkeypatch.setattr(RankingStub, "ranking", ranking_of)
    ranking.freeze(learn(planted(judged=6, open_pairs=30)))
    assert nice and min(nice) >= max(10, own)
    # Niceness cannot be taken back: what the worker does next, it does as before.
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_what_was_drawn_has_the_score_by_which_it_was(ranked: None) -> None:
    project = planted(judged=6, open_pairs=60, reserve_claim_share=0)
    first = learn(project)
    at_work(project)
    told = ranking.freeze(first)
    assert loop.draw(project) == 20
    drawn = set(Draw.objects.filter(project=project, open=True).values_list("pair", flat=True))
    scores = Score.objects.filter(revision=first)
    assert set(scores.values_list("comparison__pair", flat=True)) == drawn and scores.count() == 40
    said = dict(zip(told.comparisons["comparison"].tolist(), told.comparisons["bald"].tolist(), strict=True))
    assert all(score.bald == pytest.approx(said[score.comparison_id]) for score in scores)
    assert len(of_comparisons([scores[0].comparison_id])[scores[0].comparison_id]) == 1
    # By the next revision what is drawn then has scores of both: of each what it said before anybody was asked.
    Draw.objects.filter(project=project).update(open=False)
    second = learn(project)
    assert loop.draw(project) == 0 < Draw.objects.filter(project=project, open=True).count()
    assert Score.objects.filter(revision=first).count() == 80
    assert Score.objects.filter(revision=second).count() == 40
    ranking.score_drawn(project)
    assert Score.objects.count() == 120


def test_a_table_that_is_gone_is_made_anew_and_one_that_is_stale_completed(ranked: None) -> None:
    project = planted(judged=6, open_pairs=10)
    revision = learn(project)
    before = ranking.freeze(revision)
    shutil.rmtree(feature_table.folder_of(project.pk))
    assert ranking.freeze(revision).unscored == 10
    at_work(project)
    assert loop.draw(project) == 0
    job = Job.objects.get(project=project, kind=JobKind.SCORE, state="queued")
    run_job(job.pk, by_hand=True)
    assert ranking.freeze(revision).nats == before.nats
    make_comparison(make_pair(project, prompt="new", response1="much longer", response2="brief"), LONG)
    assert ranking.freeze(revision).unscored == 1
    assert Job.objects.get(pk=job.pk).done == 20
    run_job(start_scoring(by=None, revision=revision, send_it=False).pk, by_hand=True)
    assert ranking.freeze(revision).unscored == 0
    assert Job.objects.latest("pk").done == 1
    # Of another version of the features nothing is read.
    (feature_table.folder_of(project.pk) / "stub-1").rename(feature_table.folder_of(project.pk) / "stub-0")
    assert ranking.freeze(revision).unscored == 11


def test_a_merged_criterion_is_looked_at_anew_as_what_it_counts_as(ranked: None) -> None:
    project = planted(judged=6, open_pairs=0)
    for _ in range(3):
        make_comparison(
            make_pair(project, response1="much longer", response2="brief"), "The tall answer wins."
        )
    revision = learn(project)
    assert (ranking.freeze(revision).comparisons["margin"] > 0).all()
    tall, short = (
        Criterion.objects.get(project=project, text=text) for text in ("The tall answer wins.", SHORT)
    )
    decide_criteria(
        by=None, project=project, deed="merge", chosen=[Chosen(tall.pk, tall.version)], into=short.pk
    )
    assert ranking.freeze(revision).unscored == 3
    run_job(start_scoring(by=None, revision=revision, send_it=False).pk, by_hand=True)
    pool = ranking.freeze(revision)
    assert len(pool) == 3 and (pool.comparisons["margin"] < 0).all()


def test_what_has_no_features_is_counted_and_not_asked_about_again(
    ranked: None, capsys: pytest.CaptureFixture[str]
) -> None:
    project = planted(judged=6, open_pairs=5)
    for _ in range(2):
        pair = make_pair(project, prompt="blank", response1="a", response2="b")
        make_comparison(pair, LONG), make_comparison(pair, SHORT)
    call_command("train_rm", project=project.slug)
    call_command("score_pairs", project=project.slug)
    told = capsys.readouterr().out
    assert "4 are left out: it is blank" in told
    assert "10 comparisons are ranked by revision 1 (14 of them described now)" in told
    at_work(project)
    jobs = Job.objects.filter(kind=JobKind.SCORE).count()
    assert loop.draw(project) > 0 and Job.objects.filter(kind=JobKind.SCORE).count() == jobs


def test_a_broken_file_is_noted_and_the_revision_before_goes_on(ranked: None) -> None:
    project = planted(judged=6, open_pairs=60, reserve_claim_share=0)
    first, second = learn(project), learn(project)
    assert second.artefact
    Revision.objects.filter(pk=second.pk).update(artefact_sha256=bytes(32))
    at_work(project)
    assert loop.draw(project) == 20
    second.refresh_from_db()
    assert second.state == "broken" and "is not the one that was stored" in second.problem
    assert {draw.policy for draw in Draw.objects.filter(project=project, route="policy")} == {
        f"powerbald-{VERSION} r{first.number}"
    }


def test_tables_go_with_their_projects(ranked: None) -> None:
    project = planted(judged=6, open_pairs=2)
    gone = feature_table.folder_of(project.pk + 1) / "stub-1"
    gone.mkdir(parents=True)
    learn(project)
    assert feature_table.layouts(project.pk) == ["stub-1"] and not gone.exists()


def test_train_pairs_that_share_something_with_what_is_kept_are_found() -> None:
    """Held against what releases and training go by."""
    project = make_project()
    asked, answered, own = (make_asset(project, name) for name in (b"asked", b"answered", b"own"))
    kept = make_pair(project, prompt="shared", media=[asked], response2=answered, partition=Partition.RESERVE)
    tried = make_pair(project, prompt="tried", partition=Partition.VALIDATION)
    leaks = [
        make_pair(project, group=kept.group),
        make_pair(project, prompt="shared", media=[asked], group=1),
        make_pair(project, prompt="tried", group=2),
        make_pair(project, media=[own, asked]),
        make_pair(project, media=[answered]),
        make_pair(project, response1=answered),
        make_pair(project, response2=asked),
    ]
    assert tried.group != leaks[2].group
    make_pair(project, media=[own], response1=own), make_pair(project)
    names = {"project": project.pk}
    found = []
    for condition in (
        f"WITH {KEPT_FROM} SELECT p.id FROM annotate_pair p JOIN kept_from USING (id) WHERE p.partition = 'train'",
        f"WITH {HELD} SELECT p.id FROM annotate_pair p WHERE p.partition = 'train' AND NOT ({NO_LEAK})",
    ):
        with connection.cursor() as cursor:
            cursor.execute(condition, names)
            found.append({pk for (pk,) in cursor.fetchall()})
    assert found == [{pair.pk for pair in leaks}] * 2
