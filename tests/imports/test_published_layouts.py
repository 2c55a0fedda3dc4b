"""Published data sets, each recognised from its own columns and read as its authors mean it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.imports.record import Label, PairRow, Place, RowError
from annotate.imports.schemas import LAYOUTS, detect, preference, schema_for, vl_rewardbench
from annotate.imports.schemas.context import OVERALL, PUBLISHED, Context
from annotate.models import Comparison, Judgment, Pair
from tests.factories import make_project
from tests.imports.reading import content, import_files, refusal, write_json, write_lines, write_parquet
from tests.media.clips import video
from tests.media.pictures import coded, picture

PLACE = Place(0, 1)


def context(file: str = "data.json", **options: Any) -> Context:
    return Context(file, "salt", options.pop("project_task_type", "text_to_text"), **options)


def read(row: dict[str, Any], layout: str, file: str = "data.json", **options: Any) -> list[PairRow]:
    """The pairs of a row, which must be recognised as of this layout."""
    told = context(file, **options)
    assert detect(set(row), told) == layout
    return list(schema_for("auto", set(row), told)(row, PLACE))


def only_label(pair: PairRow) -> Label:
    ((label,),) = [one.labels for one in pair.criteria]
    return label


def better(pair: PairRow) -> Any:
    """The response that the pair's only label prefers."""
    return getattr(pair, only_label(pair).verdict)


def refused(row: dict[str, Any], layout: str, **options: Any) -> RowError:
    with pytest.raises(RowError) as told:
        schema_for(layout, set(row), context(**options))(row, PLACE)
    return told.value


# --- RewardBench -----------------------------------------------------------------------------------------------------

REWARDBENCH = {
    "prompt": "What is 2+2?",
    "chosen": "4",
    "chosen_model": "good",
    "rejected": "5",
    "rejected_model": "bad",
    "subset": "hep-python",
    "id": 7,
}
REWARDBENCH_2 = {
    "id": "31",
    "prompt": "Name a colour.",
    "chosen": ["red", "blue"],
    "rejected": ["dog", "cat", "seven"],
    "num_correct": 2,
    "num_rejected": 3,
    "total_completions": 5,
    "models": ["m1", "m2", "m3", "m4", "m5"],
    "subset": "Ties",
    "additional_metadata": {"category": None, "method": "hand"},
}


def test_rewardbench_1() -> None:
    (pair,) = read(REWARDBENCH, "rewardbench")
    assert (pair.external_id, pair.metadata) == ("hep-python/7", {"subset": "hep-python"})
    assert (better(pair).text, better(pair).model) == ("4", "good")
    assert {pair.response1.model, pair.response2.model} == {"good", "bad"}
    # Ids are counted within their subset.
    (other,) = read(REWARDBENCH | {"subset": "hep-go"}, "rewardbench")
    assert other.external_id != pair.external_id


def test_rewardbench_2_pairs_each_chosen_with_each_rejected() -> None:
    pairs = read(REWARDBENCH_2, "rewardbench")
    assert len({pair.external_id for pair in pairs}) == 6
    found = set()
    for pair in pairs:
        good, bad = better(pair), next(s for s in (pair.response1, pair.response2) if s is not better(pair))
        found.add((good.text, good.model, bad.text, bad.model))
    assert found == {
        (good, m, bad, n)
        for good, m in (("red", "m1"), ("blue", "m2"))
        for bad, n in (("dog", "m3"), ("cat", "m4"), ("seven", "m5"))
    }
    assert (
        pairs[0].metadata["num_correct"] == 2 and pairs[0].metadata["additional_metadata"]["method"] == "hand"
    )
    one_of_four = read(REWARDBENCH_2 | {"chosen": ["red"], "subset": "Math"}, "rewardbench")
    assert len(one_of_four) == 3


