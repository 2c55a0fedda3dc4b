"""A pair's name is its identity: again changes nothing, otherwise is an error, more is added."""

from pathlib import Path

import pytest

from annotate.actions import queue
from annotate.actions.imports import start_import
from annotate.actions.jobs import Refused, cancel_job, run_job
from annotate.models import AuditEntry, Comparison, Draw, Judgment, Pair, Route, Seat, Stream
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project
from tests.imports.reading import (
    assert_nothing_left,
    content,
    import_files,
    labels,
    refusal,
    row,
    spec_of,
    write_json,
    write_lines,
)

pytestmark = pytest.mark.django_db


def asked(*verdicts: str) -> list[dict[str, object]]:
    return [{"text": "Which is clearer?", "judgments": labels(*verdicts)}]


def test_the_same_file_twice_changes_nothing(tmp_path: Path) -> None:
    project = make_project()
    path = write_json(tmp_path / "p.json", [row(n, criteria=asked("response1", "tie")) for n in range(50)])
    import_files(project, path)
    before = content(project)
    again = import_files(project, path)
    assert content(project) == before
    assert (again.pairs_new, again.pairs_same, again.judgments_new) == (0, 50, 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"response2": "Something else"}, "response2"),
        ({"prompt": "Another question?"}, "prompt"),
        ({"metadata": {"new": 1}}, "metadata"),
        ({"response1": {"text": "Answer 1, one way.", "model": "m"}}, "response1.model"),
        ({"task_type": "other"}, "task_type"),
    ],
)
def test_the_same_name_with_other_content_is_an_error(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    project = make_project()
    import_files(project, write_json(tmp_path / "p.json", [row(1)]))
    before = content(project)
    (tmp_path / "new").mkdir()
    changed = write_json(tmp_path / "new" / "p.json", [row(2), row(1, **change)])
    with pytest.raises(Refused, match=rf"row 2, {field}: differs from the pair 'r1'"):
        import_files(project, changed)
    assert content(project) == before


def test_within_one_file_too(tmp_path: Path) -> None:
    told = refusal(make_project(), write_json(tmp_path / "p.json", [row(1), row(1, response1="other")]))
    assert "row 2, response1: differs from the pair 'r1'" in told


def test_a_label_never_changes_by_import(tmp_path: Path) -> None:
    project = make_project()
    import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=asked("tie"))]))
    with pytest.raises(Refused, match="judged 'Which is clearer\\?' as tie before and as response1 here"):
        import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=asked("response1"))]))
    assert Judgment.objects.get().verdict == "tie"


def test_a_criterion_more_opens_the_pair_again(tmp_path: Path) -> None:
    project = make_project(k=1, reserve_share=0, validation_share=0)
    import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=asked("tie"))]))
    pair = Pair.objects.get()
    assert pair.queued and not Draw.objects.exists()
    import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=["Which is kinder?"])]))
    assert Comparison.objects.filter(pair=pair).count() == 2
    assert Draw.objects.get().route == Route.REOPENED
    assert list(Stream.objects.values_list("total", "queued")) == [(1, 1)]


def test_labels_for_a_pair_that_people_judge_already(tmp_path: Path) -> None:
    """Imported labels take free seats beside the living ones; who finds none waits uncounted."""
    project = make_project(k=3)
    path = write_json(tmp_path / "p.json", [row(1)])
    import_files(project, path)
    comparison = Comparison.objects.get()
    for _ in range(2):
        judge(comparison, "response1", make_annotator(project))
    import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=asked("tie", "tie"))]))
    assert Judgment.objects.filter(comparison=comparison).count() == 4
    assert Seat.objects.filter(comparison=comparison, head__isnull=False).count() == 3
    assert not Draw.objects.filter(open=True).exists()


def test_labels_are_uncounted_until_their_import_is_visible(tmp_path: Path) -> None:
    project = make_project(k=2)
    pair = make_pair(project, source="p", external_id="live")
    comparison = make_comparison(pair, k=2)
    import_files(project, write_json(tmp_path / "p.json", [row(1)]))
    other = import_files(project, write_json(tmp_path / "q.json", [row(2)]))
    other.visible = False
    other.save()
    Judgment.objects.create(
        annotator=make_annotator(project),
        comparison=comparison,
        verdict="tie",
        data_import=other,
        created_at=other.created_at,
    )
    queue.open_pairs(project.pk, [pair.pk], Route.REOPENED)
    assert not Seat.objects.filter(comparison=comparison).exists()


