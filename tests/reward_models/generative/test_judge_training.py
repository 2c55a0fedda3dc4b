"""Replies drawn by a model of ours, their probabilities, and a judge that learns what is worth more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.reward_models.generative.judging import comparisons
from tests.reward_models.large import tiny
from workers.reward_models.base import Compared, Side, UnfitArtefact, Without
from workers.reward_models.generative import local, training
from workers.reward_models.generative.settings import JudgeSettings
from workers.reward_models.generative.talker import Talker
from workers.reward_models.large.looks import best_of

QUICK = {
    "method": "lora",
    "lora_rank": 4,
    "lora_alpha": 16,
    "learning_rate": 0.01,
    "rollouts": 8,
    "prompts": 4,
    "micro_batch": 64,
    "most_reply": 10,
    "epochs": 1,
    "format_reward": 0.5,
}


def settings(judge: Path, **others: object) -> JudgeSettings:
    return JudgeSettings.from_json(
        {"backbone": str(judge), "template": str(judge / "template.txt")} | QUICK | others
    )


def train(talker: Talker, asked: JudgeSettings, count: int = 4, **others):
    items, verdicts = comparisons(count)
    return training.train(talker, asked, items, verdicts, seed=5, name="n" * 64, **others)


def test_what_is_drawn_has_the_probability_that_is_told(judge: Path) -> None:
    talker = local.load_talker(settings(judge))
    items, _ = comparisons(2)
    prompts = talker.prompts(items)
    replies = [
        reply for prompt in prompts for reply in talker.replies(prompt, 3, temperature=1.0, most=12, seed=[1])
    ]
    shown = [prompt for prompt in prompts for _ in range(3)]
    with torch.no_grad():
        together, mask = talker.log_probs(shown, replies)
        for n, (prompt, reply) in enumerate(zip(shown, replies, strict=True)):
            alone, _ = talker.log_probs([prompt], [reply])
            assert torch.allclose(alone[0], together[n, : len(reply.ids)], atol=1e-5)
            # Token by token as the whole model says it, without a cache and without our padding.
            ids = torch.cat([prompt.ids, torch.tensor(reply.ids)])
            logits = talker.model.model(input_ids=ids[None]).logits[0] + talker.bias
            wanted = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
            stock = wanted[torch.arange(len(reply.ids)), list(reply.ids)]
            assert torch.allclose(alone[0], stock, atol=1e-4)
    assert mask.sum(dim=1).tolist() == [len(reply.ids) for reply in replies]
    # The likeliest reply is the likeliest token each time; the same seed draws the same.
    (greedy,) = talker.replies(prompts[0], 1, temperature=0, most=12)
    ids = prompts[0].ids
    for token in greedy.ids:
        with torch.no_grad():
            logits = talker.model.model(input_ids=ids[None]).logits[0, -1] + talker.bias
        assert int(logits.argmax()) == token
        ids = torch.cat([ids, torch.tensor([token])])
    again = talker.replies(prompts[0], 3, temperature=1.0, most=12, seed=[1])
    assert again == replies[:3] and again != talker.replies(prompts[0], 3, temperature=1.0, most=12, seed=[2])


def test_no_reply_holds_a_placeholder(seeing: Path) -> None:
    """A random model would say each token alike; a picture's place would then stand for none that is there."""
    asked = JudgeSettings.from_json({"backbone": str(seeing), "max_tokens": 6000, "image_pixels": 112 * 112})
    talker = local.load_talker(asked)
    picture = tiny.image(1)
    item = Compared("Draw", "red", Side(medium=picture), Side(medium=tiny.image(2)))
    (prompt,) = talker.prompts([item])
    assert len(prompt.shown) == 2
    replies = talker.replies(prompt, 4, temperature=5.0, most=60, seed=[1])
    names = ("<|image_pad|>", "<|video_pad|>", "<|im_start|>")
    barred = {talker.model.tokenizer.token_to_id(name) for name in names}
    said = {token for reply in replies for token in reply.ids}
    assert not barred & said and len(said) > 20
    with torch.no_grad():
        found, _ = talker.log_probs([prompt] * 4, replies)
    assert torch.isfinite(found).all()


def test_it_learns_what_is_worth_more(judge: Path, tmp_path: Path) -> None:
    asked = settings(judge, epochs=7)
    talker = local.load_talker(asked)
    heard: list[training.Rollout] = []
    trained = train(talker, asked, heard=heard.append)
    reward = [figures[0] for figures in trained.figures]
    assert len(reward) == 7 and np.mean(reward[-3:]) > reward[0] + 0.1
    kl = [figures[3] for figures in trained.figures]
    assert kl[0] == pytest.approx(0, abs=1e-6) and min(kl[1:]) > 1e-5, "it has moved from where it began"
    # Every reply is heard, each comparison in both orders, with its words.
    assert len(heard) == 7 * 4 * 2 * 8
    first = [one for one in heard if one.step == 1]
    assert {(one.place, one.turned) for one in first} == {
        (place, turned) for place in {one.place for one in first} for turned in (False, True)
    }
    by_step = np.mean([one.reward for one in first])
    assert by_step == pytest.approx(reward[0]) and any(one.worth.rationale for one in first)
    # The reward of the same verdict is the other's when the sides are exchanged.
    _, verdicts = comparisons(4)
    for one in heard:
        if one.worth.verdict is not None:
            assert one.worth.right == (one.worth.verdict == (-1 if one.turned else 1) * verdicts[one.place])

    answers_as_it_was_trained(talker, asked, tmp_path / "out")


