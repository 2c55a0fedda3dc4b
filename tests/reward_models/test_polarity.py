"""Criteria that ask for opposites: what they want and do not want, how alike that makes them, which are judged as one."""

from collections import Counter

import numpy as np
import pytest

from tests.reward_models.judged import answers, longer_wins, under
from tests.reward_models.paraphrases import OPPOSITES, OPPOSITES_KEPT_BACK, PARAPHRASES
from workers.reward_models.builtin import BuiltinModel
from workers.reward_models.criteria import CriterionBasis, criterion_vectors
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.grouping import grouped
from workers.reward_models.polarity import aspects


@pytest.mark.parametrize(
    ("criterion", "wanted", "unwanted"),
    [
        ("The model with more triangles wins", "triangles", ""),
        ("The model has fewer triangles", "", "triangles"),
        ("It uses no more words than needed", "", "words needed"),
        ("The picture is free of noise and grain", "", "noise grain"),
        ("A noise-free recording", "", "noise"),
        ("Its surface is even and not rough", "surface even smooth", ""),
        ("It isn't loud, but clear", "clear", "loud"),
        ("Prose rather than bullets", "prose", "bullets"),
        ("The answer lacks sources and is inaccurate", "accurate", "sources"),
        ("A flawless voice", "voice", "flaw"),
        ("Less noise and more light", "bright", "noise"),
        ("Das Bild ist nicht verrauscht", "das bild ist nicht verrauscht", ""),
        ("그림이 자연스럽다", "그림이 자연스럽다", ""),
        ("", "", ""),
        ("Which answer is better?", "", ""),
    ],
)
def test_what_is_wanted_and_what_is_not(criterion: str, wanted: str, unwanted: str) -> None:
    assert aspects(criterion) == (wanted, unwanted)


def test_opposites_lie_farther_from_each_other_than_paraphrases(cache: MemoryCache) -> None:
    """On pairs labelled by hand. Of those kept back, most have no word in the table of opposites."""
    pairs = [*PARAPHRASES, *OPPOSITES, *OPPOSITES_KEPT_BACK]
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    placed = _placed_like(texts, cache)
    place = {text: n for n, text in enumerate(texts)}

    def cosines(some: list[tuple[str, str]]) -> np.ndarray:
        return np.array([placed[place[one]] @ placed[place[other]] for one, other in some])

    alike, opposed, kept_back = (cosines(some) for some in (PARAPHRASES, OPPOSITES, OPPOSITES_KEPT_BACK))
    shares = [float((alike[:, None] > some).mean()) for some in (opposed, kept_back)]
    print("paraphrases above opposites, above those kept back:", np.round(shares, 3))
    # By the sentences' own cosines .03 and .07: an opposite is written like its counterpart.
    assert shares[0] > 0.6
    assert shares[1] > 0.25


def _placed_like(texts: list[str], cache: MemoryCache) -> np.ndarray:
    from workers.reward_models import criteria

    vectors = criterion_vectors(texts, cache)
    return criteria._placed(vectors, criteria._in_common(vectors))


def test_who_was_judged_under_many_knows_what_few_asks_for(cache: MemoryCache) -> None:
    """Only one of the two was ever judged, beside something else."""
    items = answers(40)
    learnt = [*under(items, "The answer uses many words"), *under(items, "The tone is friendly")]
    chance = np.random.default_rng(0).choice([-1, 1], 40)
    verdicts = np.concatenate([longer_wins(items), chance]).astype(np.int8)
    model = BuiltinModel.train(learnt, verdicts, cache=cache)
    fresh = answers(20, seed=1)
    longer = longer_wins(fresh)
    for criterion, sign in (
        ("It has more words", 1),
        ("The reply with fewer words wins", -1),
        ("It does not use many words", -1),
    ):
        margin = model.score(under(fresh, criterion), cache=cache).margin
        assert np.mean(margin * longer * sign > 0) >= 0.8, criterion


CRITERIA = ["The answer is brief", "The answer is long", "The tone is warm", "It names sources"]


def judged_by(weights: np.ndarray, cache: MemoryCache) -> tuple[CriterionBasis, np.ndarray, np.ndarray]:
    """The basis of CRITERIA; their groups after 150 verdicts each by these weights, by centre; each one's centre."""
    rng = np.random.default_rng(3)
    vectors = criterion_vectors(CRITERIA, cache)
    basis = CriterionBasis.of(CRITERIA, vectors)
    centre = basis.members(vectors)
    assert sorted(centre) == [0, 1, 2, 3]
    phi = rng.normal(size=(4, 150, 3))
    p = 1 / (1 + np.exp(-np.einsum("cnd,cd->cn", phi, weights[np.argsort(centre)])))
    won = rng.random(p.shape) < p
    # The log likelihood of Bradley and Terry at no weights at all.
    slopes = np.einsum("cn,cnd->cd", won - 0.5, phi)
    bends = np.einsum("cnd,cne->cde", phi, phi) / 4
    return basis, grouped(slopes, bends, basis.centres @ basis.centres.T, 24), centre


def test_opposites_are_learnt_as_one_and_others_apart(cache: MemoryCache) -> None:
    weights = np.array([[2.0, 0, 0], [-2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]])
    basis, groups, centre = judged_by(weights, cache)
    assert groups.shape == (4, 3)
    assert (groups != 0).sum(axis=1).tolist() == [1, 1, 1, 1]
    assert (groups[centre[0]] == -groups[centre[1]]).all()

    vectors = criterion_vectors(CRITERIA, cache)
    together = basis.grouped(groups, CRITERIA, vectors, Counter(dict.fromkeys(CRITERIA, 150)))
    codes, _ = together.codes(CRITERIA, vectors)
    np.testing.assert_allclose(codes[0, 1:4], -codes[1, 1:4], atol=0.01)
    assert together.own == ("The answer is brief", "The answer is long")


def test_verdicts_overrule_words(cache: MemoryCache) -> None:
    """Nobody judges by the length here: the two are no opposites after all."""
    _, groups, _ = judged_by(np.array([[2.0, 0, 0], [0, 2.0, 0], [0, -2.0, 2.0], [0, 0, 2.0]]), cache)
    assert groups.shape == (4, 4)


def test_without_labels_words_decide_and_there_are_never_too_many_groups(cache: MemoryCache) -> None:
    criteria = ["It has fewer triangles", "It has few triangles", "It is red"]
    vectors = criterion_vectors(criteria, cache)
    basis = CriterionBasis.of(criteria, vectors)
    centre = basis.members(vectors)
    count = len(basis.centres)
    nothing = np.zeros((count, 2)), np.zeros((count, 2, 2))
    groups = grouped(*nothing, basis.centres @ basis.centres.T, 24)[centre]
    np.testing.assert_array_equal(
        groups, [[1, 0], [1, 0], [0, 1]] if groups[0, 0] else [[0, 1], [0, 1], [1, 0]]
    )
    assert grouped(*nothing, basis.centres @ basis.centres.T, 1).shape == (count, 1)