@pytest.mark.django_db
def test_rows_of_several_pairs_resume_and_repeat(tmp_path: Path) -> None:
    rows = [REWARDBENCH_2 | {"id": str(n), "prompt": f"Name colour {n}."} for n in range(5)]
    path = write_parquet(tmp_path / "test-00000-of-00001.parquet", rows)
    project = make_project()
    made = import_files(project, path)
    assert (made.pairs_new, made.judgments_new) == (30, 30)
    before = content(project)
    assert import_files(project, path).pairs_same == 30 and content(project) == before
    assert set(Comparison.objects.values_list("criterion__text", "k")) == {(OVERALL, 1)}
    # All pairs of one prompt are on one side of the split.
    sides: dict[int, str] = {}
    for prompt, partition in Pair.objects.values_list("prompt", "partition"):
        assert sides.setdefault(prompt, partition) == partition


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"chosen": []}, "chosen"),
        ({"rejected": [1]}, "rejected[0]"),
        ({"prompt": " "}, "prompt"),
        ({"chosen": ["x"] * 65}, "chosen"),
    ],
)
def test_rewardbench_errors(change: dict[str, Any], field: str) -> None:
    assert refused(REWARDBENCH_2 | change, "rewardbench").field == field


# --- VL-RewardBench and Multimodal RewardBench ---------------------------------------------------------------------------

VL = {
    "id": "RLAIF-V-1",
    "query": "What is on the table?",
    "response": ["A cup.", "A dog."],
    "image": "images/1.jpg",
    "human_ranking": [0, 1],
    "models": ["m1", "m2"],
    "query_source": "RLAIF-V",
    "ground_truth": None,
}


@pytest.mark.parametrize(
    ("ranking", "verdict"), [([0, 1], "response1"), ([1, 0], "response2"), ([0, 0], "tie")]
)
def test_vl_rewardbench(ranking: list[int], verdict: str) -> None:
    (pair,) = read(VL | {"human_ranking": ranking}, "vl_rewardbench")
    assert only_label(pair).verdict == verdict and pair.external_id == "RLAIF-V-1"
    assert (pair.response1.text, pair.response2.text) == ("A cup.", "A dog.")
    assert (pair.response1.model, pair.response2.model) == ("m1", "m2")
    assert pair.task_type == "text_image_to_text" and pair.media[0].path == "images/1.jpg"
    assert pair.metadata == {"query_source": "RLAIF-V"}
    named = {"image_path": VL["image"], "ranking": ranking}
    rest = {key: value for key, value in VL.items() if key not in ("image", "human_ranking")}
    same = vl_rewardbench.schema(Context("x.jsonl", "", ""))(rest | named, Place(0, 1))
    assert (same.media, same.criteria) == (pair.media, pair.criteria)


@pytest.mark.django_db
def test_vl_rewardbench_with_embedded_images(tmp_path: Path) -> None:
    image = {"bytes": coded("PNG", picture(20, 10)), "path": "1.png"}
    rows = [VL | {"image": image, "id": f"r{n}"} for n in range(3)]
    made = import_files(make_project(), write_parquet(tmp_path / "test.parquet", rows))
    assert (made.pairs_new, made.judgments_new) == (3, 3)
    assert set(Pair.objects.values_list("prompt__prompt_assets__asset__modality", flat=True)) == {"image"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"human_ranking": ["0", 1]}, "human_ranking"),
        ({"human_ranking": [0]}, "human_ranking"),
        ({"response": ["a"]}, "response"),
        ({"query": ""}, "query"),
    ],
)
def test_vl_rewardbench_errors(change: dict[str, Any], field: str) -> None:
    assert refused(VL | change, "vl_rewardbench").field == field


MMRB = {
    "ID": "ab12",
    "Text": "What is shown?",
    "Image": "images/mathvista/1.png",
    "Output1": "A graph.",
    "Output2": "A cow.",
    "Better": "Output1",
    "Category": "reasoning/math",
}


