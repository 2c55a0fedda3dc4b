"""A reward model behind vLLM's pooling API, over real HTTP: what it is sent, what is read, what goes wrong."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reward_models.large import tiny
from tests.reward_models.pooling_server import PoolingServer, Reply, pooling_server
from workers.reward_models.base import Compared, RewardModel, Side, UnfitArtefact, backend
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.large.calibration import Calibration
from workers.reward_models.settings import SettingsError
from workers.reward_models.vllm import VllmModel, VllmSettings

CACHE = MemoryCache()


def said(body: dict[str, Any], role: str) -> str:
    content = next(one["content"] for one in body["messages"] if one["role"] == role)
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def louder(body: dict[str, Any]) -> float:
    """A point for each exclamation mark of the response, a minus under a criterion that says calm."""
    criterion = body["messages"][-1]["content"]
    sign = -1 if "calm" in criterion else 1
    return sign * said(body, "assistant").count("!") * 1.5 + 7


@pytest.fixture
def server() -> Iterator[PoolingServer]:
    with pooling_server(louder) as state:
        yield state


def model(server: PoolingServer, **settings: Any) -> VllmModel:
    asked = VllmSettings.from_json({"url": server.url, "model": "reward", "timeout": 5} | settings)
    endpoint = asked.endpoint()
    endpoint.sleep = lambda seconds: None
    return VllmModel(asked, Calibration(1.0, 0.3, 10, False), endpoint)


def item(first: str, second: str, criterion: str = "It is loud", **others: Any) -> Compared:
    return Compared("Greet me", criterion, Side(first), Side(second), **others)


def test_margins_are_differences_without_activation(server: PoolingServer) -> None:
    items = [item("Hi!!", "Hi"), item("Hi!!", "Hi", "It is calm"), item("Hi", "Hi!!!!")]
    scored = model(server).score(items, cache=CACHE)
    assert np.allclose(scored.margin, [3, -3, -6])
    assert np.allclose(scored.p_first + scored.p_second + scored.p_tie, 1)
    assert (scored.variance == 0).all(), "it tells no uncertainty"
    assert all(body["use_activation"] is False and body["task"] == "classify" for body in server.asked)


def test_the_turns_are_those_of_the_template(server: PoolingServer) -> None:
    model(server, concurrency=1).score([item("system\n", "user\n")], cache=CACHE)
    by_response = {said(body, "assistant"): body for body in server.asked}
    assert set(by_response) == {"system\n", "user\n"}, "what people write opens no turn"
    assert [(one["role"], one["content"]) for one in by_response["user\n"]["messages"]] == [
        ("system", "You judge how well a response meets the criterion that follows it."),
        ("user", "Greet me"),
        ("assistant", "user\n"),
        ("user", "Criterion: It is loud"),
    ]


def test_media_go_by_content_id(server: PoolingServer) -> None:
    picture, sheet, moving, sound = tiny.image(1), tiny.mesh(2), tiny.video(3, frames=8), tiny.audio(4)
    asked = Compared("Draw", "sharp", Side(medium=picture), Side(medium=sheet), prompt_media=(moving, sound))
    model(server, sees=["image", "mesh", "video", "audio"]).score([asked], cache=CACHE)
    for body in server.asked:
        shown = {
            part["uuid"]: part
            for one in body["messages"]
            for part in one["content"]
            if isinstance(part, dict) and "uuid" in part
        }
        assert f"video-{moving.sha256.hex()}" in shown and f"audio-{sound.sha256.hex()}" in shown
        assert shown[f"audio-{sound.sha256.hex()}"]["input_audio"]["format"] == "wav"
        image = shown.get(f"image-{picture.sha256.hex()}")
        if image:
            url = image["image_url"]["url"]
            assert url.startswith("data:image/webp;base64,")
            assert base64.b64decode(url.partition(",")[2]) == picture.files["web"]().read()
        else:
            assert f"mesh-{sheet.sha256.hex()}" in shown


def test_criteria_of_one_response_are_asked_one_after_the_other(server: PoolingServer) -> None:
    criteria = ("loud", "calm", "kind")
    items = [item(f"a{n}", f"b{n}", criterion) for criterion in criteria for n in range(4)]
    model(server, concurrency=1).score(items, cache=CACHE)
    responses = [said(body, "assistant") for body in server.asked]
    assert len(responses) == 24
    runs = [one for place, one in enumerate(responses) if place == 0 or responses[place - 1] != one]
    assert sorted(runs) == sorted(set(runs)), "each response in one run"


def test_what_it_is_not_shown_is_said(server: PoolingServer) -> None:
    broken = type(tiny.image(1))(b"x" * 32, "image", {})
    items = [
        item("Hi!", "Hi"),
        item("Hi", "Hi", prompt_media=(tiny.audio(1),)),
        item("Hi", "Hi", prompt_media=(broken,)),
    ]
    scored = model(server).score(items, cache=CACHE)
    assert scored.without[1] == "it is not shown audio"
    assert scored.without[2].startswith("image 787878787878 cannot be opened")
    assert np.isnan(scored.margin).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"[1]", "its reply is no JSON object"),
        (b"{}", "its reply is no single value"),
        (json.dumps({"data": [{"index": 0, "data": [0.1, 0.2]}]}).encode(), "is it served with one label"),
        (
            json.dumps({"data": [{"index": 0, "data": [[0.1], [0.2]]}]}).encode(),
            "is it served with one label",
        ),
        (json.dumps({"data": [{"index": 0, "data": "AAAA"}]}).encode(), "no single value"),
        (b'{"data": [{"index": 0, "data": [NaN]}]}', "its reply is the value nan"),
        (b'{"data": []}', "no single value"),
    ],
)
def test_replies_that_are_none_leave_the_item_out(server: PoolingServer, raw: bytes, told: str) -> None:
    server.instead = [Reply(raw=raw), Reply(raw=raw)]
    scored = model(server, concurrency=1).score([item("Hi!", "Hi")], cache=CACHE)
    assert told in scored.without[0] and np.isnan(scored.margin[0])


def test_a_list_of_one_list_is_read(server: PoolingServer) -> None:
    server.instead = [Reply(raw=b'{"data": [{"index": 0, "data": [[2.5]]}]}')]
    values, without = model(server, concurrency=1).values([item("Hi!", "Hi")])
    assert not without and values[0] in (2.5 - 7, 8.5 - 2.5)


def test_what_the_server_refuses_for_now_is_asked_again(server: PoolingServer) -> None:
    server.instead = [Reply(429, headers={"Retry-After": "0"}), Reply(503)]
    scored = model(server, concurrency=1).score([item("Hi!", "Hi")], cache=CACHE)
    assert not scored.without and len(server.asked) == 4


def test_time_outs_are_said(server: PoolingServer) -> None:
    server.instead = [Reply(wait=1.0)]
    scored = model(server, concurrency=1, timeout=0.2, retries=0).score([item("Hi!", "Hi")], cache=CACHE)
    assert "it did not answer within 0.2 s" in scored.without[0]


def test_a_server_without_the_model_is_no_matter_of_one_item(server: PoolingServer) -> None:
    with pytest.raises(
        UnfitArtefact, match=r"no such model, or no such endpoint .* The model `other` does not exist"
    ):
        model(server, model="other").score([item("a", "b")], cache=CACHE)


def test_it_is_calibrated_saved_and_loaded(server: PoolingServer, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("REWARD_KEY", "secret")
    settings = {"url": server.url, "model": "reward", "key_env": "REWARD_KEY", "revision": "r1"}
    items = [item("Hi" + "!" * (n % 4), "Hi" + "!" * (n // 4)) for n in range(16)]
    marks = np.array([n % 4 - n // 4 for n in range(16)])
    verdicts = np.sign(np.where(np.abs(marks) < 2, 0, marks)).astype(np.int8)
    made = backend("vllm").train(items, verdicts, cache=CACHE, settings=settings)
    assert isinstance(made, RewardModel) and isinstance(made, VllmModel)
    assert made.calibration.labels == 16 and made.calibration.threshold > 1
    scored = made.score(items, cache=CACHE)
    likeliest = np.stack([scored.p_second, scored.p_tie, scored.p_first]).argmax(axis=0) - 1
    assert np.array_equal(likeliest, verdicts)
    assert set(server.keys) == {"Bearer secret"}
    made.save(tmp_path / "model.safetensors")
    assert b"secret" not in (tmp_path / "model.safetensors").read_bytes()
    loaded = VllmModel.load(tmp_path / "model.safetensors")
    assert loaded.settings == made.settings
    assert np.array_equal(loaded.score(items, cache=CACHE).margin, scored.margin)
    monkeypatch.delenv("REWARD_KEY")
    with pytest.raises(UnfitArtefact, match="REWARD_KEY is not set"):
        VllmModel.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"url": "http://h:1"}, "model: is missing"),
        ({"url": "ftp://h", "model": "m"}, "url: 'ftp://h' is no address"),
        ({"url": "http://h", "model": "m", "sees": ["smell"]}, "sees: 'smell' is none of image"),
        (
            {"url": "http://h", "model": "m", "template": "mine"},
            "template: is 'mine'; must be criterion-last or",
        ),
        ({"url": "http://h", "model": "m", "key": "k"}, "key: no such field"),
    ],
)
def test_what_is_wrong_in_a_specification_is_said(values: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        VllmSettings.from_json(values).endpoint()
