"""Where pairs go: by prompt, by chance that is the same at every import, and never apart."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.imports.digests import Chance
from annotate.models import Comparison, Pair, Partition
from tests.factories import make_project
from tests.imports.reading import import_files, row, write_lines


@given(st.text(min_size=1), st.integers(-(2**63), 2**63 - 1), st.floats(0, 1), st.floats(0, 1))
def test_partitions_depend_on_nothing_but_salt_and_group(
    salt: str, group: int, share: float, part: float
) -> None:
    reserve, validation = share, (1 - share) * part
    found = Chance(salt).partition(group, reserve, validation)
    assert found == Chance(salt).partition(group, reserve, validation)
    if found == Partition.RESERVE:  # a larger share keeps what is in
        assert Chance(salt).partition(group, min(1.0, reserve + 0.1), 0) == Partition.RESERVE
    assert Chance(salt).partition(group, 1, 0) == Partition.RESERVE
    assert Chance(salt).partition(group, 0, 0) == Partition.TRAIN


def test_shares_are_kept() -> None:
    chance = Chance("salt")
    counts = Counter(chance.partition(group, 0.1, 0.05) for group in range(20_000))
    assert 1800 < counts[Partition.RESERVE] < 2200 and 850 < counts[Partition.VALIDATION] < 1150


@pytest.mark.django_db
def test_pairs_of_one_prompt_or_group_stay_together(tmp_path: Path) -> None:
    project = make_project(reserve_share=0.4, validation_share=0.2, reserve_k=5, k=2)
    by_prompt = [row(n, prompt=f"Prompt {n % 40}") for n in range(200)]
    by_group = [row(n, group=f"group {n % 40}") for n in range(200, 400)]
    import_files(project, write_lines(tmp_path / "p.jsonl", by_prompt + by_group))
    partitions: dict[int, set[str]] = {}
    for group, partition in Pair.objects.values_list("group", "partition"):
        partitions.setdefault(group, set()).add(partition)
    assert len(partitions) == 80 and all(len(found) == 1 for found in partitions.values())
    assert {next(iter(found)) for found in partitions.values()} == set(Partition.values)
    wanted = set(Comparison.objects.values_list("pair__partition", "k"))
    assert wanted == {("reserve", 5), ("validation", 2), ("train", 2)}


@pytest.mark.django_db
def test_a_known_prompt_keeps_its_partition_when_shares_change(tmp_path: Path) -> None:
    project = make_project(reserve_share=0, validation_share=0)
    import_files(project, write_lines(tmp_path / "a.jsonl", [row(n) for n in range(20)]))
    project.reserve_share = 1
    project.save()
    more = [row(n, id=f"again {n}", response1="other") for n in range(20)] + [row(99)]
    import_files(project, write_lines(tmp_path / "b.jsonl", more))
    reserved = Pair.objects.filter(partition=Partition.RESERVE).values_list("external_id", flat=True)
    assert list(reserved) == ["r99"]