@pytest.mark.parametrize(("told", "verdict"), [("Output1", "response1"), ("Output2", "response2")])
def test_multimodal_rewardbench(told: str, verdict: str) -> None:
    (pair,) = read(MMRB | {"Better": told}, "multimodal_rewardbench")
    assert only_label(pair).verdict == verdict and pair.external_id == "ab12"
    assert (pair.response1.text, pair.response2.text) == ("A graph.", "A cow.")
    assert pair.metadata == {"Category": "reasoning/math"} and pair.media[0].path == "images/mathvista/1.png"
    assert refused(MMRB | {"Better": "A"}, "multimodal_rewardbench").field == "Better"
    assert refused(MMRB | {"Better": ["Output1"]}, "multimodal_rewardbench").field == "Better"


# --- Chatbot Arena -------------------------------------------------------------------------------------------------------


def said(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(texts)]


ARENA = {
    "question_id": "q1",
    "model_a": "alpha",
    "model_b": "beta",
    "winner": "model_a",
    "judge": "arena_user_9",
    "conversation_a": said("Hi?", "Hello."),
    "conversation_b": said("Hi?", "What?"),
    "turn": 1,
    "anony": True,
    "language": "English",
    "tstamp": 1682351591.1,
}


@pytest.mark.parametrize(
    ("winner", "verdict", "kind"),
    [
        ("model_a", "response1", ""),
        ("model_b", "response2", ""),
        ("tie", "tie", ""),
        ("tie (bothbad)", "tie", "both_bad"),
        ("both_bad", "tie", "both_bad"),
    ],
)
def test_a_battle_keeps_its_verdict_and_its_judge(winner: str, verdict: str, kind: str) -> None:
    (pair,) = read(ARENA | {"winner": winner}, "arena")
    label = only_label(pair)
    assert (label.annotator, label.verdict, label.tie_kind) == ("arena_user_9", verdict, kind)
    assert pair.turns == (("user", "Hi?"),) and pair.external_id == "q1"
    assert (pair.response1.text, pair.response1.model) == ("Hello.", "alpha")
    assert pair.metadata == {"turn": 1, "language": "English"}


@pytest.mark.django_db
def test_battles_are_judgments_of_pseudonyms(tmp_path: Path) -> None:
    rows = [
        ARENA | {"question_id": f"q{n}", "judge": f"arena_user_{n % 2}", "winner": winner}
        for n, winner in enumerate(["model_a", "tie (bothbad)", "tie", "model_b"])
    ]
    project = make_project()
    made = import_files(project, write_lines(tmp_path / "arena.jsonl", rows))
    assert (made.pairs_new, made.judgments_new) == (4, 4)
    assert project.annotators.count() == 2
    found = sorted(Judgment.objects.values_list("verdict", "tie_kind"))
    assert found == [("response1", ""), ("response2", ""), ("tie", ""), ("tie", "both_bad")]


def test_a_battle_of_several_turns_is_judged_as_a_whole() -> None:
    (pair,) = read(
        ARENA
        | {
            "conversation_a": said("Hi?", "Hello.", "More.", "Sun."),
            "conversation_b": said("Hi?", "What?", "More.", "Rain."),
        },
        "arena",
    )
    assert pair.turns == (("user", "Hi?"),)
    assert pair.response1.text == "**Assistant:** Hello.\n\n**User:** More.\n\n**Assistant:** Sun."
    # What both answered alike is history, up to the last answers.
    (pair,) = read(
        ARENA
        | {
            "conversation_a": said("Hi?", "Hello.", "More.", "Sun."),
            "conversation_b": said("Hi?", "Hello.", "More.", "Sun."),
        },
        "arena",
    )
    assert len(pair.turns) == 3 and pair.response1.text == pair.response2.text == "Sun."


def test_a_battle_with_contents_in_parts() -> None:
    parts = [{"type": "text", "text": "Hi?", "image": None}]
    answer = [{"type": "text", "text": "Hello."}]
    (pair,) = read(
        ARENA
        | {
            "conversation_a": [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}],
            "conversation_b": [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}],
        },
        "arena",
    )
    assert pair.turns == (("user", "Hi?"),) and pair.response2.text == "Hello."


