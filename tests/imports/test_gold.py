"""Known answers that files bring: checked, seen when the import is, and the same at every import."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from annotate.actions import queue
from annotate.actions.gold import mark_gold
from annotate.integrity import violations
from annotate.models import Comparison, Criterion, Draw, Gold, Project
from tests.factories import make_annotator, make_criterion, make_project
from tests.imports.reading import (
    import_files,
    refusal,
    row,
    write_csv,
    write_json,
    write_lines,
    write_parquet,
)

pytestmark = pytest.mark.django_db

TRUE = "Which is true?"
NOTE = "Paris is the capital."


def asked(gold: Any = "response1", **fields: Any) -> dict[str, Any]:
    return {"text": TRUE, "objective": True, "gold": gold, **fields}


def training(**fields: Any) -> dict[str, Any]:
    return {"verdict": "response2", "note": NOTE, "kind": "training", **fields}


def project_of(**fields: Any) -> Project:
    return make_project(reserve_share=0, validation_share=0, **fields)


def known() -> list[tuple[str, str, str]]:
    return list(Gold.objects.order_by("comparison").values_list("verdict", "kind", "note"))


def test_json_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    rows = [row(1, criteria=[asked({"verdict": "response1"})]), row(2, criteria=[asked(training())])]
    flat = [
        {**row(1), "criteria": "", "criterion": TRUE, "gold": "response1", "objective": "true"},
        {
            **row(2),
            "criteria": "",
            "criterion": TRUE,
            "gold": "response2",
            "gold_note": NOTE,
            "gold_kind": "training",
            "objective": "yes",
        },
    ]
    names = list(flat[1])
    flat[0] = {name: flat[0].get(name, "") for name in names}
    for path in (
        write_lines(tmp_path / "p.jsonl", rows),
        write_parquet(tmp_path / "p.parquet", rows),
        write_csv(tmp_path / "p.csv", flat),
    ):
        project = project_of()
        import_files(project, path)
        assert known() == [("response1", "gold", ""), ("response2", "training", NOTE)]
        assert Criterion.objects.get(project=project).objective
        assert queue.claim_next(annotator=make_annotator(project), claim_id=uuid4()) is None
        assert violations() == {}
        Gold.objects.all().delete()


@pytest.mark.parametrize(
    ("gold", "where", "problem"),
    [
        ("response3", "criteria[0].gold", "'response3'; a known answer is one of response1, response2, tie"),
        ({"verdict": "cannot_tell"}, "criteria[0].gold", "'cannot_tell'; a known answer is one of"),
        ({"verdict": "tie", "kind": "trap"}, "criteria[0].gold", "is for 'trap'; must be for one of gold"),
        ({"verdict": "tie", "why": "so"}, "criteria[0].gold.why", "is not known here"),
        ({"verdict": "tie", "note": "x" * 2001}, "criteria[0].gold.note", "2,001 characters"),
    ],
)
def test_what_is_no_known_answer_is_refused_by_row_and_field(
    tmp_path: Path, gold: Any, where: str, problem: str
) -> None:
    told = refusal(project_of(), write_json(tmp_path / "p.json", [row(1), row(2, criteria=[asked(gold)])]))
    assert "row 2" in told and where in told and problem in told


def test_only_an_objective_criterion_has_one_and_an_attention_check_needs_none(tmp_path: Path) -> None:
    project = project_of()
    told = refusal(project, write_json(tmp_path / "new.json", [row(1, criteria=[asked(objective=False)])]))
    assert "row 1, criteria[0].gold" in told and 'give "objective": true beside it' in told
    liked = make_criterion(project, TRUE)
    path = write_json(tmp_path / "old.json", [row(1, criteria=[asked()])])
    with pytest.raises(Exception, match="say so on the criterion's page first"):
        import_files(project, path)
    liked.refresh_from_db()
    assert not liked.objective and not Gold.objects.exists()
    check = asked({"verdict": "tie", "kind": "attention"}, objective=False)
    import_files(project, write_json(tmp_path / "check.json", [row(2, criteria=[check])]))
    assert known() == [("tie", "attention", "")] and violations() == {}


def test_again_changes_nothing_and_another_answer_is_refused(tmp_path: Path) -> None:
    project = project_of()
    path = write_json(tmp_path / "p.json", [row(1, criteria=[asked(training())])])
    import_files(project, path, source="s")
    before = list(Gold.objects.values())
    import_files(project, path, source="s")
    import_files(
        project,
        write_json(tmp_path / "q.json", [row(1, criteria=[asked(training(note=""))])]),
        source="s",
    )
    assert list(Gold.objects.values()) == before
    for other, told in (
        ("response1", "is response1 for gold; the project knows response2 for training already"),
        (training(note="Because."), "already, with another note. No import changes a known answer"),
    ):
        wrong = write_json(tmp_path / "w.json", [row(1, criteria=[asked(other)])])
        with pytest.raises(Exception, match=told):
            import_files(project, wrong, source="s")
    twice = write_json(tmp_path / "t.json", [row(5, criteria=[asked()]), row(5, criteria=[asked("tie")])])
    with pytest.raises(Exception, match=r"row 2.*the project knows response1 for gold already"):
        import_files(project, twice, source="s")
    assert list(Gold.objects.values()) == before


def test_an_answer_for_a_pair_that_is_asked_already_ends_its_asking(tmp_path: Path) -> None:
    project = project_of()
    import_files(
        project,
        write_json(tmp_path / "p.json", [row(1, criteria=[{"text": TRUE, "objective": True}])]),
        source="s",
    )
    queue.fill_queue(project.pk, 5)
    assert Draw.objects.filter(open=True).count() == 1
    import_files(project, write_json(tmp_path / "g.json", [row(1, criteria=[asked()])]), source="s")
    assert Draw.objects.filter(open=True).count() == 0 and known() == [("response1", "gold", "")]
    assert violations() == {}


def test_what_is_brought_is_seen_only_when_the_import_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_of(gold_share=0.5)
    import_files(
        project,
        write_json(tmp_path / "p.json", [row(1, criteria=[{"text": TRUE, "objective": True}])]),
        source="s",
    )
    seen: list[str] = []

    def look(*args: Any, **kwargs: Any) -> None:
        """In the place of the end of the import: everything is written and nothing is seen."""
        assert Gold.objects.count() == 1
        claim = queue.claim_next(annotator=make_annotator(project), claim_id=uuid4())
        seen.append(claim.kind if claim else "nothing")
        raise KeyError("stopped here")

    monkeypatch.setattr("annotate.imports.run.publish", look)
    path = write_json(tmp_path / "g.json", [row(1, criteria=[asked()])])
    with pytest.raises(KeyError):
        import_files(project, path, source="s")
    assert seen == ["label"]
    comparison = Comparison.objects.get()
    mark_gold(by=None, comparison=comparison, verdict="tie", note="A person knows better.")
    assert known() == [("tie", "gold", "A person knows better.")]
    assert Gold.objects.get().data_import is None
