"""What the embedded model learns of the demo's rules: its written scenes, judged as its annotators judge, held-out ones.

Without a database, so that everything follows from the demo's seed. What the loop learns of the demo as it is shipped,
through imports, claims and the reserve, bench/learn tells.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from annotate.demo import plan
from annotate.demo.annotators import PEOPLE, verdict
from annotate.demo.rules import Asked, chance
from workers.reward_models.base import Compared, Side
from workers.reward_models.builtin import BuiltinModel
from workers.reward_models.evaluation import accuracy, blind, gain
from workers.reward_models.features.cache import DirectoryCache

Judged = list[tuple[Compared, int, str]]  # what was asked, the verdict, the scene


def judged(pair: plan.PlannedPair, asked: Asked) -> list[int]:
    """Three people's verdicts, 1 for the first response: each sees the sides in an order drawn by chance."""
    rng = chance("test", pair.name, asked.text)
    first, second = (answer.traits for answer in pair.answers)
    found = []
    for person in rng.sample(PEOPLE, 3):
        flip = rng.random() < 0.5
        said = verdict(person, asked, *((second, first) if flip else (first, second)), rng)["verdict"]
        if said != "cannot_tell":
            found.append({"a": 1, "b": -1, "tie": 0}[said] * (-1 if flip else 1))
    return found


def test_written_scenes_teach_more_than_chance_and_more_than_one_taste_for_all_criteria(
    tmp_path: Path,
) -> None:
    scenes = plan.parts()[plan.WRITTEN]
    assert len({pair.prompt for pair in scenes}) == len(scenes)
    learned: Judged = []
    tested: Judged = []
    for pair in scenes:
        held_out = chance("held out", pair.name).random() < 0.3
        first, second = (Side(answer.text) for answer in pair.answers)
        for asked in pair.asked:
            verdicts = judged(pair, asked)
            item = Compared(pair.prompt, asked.text, first, second)
            if not held_out:
                learned += [(item, one, pair.name) for one in verdicts]
            elif len(most := Counter(verdicts).most_common(1)) and most[0][1] * 2 > len(verdicts):
                tested.append((item, most[0][0], pair.name))
    items, held = [row[0] for row in learned], [row[0] for row in tested]
    labels, groups = np.array([row[1] for row in tested], dtype=np.int8), [row[2] for row in tested]
    verdicts_learned = np.array([row[1] for row in learned], dtype=np.int8)
    cache = DirectoryCache(tmp_path)
    margins = BuiltinModel.train(items, verdicts_learned, cache=cache).score(held, cache=cache).margin
    unseeing = BuiltinModel.train(blind(items), verdicts_learned, cache=cache)
    blind_margins = unseeing.score(blind(held), cache=cache).margin

    found, gained = accuracy(margins, labels, groups), gain(margins, blind_margins, labels, groups)
    assert found and gained and found.n > 100
    assert found.low > 0.5
    assert gained.low > 0