def test_fully_labelled_pairs_are_not_asked(tmp_path: Path) -> None:
    project = make_project(k=2, reserve_share=0, validation_share=0)
    rows = [row(1, criteria=asked("tie", "tie")), row(2, criteria=asked("tie")), row(3)]
    import_files(project, write_json(tmp_path / "p.json", rows))
    drawn = set(Draw.objects.values_list("pair__external_id", flat=True))
    assert drawn == {"r2", "r3"}
    assert list(Stream.objects.values_list("total", "queued")) == [(3, 3)]


def test_more_labels_than_wanted_raise_k(tmp_path: Path) -> None:
    project = make_project(k=1)
    rows = [row(1, criteria=asked("tie", "tie", "response1"))]
    import_files(project, write_json(tmp_path / "p.json", rows))
    assert Comparison.objects.get().k == 3
    assert Seat.objects.filter(head__isnull=False).count() == 3


def test_names_of_annotators_never_reach_the_database(tmp_path: Path) -> None:
    project = make_project()
    said = [{"annotator": "jane@example.org", "verdict": "tie"}]
    rows = [
        row(1, source="a", criteria=[{"text": "Clearer?", "judgments": said}]),
        row(2, source="a", criteria=[{"text": "Clearer?", "judgments": said}]),
        row(1, source="b", criteria=[{"text": "Clearer?", "judgments": said}]),
    ]
    import_files(project, write_json(tmp_path / "p.json", rows))
    names = list(project.annotators.values_list("pseudonym", "judged_pairs", "user"))
    assert sorted(judged for _, judged, _ in names) == [1, 2]
    assert all("jane" not in name and user is None for name, _, user in names)


def test_one_import_of_a_project_at_a_time(tmp_path: Path) -> None:
    project = make_project()
    first = spec_of(write_json(tmp_path / "a.json", [row(1)]))
    second = spec_of(write_json(tmp_path / "b.json", [row(2)]))
    begun = start_import(by=None, project=project, spec=first, by_hand=True)
    with pytest.raises(Refused, match=r"Import \d+ of a.json has not ended"):
        start_import(by=None, project=project, spec=second, by_hand=True)
    assert start_import(by=None, project=project, spec=first, by_hand=True) == begun
    cancel_job(by=None, job=begun.job)
    later = start_import(by=None, project=project, spec=second, by_hand=True)
    run_job(later.job_id, by_hand=True)
    assert Pair.objects.get().external_id == "r2"


def test_a_changed_file_is_not_resumed(tmp_path: Path) -> None:
    project = make_project()
    path = write_json(tmp_path / "a.json", [row(1)])
    begun = start_import(by=None, project=project, spec=spec_of(path), by_hand=True)
    write_json(path, [row(1), row(2)])
    with pytest.raises(Refused, match="has changed since this import began"):
        run_job(begun.job_id, by_hand=True)
    assert_nothing_left(project)


def test_skipping_reports_every_refused_row(tmp_path: Path) -> None:
    project = make_project()
    rows = [row(n, **({"response1": None} if n % 3 == 0 else {})) for n in range(1, 10)]
    made = import_files(project, write_lines(tmp_path / "p.jsonl", rows), on_error="skip")
    assert (made.pairs_new, made.rows_refused) == (6, 3)
    assert [one["row"] for one in made.report] == [3, 6, 9]
    assert made.report[0] == {
        "file": "p.jsonl",
        "row": 3,
        "id": "r3",
        "field": "response1",
        "problem": "is missing: give the response's text or media.",
    }


def test_an_import_is_audited(tmp_path: Path) -> None:
    project = make_project()
    import_files(project, write_json(tmp_path / "p.json", [row(1)]))
    told = AuditEntry.objects.get(project=project, deed="import pairs")
    assert told.details["files"] == ["p.json"] and told.details["pairs_new"] == 1
