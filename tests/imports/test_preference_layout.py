"""chosen/rejected rows: the better side is not always response1, and is always the one that the file says."""

from pathlib import Path
from typing import Any

import pytest

from annotate.imports.schemas.context import OVERALL
from annotate.models import Comparison, Judgment, Pair
from tests.factories import make_project
from tests.imports.reading import content, import_files, refusal, write_json, write_lines, write_parquet

pytestmark = pytest.mark.django_db


def message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def better_texts() -> dict[str, str]:
    """The text of the side that each pair's judgment prefers, by its prompt's last turn."""
    found = {}
    for judgment in Judgment.objects.select_related(
        "comparison__pair__prompt", "comparison__pair__response1", "comparison__pair__response2"
    ):
        pair = judgment.comparison.pair
        found[pair.prompt.turns[-1]["text"]] = getattr(pair, judgment.verdict).text
    return found


def test_plain_texts(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(60)]
    project = make_project()
    made = import_files(project, write_parquet(tmp_path / "p.parquet", rows))
    assert (made.pairs_new, made.judgments_new) == (60, 60)
    assert better_texts() == {f"q{n}": f"good {n}" for n in range(60)}
    first = Judgment.objects.filter(verdict="response1").count()
    assert 15 < first < 45  # a fair coin falls outside once in 10,000 times
    assert set(Comparison.objects.values_list("criterion__text", "k")) == {(OVERALL, 1)}
    before = content(project)
    assert import_files(project, tmp_path / "p.parquet").pairs_same == 60
    assert content(project) == before


def test_messages_with_the_criterion_as_system_turn(tmp_path: Path) -> None:
    said = [
        message("system", "Prefer the shorter."),
        message("user", "q"),
        message("assistant", "a"),
        message("user", "r"),
    ]
    chosen, rejected = [message("assistant", "short")], [message("assistant", "long")]
    rows: list[dict[str, Any]] = [
        {"prompt": said, "chosen": chosen, "rejected": rejected},
        {"chosen": [message("user", "p"), *chosen], "rejected": [message("user", "p"), *rejected]},
        {
            "conversations": [
                {"from": "system", "value": "Prefer the shorter."},
                {"from": "human", "value": "s"},
            ],
            "chosen": {"from": "gpt", "value": "short"},
            "rejected": {"from": "gpt", "value": "long"},
        },
    ]
    import_files(make_project(), write_lines(tmp_path / "p.jsonl", rows))
    assert better_texts() == {"r": "short", "p": "short", "s": "short"}
    turns = Pair.objects.get(prompt__turns__contains=[{"text": "r"}]).prompt.turns
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    asked = sorted(Comparison.objects.values_list("criterion__text", flat=True))
    assert asked == ["Prefer the shorter.", "Prefer the shorter.", OVERALL]


def test_opposed_criteria_meet_at_one_pair(tmp_path: Path) -> None:
    """The same two answers, preferred the other way round by another criterion."""
    rows = [
        {"prompt": "q", "chosen": "short", "rejected": "long", "criterion": "Which is shorter?"},
        {"prompt": "q", "chosen": "long", "rejected": "short", "criterion": "Which is more detailed?"},
    ]
    import_files(make_project(), write_json(tmp_path / "p.json", rows))
    pair = Pair.objects.get()
    verdicts = dict(Judgment.objects.values_list("comparison__criterion__text", "verdict"))
    assert getattr(pair, verdicts["Which is shorter?"]).text == "short"
    assert getattr(pair, verdicts["Which is more detailed?"]).text == "long"


def test_a_criterion_told_for_the_import_leaves_the_system_turn_alone(tmp_path: Path) -> None:
    rows = [{"prompt": [message("system", "s" * 600), message("user", "q")], "chosen": "a", "rejected": "b"}]
    path = write_json(tmp_path / "p.json", rows)
    assert "criterion.text: has 600 characters" in refusal(make_project(), path)
    import_files(make_project(), path, criterion="Which is better?")
    assert [turn["role"] for turn in Pair.objects.get().prompt.turns] == ["system", "user"]


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        ({"chosen": "a", "rejected": "b"}, "prompt", "is missing"),
        ({"prompt": "q", "chosen": [], "rejected": "b"}, "chosen", "one message of the assistant's"),
        ({"prompt": "q", "chosen": "a", "rejected": 1}, "rejected", "must be a text or a list"),
        (
            {"prompt": "q", "chosen": [{"role": "dog", "content": "x"}], "rejected": "b"},
            "chosen[0].role",
            "one of",
        ),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "images": ["x.png"]}, "images", "--media"),
    ],
)
def test_bad_rows(tmp_path: Path, row: dict[str, Any], field: str, words: str) -> None:
    told = refusal(make_project(), write_json(tmp_path / "p.json", [row]), layout="preference")
    assert f"row 1, {field}: " in told and words in told