TABLE = {
    "id": 30192,
    "model_a": "alpha",
    "model_b": "beta",
    "prompt": json.dumps(["Hi?", "More."]),
    "response_a": json.dumps(["Hello.", "Sun."]),
    "response_b": json.dumps(["Hello.", None]),
    "winner_model_a": 0,
    "winner_model_b": "0",
    "winner_tie": 1.0,
}


def test_the_table_of_battles() -> None:
    (pair,) = read(TABLE, "arena")
    assert only_label(pair).verdict == "tie" and only_label(pair).annotator == PUBLISHED
    assert pair.turns == (("user", "Hi?"), ("assistant", "Hello."), ("user", "More."))
    assert (pair.response1.text, pair.response2.text, pair.external_id) == ("Sun.", "", "30192")
    assert refused(TABLE | {"winner_model_a": 1}, "arena").field == "winner_model_a"
    assert refused(TABLE | {"response_a": '["one"]'}, "arena").field == "response_a"
    assert "surrogate" in refused(TABLE | {"response_a": '["one", "\\ud83d"]'}, "arena").problem


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"winner": "alpha"}, "winner"),
        ({"winner": ["tie"]}, "winner"),
        ({"conversation_b": said("Ho?", "What?")}, "prompt"),
        ({"conversation_b": said("Hi?")}, "prompt"),
        ({"conversation_a": said("Hi?", "a", "b")}, "conversation_a"),
    ],
)
def test_arena_errors(change: dict[str, Any], field: str) -> None:
    assert refused(ARENA | change, "arena").field == field


# --- HPD v2 ------------------------------------------------------------------------------------------------------------

HPD = {"prompt": "a red fox", "image_path": ["1.jpg", "2.jpg"], "human_preference": [1, 0]}


@pytest.mark.parametrize(("told", "verdict"), [([1, 0], "response1"), ([0, 1], "response2"), ([1, 1], "tie")])
def test_hpd_pairs(told: list[int], verdict: str) -> None:
    (pair,) = read(HPD | {"human_preference": told}, "hpd")
    assert only_label(pair).verdict == verdict and pair.task_type == "text_to_image"
    assert pair.response1.media and pair.response1.media.path == "1.jpg"


def test_hpd_ranks_become_every_pair() -> None:
    row = {"prompt": "a fox", "image_path": ["a.jpg", "b.jpg", "c.jpg"], "rank": [2, 1, 2]}
    pairs = read(row, "hpd")
    assert [only_label(pair).verdict for pair in pairs] == ["response2", "tie", "response1"]
    assert len({pair.external_id for pair in pairs}) == 3
    assert refused(row | {"rank": [1, 2]}, "hpd").field == "rank"
    assert refused(HPD | {"image_path": ["1.jpg"]}, "hpd").field == "image_path"
    assert refused(HPD | {"human_preference": ["1", 0]}, "hpd").field == "human_preference"


@pytest.mark.django_db
def test_hpd_images_are_stored(tmp_path: Path) -> None:
    for name in "12":
        (tmp_path / f"{name}.jpg").write_bytes(coded("JPEG", picture(20, 10, seed=int(name))))
    made = import_files(make_project(), write_json(tmp_path / "train.json", [HPD]), media=tmp_path)
    assert made.judgments_new == 1
    assert {"image"} == set(Pair.objects.values_list("response1__asset__modality", flat=True))


# --- Argilla -----------------------------------------------------------------------------------------------------------

FIELDS = {"prompt": "Why?", "response1": "Because.", "response2": "No."}
ARGILLA = {
    "id": "r1",
    "fields": FIELDS,
    "metadata": {},
    "suggestions": {"preference": {"value": "response2", "score": 0.5, "agent": "m"}},
    "responses": {
        "preference": [
            {"value": "response1", "user_id": "u1"},
            {"value": "tie", "user_id": "u2"},
            {"value": "response2", "user_id": "u3", "status": "discarded"},
        ],
        "more_polite": [{"value": "response2", "user_id": "u1"}],
        "why": [{"value": "It answers.", "user_id": "u1"}],
        "clarity": [{"value": 4, "user_id": "u1"}],
    },
    "vectors": {},
}


