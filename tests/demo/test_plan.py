"""What the demo consists of: every task type, the same each time, of a stated size; rows as docs/import.md has them."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from annotate.demo import plan
from annotate.demo.rules import CRITERIA, GENERATORS, TOP
from annotate.imports.record import Place
from annotate.imports.schemas import evenhand
from annotate.imports.schemas.context import Context
from annotate.modalities import HEAD_BYTES, HOUSES, MediaError, sniff
from annotate.modalities.sandbox import MediaSandbox, Request
from annotate.models import TaskType

PAIRS = plan.pairs()
NINE = set(TaskType) - {TaskType.OTHER}


def test_all_nine_task_types_with_at_least_ten_pairs() -> None:
    counts = Counter(pair.task_type for pair in PAIRS)
    assert set(counts) == NINE
    assert min(counts.values()) >= 10
    assert len({pair.name for pair in PAIRS}) == len(PAIRS)
    # Whoever begins sees all nine soon.
    assert {pair.task_type for pair in PAIRS[:9]} == NINE


def test_every_pair_sets_two_generators_against_each_other_under_several_criteria() -> None:
    for pair in PAIRS:
        first, second = pair.answers
        assert first.generator != second.generator
        assert len(pair.asked) >= 2 and set(pair.asked) <= set(CRITERIA[pair.task_type])
    used = Counter(answer.generator.name for pair in PAIRS for answer in pair.answers)
    assert set(used) == {generator.name for generator in GENERATORS}


def test_criteria_contradict_each_other_on_some_pairs() -> None:
    def favourites(pair: plan.PlannedPair) -> set[int]:
        first, second = (answer.traits for answer in pair.answers)
        gaps = [one.score(first) - one.score(second) for one in pair.asked]
        return {1 if gap > 0 else -1 for gap in gaps if gap}

    contradicting = [pair for pair in PAIRS if favourites(pair) == {1, -1}]
    assert len(contradicting) >= len(PAIRS) / 4


def test_the_rows_are_of_evenhands_own_layout(tmp_path: Path) -> None:
    read = evenhand.schema(Context(str(tmp_path), "salt", TaskType.OTHER))
    for number, pair in enumerate(PAIRS, 1):
        row = read(pair.row(), Place(0, number))
        assert row.task_type == pair.task_type
        assert {ref.path for ref in row.media_refs()} == set(pair.files)
        assert row.response1.model == pair.answers[0].generator.name
        for side, answer in zip((row.response1, row.response2), pair.answers, strict=True):
            assert side.metadata == {"traits": answer.traits.as_json()}
            assert bool(side.media) != bool(side.text)


@pytest.mark.usefixtures("small")
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    few = plan.pairs()
    assert {pair.task_type for pair in few} == NINE
    told: list[int] = []
    plan.write(tmp_path / "one" / "rows", few, told.append)
    plan.write(tmp_path / "two" / "rows", few)
    assert (tmp_path / "one" / "rows").read_bytes() == (tmp_path / "two" / "rows").read_bytes()
    names = {path.name for path in (tmp_path / "one" / plan.MEDIA).iterdir()}
    assert names == {name for pair in few for name in pair.files}
    for name in names:
        one, other = ((tmp_path / which / plan.MEDIA / name).read_bytes() for which in ("one", "two"))
        assert one == other, name
    assert told == list(range(1, len(names) + 1))


def test_traits_can_be_seen_in_the_texts() -> None:
    """The rule that docs/demo.md states: fuller answers are longer, at equal lists of facts."""
    answers = [answer for pair in PAIRS if pair.task_type == TaskType.TEXT_TO_TEXT for answer in pair.answers]
    bare = [len(answer.text) for answer in answers if answer.traits.full <= 1]
    full = [len(answer.text) for answer in answers if answer.traits.full == TOP]
    assert bare and full and max(bare) < min(full) * 1.5
    assert sum(bare) / len(bare) * 2 < sum(full) / len(full)


@pytest.mark.timeout(300)
def test_all_files_and_what_is_made_of_them_fit(tmp_path: Path) -> None:
    plan.write(tmp_path / "demo" / "rows", PAIRS)
    originals = list((tmp_path / "demo" / plan.MEDIA).iterdir())
    made = 0
    with MediaSandbox() as sandbox, ExitStack() as stack:
        requests = []
        for path in originals:
            file = stack.enter_context(path.open("rb"))
            kind = sniff(file.read(HEAD_BYTES), path.stat().st_size)
            requests.append(Request(file, kind, HOUSES[kind.modality].KINDS))
        for examined in sandbox.examine_many(requests):
            assert not isinstance(examined, MediaError), examined
            made += sum(rendition.size for rendition in examined.renditions)
            for rendition in examined.renditions:
                rendition.file.close()
    given = sum(path.stat().st_size for path in originals)
    assert given < made < given + made < plan.MAX_BYTES


def test_the_parts_are_all_there_is_and_what_waits_for_its_media_comes_first() -> None:
    written, first, second = plan.parts().values()
    assert sorted(pair.name for pair in written + first + second) == sorted(pair.name for pair in PAIRS)
    assert not plan.files_of(written)
    assert {Path(name).suffix for name in plan.files_of(first)} == {".mp4", ".flac", ".glb"}
    assert {Path(name).suffix for name in plan.files_of(second)} == {".jpg"}