def test_a_whole_decoder_learns_and_is_kept_as_a_checkpoint(judge: Path, tmp_path: Path) -> None:
    asked = settings(judge, method="full", learning_rate=0.002, epochs=2, rollouts=3)
    talker = local.load_talker(asked)
    before = {name: weight.clone() for name, weight in talker.model.model.state_dict().items()}
    trained = train(talker, asked)
    moved = {
        name for name, weight in talker.model.model.state_dict().items() if (weight != before[name]).any()
    }
    assert {"lm_head.weight", "model.norm.weight", "model.layers.0.mlp.up_proj.weight"} <= moved
    assert trained.figures[1][3] > 1e-6, "and is told from the copy of what it was"
    answers_as_it_was_trained(talker, asked, tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").is_file()


def answers_as_it_was_trained(talker: Talker, asked: JudgeSettings, folder: Path) -> None:
    """Saved and loaded, it says word for word what it says now."""
    local.save(talker, asked, folder)
    loaded = local.LocalJudge.load(folder)
    items, _ = comparisons(3)
    for item in items:
        (prompt,) = talker.prompts([item], ties=True)
        (reply,) = talker.replies(prompt, 1, temperature=0, most=10)
        opinion = loaded.judge(item, ties=True)
        assert opinion.rationale == talker.text(reply).strip()
        assert opinion.tokens_in == len(prompt) and opinion.tokens_out == len(reply.ids)


def test_it_goes_on_where_it_was_interrupted(judge: Path, tmp_path: Path) -> None:
    watched = comparisons(2)
    asked = settings(judge, watch_every=2, patience=0, epochs=4, rollouts=2)
    whole_talker = local.load_talker(asked)
    whole = train(whole_talker, asked, watched=watched)
    kept = settings(
        judge, watch_every=2, patience=0, epochs=4, rollouts=2, checkpoints=str(tmp_path), checkpoint_every=1
    )

    def dies(step: int, steps: int, reward: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(local.load_talker(kept), kept, watched=watched, told=dies)
    steps: list[int] = []
    talker = local.load_talker(kept)
    resumed = train(talker, kept, watched=watched, told=lambda step, of, reward: steps.append(step))
    assert steps == [4]
    assert np.allclose(resumed.figures, whole.figures, atol=1e-5) and resumed.looks == whole.looks
    assert [look.step for look in whole.looks] == [2, 4]
    # The weights kept are those of the best look.
    items, verdicts = watched
    best = best_of(whole.looks)
    assert np.mean(training.hits(talker, kept, items, verdicts)) == best.accuracy
    for layer, other in zip(
        training.weights(talker.model).values(), training.weights(whole_talker.model).values(), strict=True
    ):
        assert torch.allclose(layer, other, atol=1e-5)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_processes_are_as_one(judge: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Of five comparisons in steps of two, the last step leaves nothing to the second process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    rate = 0.01 if method == "lora" else 0.002
    asked = settings(
        judge, method=method, learning_rate=rate, prompts=2, rollouts=3, updates=2, watch_every=2, patience=0
    )
    talkers, trained, heard, told = [], [], [], []
    for processes in (1, 2):
        talkers.append(local.load_talker(asked))
        rollouts: list[training.Rollout] = []
        steps: list[int] = []
        trained.append(
            train(
                talkers[-1],
                replace(asked, processes=processes),
                count=5,
                watched=comparisons(3),
                heard=rollouts.append,
                told=lambda step, of, reward, steps=steps: steps.append(step),
            )
        )
        heard.append(rollouts)
        told.append(steps)
    assert told[0] == told[1] == [1, 2, 3]
    assert np.allclose(trained[0].figures, trained[1].figures, atol=1e-5)
    assert trained[0].looks == trained[1].looks and len(trained[0].looks) == 2
    assert heard[0] == heard[1] and len(heard[0]) == 5 * 2 * 3, "every reply is heard once, in the same order"
    one, two = (training._trained(talker) for talker in talkers)
    assert one.keys() == two.keys() and ("lm_head.weight" in one) == (method == "full")
    fresh = local.load_talker(asked)
    training.prepare(fresh.model, 5)
    before = training._trained(fresh)
    assert any((one[name] - before[name]).abs().max() > 1e-3 for name in one), "it has learned"
    for name in one:
        assert torch.allclose(one[name], two[name], atol=2e-5), name


def test_several_updates_cut_what_has_moved_too_far(judge: Path) -> None:
    asked = settings(judge, updates=4, learning_rate=0.1, kl=0)
    trained = train(local.load_talker(asked), asked, count=2)
    assert trained.figures[0][4] > 0 and trained.figures[0][3] == 0
    once = settings(judge, updates=1, kl=0)
    assert train(local.load_talker(once), once, count=2).figures[0][4] == 0


def test_what_a_local_judge_cannot_look_at_is_said(judge: Path, tmp_path: Path) -> None:
    asked = settings(judge)
    talker = local.load_talker(asked)
    training.prepare(talker.model, 0)
    local.save(talker, asked, tmp_path / "out")
    found = local.LocalJudge.load(tmp_path / "out")
    item = Compared("What is it?", "right", Side("a"), Side("b"), prompt_media=(tiny.audio(1),))
    opinion = found.judge(item, ties=False)
    assert (opinion.without, opinion.detail) == (Without.UNSUPPORTED, "it cannot look at audio")
    long = found.judge(Compared("x" * 20_000, "right", Side("a"), Side("b")), ties=False)
    assert long.without == Without.ERROR and "max_tokens" in long.detail
    with pytest.raises(UnfitArtefact, match=r"is no folder that manage\.py train_judge wrote"):
        local.LocalJudge.load(tmp_path)