def test_argilla_records() -> None:
    (pair,) = read(ARGILLA, "argilla")
    assert (pair.response1.text, pair.response2.text, pair.external_id) == ("Because.", "No.", "r1")
    overall, polite = pair.criteria
    assert (overall.text, polite.text) == (OVERALL, "more polite")
    assert [(one.annotator, one.verdict, one.rationale) for one in overall.labels] == [
        ("u1", "response1", "It answers."),
        ("u2", "tie", ""),
    ]
    assert polite.labels[0].verdict == "response2"
    assert pair.metadata == {"argilla": {"clarity": [4]}}  # no user with it
    (unlabelled,) = read(ARGILLA, "argilla", labels=False)
    assert [one.labels for one in unlabelled.criteria] == [(), ()]


def test_argilla_flat_and_ranking() -> None:
    flat = {
        "id": "r1",
        "instruction": "Why?",
        "generation-1": "Because.",
        "generation-2": "No.",
        "ranking.responses": [["generation-2", "generation-1"]],
        "ranking.responses.users": ["u1"],
        "ranking.responses.status": ["submitted"],
        "ranking.suggestion": None,
    }
    (pair,) = read(flat, "argilla")
    assert only_label(pair).verdict == "response2" and only_label(pair).annotator == "u1"
    as_text = flat | {name: json.dumps(value) for name, value in flat.items() if "responses" in name}
    assert read(as_text, "argilla") == [pair]
    assert refused(flat | {"ranking.responses.users": ["a", "b"]}, "argilla").field == "ranking.responses"


def test_argilla_1_ranking() -> None:
    ranks = [{"value": "response1", "rank": 1}, {"value": "response2", "rank": 1}]
    row = {
        "fields": FIELDS,
        "external_id": "x",
        "responses": [
            {"user_id": "u1", "status": "submitted", "values": {"ranking": {"value": ranks}}},
            {"user_id": "u2", "status": "draft", "values": {"ranking": {"value": ranks}}},
        ],
    }
    (pair,) = read(row, "argilla")
    assert only_label(pair).verdict == "tie"
    assert refused(row | {"fields": {"text": "x"}}, "argilla").field == "fields"
    assert refused(row | {"external_id": None}, "argilla").field == "id"


# --- TRL and LLaMA-Factory ---------------------------------------------------------------------------------------------

MESSAGE = {"role": "user", "content": "What colour is the sky?"}
BLUE, GREEN = {"role": "assistant", "content": "Blue."}, {"role": "assistant", "content": "Green."}
TRL: dict[str, dict[str, Any]] = {
    "standard": {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
    "standard, implicit": {"chosen": "The sky is blue.", "rejected": "The sky is green."},
    "implicit, ending within a word": {"chosen": "The sky is blue.", "rejected": "The sky is black."},
    "conversational": {"prompt": [MESSAGE], "chosen": [BLUE], "rejected": [GREEN]},
    "conversational, implicit": {"chosen": [MESSAGE, BLUE], "rejected": [MESSAGE, GREEN]},
    "a dialogue": {
        "chosen": "\n\nHuman: What colour is the sky?\n\nAssistant: Blue.",
        "rejected": "\n\nHuman: What colour is the sky?\n\nAssistant: Blank.",
    },
    "vision": {
        "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which?"}]}],
        "chosen": [{"role": "assistant", "content": [{"type": "text", "text": "Blue."}]}],
        "rejected": [{"role": "assistant", "content": [{"type": "text", "text": "Green."}]}],
        "images": ["sky.png"],
    },
}
EXPECTED = {
    "standard": ("The sky is", " blue.", " green."),
    "standard, implicit": ("The sky is", "blue.", "green."),
    "implicit, ending within a word": ("The sky is", "blue.", "black."),
    "a dialogue": ("What colour is the sky?", "Blue.", "Blank."),
    "vision": ("Which?", "Blue.", "Green."),
}


