"""A judge as a registered model: both orders, reasons kept, calibrated, saved, and honest about what it cannot say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reward_models.chat_server import ChatServer, Reply, chat_server
from tests.reward_models.judged import answers, longer_wins
from workers.reward_models.base import Compared, MediumRef, RewardModel, Side, UnfitArtefact, backend
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.judge_model import JudgeModel
from workers.reward_models.progress import heard_by
from workers.reward_models.settings import SettingsError

CACHE = MemoryCache()


def sides(body: dict[str, Any]) -> tuple[str, str]:
    """What stands in the two blocks, as they are shown."""
    texts = [part["text"] for part in body["messages"][1]["content"]]
    return texts[1].partition("\n")[2], texts[2].partition("\n")[2]


def longer(body: dict[str, Any]) -> Reply:
    a, b = sides(body)
    return Reply(f"{'A' if len(a) > len(b) else 'B'} says more. [[{'A' if len(a) > len(b) else 'B'}]]")


def registered(server: ChatServer, count: int = 20, **settings: Any) -> JudgeModel:
    items = answers(count)
    asked = {"url": server.url, "model": "m", "price_in": 1.0, "price_out": 2.0} | settings
    return JudgeModel.train(items, longer_wins(items), cache=CACHE, settings=asked)


def test_asked_in_both_orders_it_agrees_with_people_and_says_why() -> None:
    with chat_server(longer) as server:
        model = registered(server)
        assert isinstance(model, RewardModel) and backend("judge") is JudgeModel
        items = answers(6, seed=1)
        scored = model.score(items, cache=CACHE)
    assert (np.sign(scored.margin) == longer_wins(items)).all()
    assert not scored.variance.any() and not scored.bald.any() and not scored.without
    for place, item in enumerate(items):
        one = scored.reasons[place]
        wins = 1 if len(item.first.text) > len(item.second.text) else -1
        assert (one.forward, one.backward, one.replies) == (wins, wins, 2)
        assert {one.forward_text[0], one.backward_text[0]} == {"A", "B"}  # as it was shown
        assert one.cost and one.cost > 0


def test_a_judge_that_goes_by_the_order_is_unsure() -> None:
    with chat_server(lambda body: Reply("The first. [[A]]")) as server:
        model = registered(server)
        scored = model.score(answers(2), cache=CACHE)
    assert (scored.margin == 0).all()
    assert [(one.forward, one.backward) for one in scored.reasons.values()] == [(1, -1), (1, -1)]


def test_swapping_the_sides_negates_the_margin() -> None:
    with chat_server(longer) as server:
        model = registered(server)
        items = answers(4, seed=2)
        there = model.score(items, cache=CACHE)
        back = model.score([item.swapped() for item in items], cache=CACHE)
    assert np.array_equal(there.margin, -back.margin) and np.allclose(there.p_tie, back.p_tie)


def test_saved_and_loaded_it_asks_the_same(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("By {criterion} say {verdicts}")
    with chat_server(longer) as server:
        model = registered(server, template=str(words), replies=str(tmp_path / "replies"))
        model.save(tmp_path / "model.safetensors")
        words.unlink()
        loaded = JudgeModel.load(tmp_path / "model.safetensors")
        assert loaded.judge.revision == model.judge.revision
        assert loaded.calibration == replace(model.calibration, seen=False)
        asked = len(server.asked)
        again = loaded.score(answers(20), cache=CACHE)  # what it was calibrated on: nothing is paid again
        assert len(server.asked) == asked
    assert np.array_equal(again.margin, model.score(answers(20), cache=CACHE).margin)


def test_one_order_that_cannot_be_read_leaves_the_other() -> None:
    def reply(body: dict[str, Any]) -> Reply:
        a, b = sides(body)
        return longer(body) if len(a) > len(b) else Reply("I cannot say.")

    with chat_server(reply) as server:
        model = registered(server, tries=1)
        scored = model.score(answers(3), cache=CACHE)
    assert (np.sign(scored.margin) == longer_wins(answers(3))).all()
    assert all((one.forward is None) != (one.backward is None) for one in scored.reasons.values())


def test_what_it_cannot_judge_has_no_score() -> None:
    sound = MediumRef(b"\0" * 32, "audio", {})
    with chat_server(longer) as server:
        model = registered(server)
        items = [answers(1)[0], Compared("Hear", "Clear", Side(medium=sound), Side("text"))]
        scored = model.score(items, cache=CACHE)
    assert dict(scored.without) == {1: "it is not shown audio"}
    assert np.isnan(scored.margin[1]) and list(scored.reasons) == [0]


def test_it_is_calibrated_on_no_more_than_was_asked_for_and_tells_how_far_it_is() -> None:
    told: list[tuple[int, int, str, object]] = []
    with chat_server(longer) as server, heard_by(lambda *args: told.append(args)):
        registered(server, count=20, calibrate=5)
        assert len(server.asked) == 10
    assert [done for done, *_ in told] == list(range(1, 11)) and told[0][1:] == (10, "asking the judge", {})


def test_interrupted_it_sends_nothing_more() -> None:
    def enough(*args: object) -> None:
        raise KeyboardInterrupt

    with chat_server(longer) as server, heard_by(enough), pytest.raises(KeyboardInterrupt):
        registered(server, count=20, concurrency=2)
    assert len(server.asked) < 20


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"calibrate": 0}, "calibrate: is 0"),
        ({"replies": 7}, "replies: is 7"),
        ({"orders": "one"}, "orders: a registered judge is asked in both"),
        ({"colour": "red"}, "colour: no such field"),
        ({"url": "nowhere"}, "url: 'nowhere' is no address"),
        ({"key_env": "NO_SUCH_VARIABLE_HERE"}, "key_env: the environment variable"),
    ],
)
def test_what_is_wrong_with_a_specification_is_said(settings: dict[str, Any], words: str) -> None:
    given = {"url": "http://localhost:1/v1", "model": "m"} | settings
    with pytest.raises(SettingsError, match=words):
        JudgeModel.train(answers(1), longer_wins(answers(1)), cache=CACHE, settings=given)


def test_a_server_that_knows_no_such_model_is_said() -> None:
    nowhere = chat_server(lambda body: Reply("no such model", status=404))
    with nowhere as server, pytest.raises(UnfitArtefact, match="There is no such model"):
        registered(server)