@pytest.mark.parametrize("case", TRL)
def test_trl(case: str) -> None:
    (pair,) = read(TRL[case], "preference")
    prompt, good, bad = EXPECTED.get(case, ("What colour is the sky?", "Blue.", "Green."))
    assert pair.turns == (("user", prompt),)
    assert better(pair).text == good and {pair.response1.text, pair.response2.text} == {good, bad}
    assert [ref.path for ref in pair.media] == (["sky.png"] if case == "vision" else [])


def test_an_image_in_a_message_is_not_lost() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:..."}}
    row = TRL["vision"] | {"prompt": [{"role": "user", "content": [part]}]}
    assert "column images" in refused(row, "preference").problem


@pytest.mark.django_db
@pytest.mark.parametrize("subset", preference.SUBSETS)
def test_every_subset_of_omni_reward_data(subset: str, tmp_path: Path) -> None:
    """As LLaMA-Factory's ranking form has them: the criterion as system turn, the task known from the file's name."""
    kind = preference.SUBSETS[subset]
    for n in (1, 2):
        (tmp_path / f"{n}.png").write_bytes(coded("PNG", picture(20, 10, seed=n)))
    human, good, bad = "What is it?", "A fox.", "A cat."
    row: dict[str, Any] = {}
    if kind == "text_image_to_text":
        human, row["images"] = "<image>What is it?", ["1.png"]
    elif kind == "text_to_image":
        human, good, bad, row["images"] = "<image>", "a fox", "a fox", ["1.png", "2.png"]
    elif kind == "text_to_video":
        for n in (1, 2):
            (tmp_path / f"{n}.mp4").write_bytes(video(frames=4 + n, size=(32, 32)))
        human, good, bad, row["videos"] = "<video>", "a fox", "a fox", ["1.mp4", "2.mp4"]
    turns = [{"from": "system", "value": "Prefer the fox."}, {"from": "human", "value": human}]
    row |= {
        "conversations": turns,
        "chosen": {"from": "gpt", "value": good},
        "rejected": {"from": "gpt", "value": bad},
    }
    path = write_json(tmp_path / f"{subset}.json", [row])
    import_files(make_project(task_type="other"), path, media=tmp_path)
    pair = Pair.objects.select_related("prompt", "response1__asset", "response2__asset").get()
    assert (pair.source, pair.task_type) == (subset, kind)
    judgment = Judgment.objects.get()
    assert judgment.comparison.criterion.text == "Prefer the fox."
    won = getattr(pair, judgment.verdict)
    if kind in ("text_to_image", "text_to_video"):
        assert pair.prompt.turns == [{"role": "user", "text": "a fox"}] and won.text == ""
        first = (tmp_path / (row.get("images") or row["videos"])[0]).read_bytes()
        assert won.asset.size == len(first)
    else:
        assert won.text == good and pair.prompt.prompt_assets.count() == ("images" in row)


# --- all of them -------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "value", "type", "text", "from", "rank"]), inner
        )
    ),
    max_leaves=8,
)
ROWS: list[dict[str, Any]] = [REWARDBENCH, REWARDBENCH_2, VL, MMRB, ARENA, TABLE, HPD, ARGILLA, *TRL.values()]


@given(st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_a_column_is_an_error_of_that_row(data: st.DataObject) -> None:
    row = dict(data.draw(st.sampled_from(ROWS)))
    layout = detect(set(row), context())
    for column in data.draw(st.lists(st.sampled_from(sorted(row)), max_size=2)):
        row[column] = data.draw(JSON)
    try:
        pairs = schema_for(layout, set(row), context())(row, PLACE)
    except RowError as error:
        assert error.problem
    else:
        for pair in pairs:
            assert pair.external_id and (pair.media or any(text.strip() for _, text in pair.turns))


def test_each_layout_is_told_from_the_others() -> None:
    told = {detect(set(row), context()) for row in ROWS}
    assert told | {"omni", "evenhand", "mapping"} == set(LAYOUTS)


@pytest.mark.django_db
def test_a_wrong_row_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "arena.jsonl", [ARENA, ARENA | {"question_id": "q2", "winner": "nobody"}])
    assert "arena.jsonl, row 2, winner: is 'nobody'" in refusal(make_project(), path)
