"""A judge behind a chat endpoint, over real HTTP: what it is sent, what is read from its replies, what goes wrong."""

import base64
import io
import time
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from annotate.wire.endpoint import Completion, Endpoint, retry_after
from tests.reward_models.chat_server import ChatServer, Reply, chat_server
from workers.reward_models.base import Compared, Judge, JudgeBroken, MediumRef, Side, Without
from workers.reward_models.judge import ChatJudge, JudgeSpec, SpecError, read
from workers.reward_models.judge_media import sampled_frames, wav
from workers.reward_models.reply_cache import DirectoryReplies, MemoryReplies

ITEM = Compared("Name a colour.", "The answer is a colour.", Side("blue"), Side("a chair"), "text_to_text")


def judge_of(server: ChatServer, cache: Any = None, **settings: Any) -> ChatJudge:
    spec = JudgeSpec.from_json({"url": server.url, "model": "tiny", "tries": 2, "retries": 3, **settings})
    judge = ChatJudge.from_spec(spec, cache if cache is not None else MemoryReplies())
    judge._endpoint.sleep = lambda seconds: None
    return judge


def always(text: str) -> Callable[[dict[str, Any]], Reply]:
    return lambda body: Reply(text)


def test_it_is_sent_the_criterion_and_both_responses_and_what_it_says_is_kept() -> None:
    with chat_server(always("Blue is one, a chair is none. [[A]]")) as server:
        judge = judge_of(server, price_in=1.0, price_out=4.0)
        assert isinstance(judge, Judge)
        found = judge.judge(ITEM, ties=True)
    assert (found.verdict, found.without) == (1, None)
    assert found.rationale == "Blue is one, a chair is none. [[A]]"
    assert found.tokens_in > 100 and found.tokens_out == len(found.rationale) // 4
    (body,) = server.asked
    system, user = body["messages"]
    assert "The answer is a colour." in system["content"] and "[[C]]" in system["content"]
    shown = [part["text"] for part in user["content"]]
    assert shown == ["[Prompt]\nName a colour.", "[Response A]\nblue", "[Response B]\na chair"]
    assert server.authorizations == [None]
    assert judge.spec.cost(1_000_000, 500_000) == 3.0


def test_without_ties_none_is_offered_and_a_tie_is_no_verdict() -> None:
    with chat_server(always("[[C]]")) as server:
        judge = judge_of(server)
        assert judge.judge(ITEM, ties=True).verdict == 0
        found = judge.judge(ITEM, ties=False)
        assert (found.verdict, found.without) == (None, Without.UNREADABLE)
        assert "was not offered" in found.detail
        assert "[[C]]" not in server.asked[-1]["messages"][0]["content"]
        assert found.replies == 2  # it was asked again, as often as the specification says


def test_a_structured_verdict_goes_by_a_schema() -> None:
    with chat_server(always('{"rationale": "so", "verdict": "B"}')) as server:
        found = judge_of(server, form="structured").judge(ITEM, ties=False)
        assert (found.verdict, found.rationale) == (-1, "so")
        asked = server.asked[0]["response_format"]["json_schema"]
        assert asked["strict"] is True
        assert asked["schema"]["properties"]["verdict"]["enum"] == ["A", "B"]
        assert asked["schema"]["additionalProperties"] is False
    with chat_server(always("The better is [[B]].")) as server:
        found = judge_of(server, form="structured").judge(ITEM, ties=True)
        assert (found.verdict, found.without) == (None, Without.UNREADABLE)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("[[A]]", 1),
        ("… so [[B]] it is. [[B]]", -1),
        (r"\boxed{B}", -1),
        (r"\boxed{\text{A}}", 1),
        ("[[ C ]]", 0),
        ("[[A]] or rather [[B]]", None),
        (r"[[A]], that is \boxed{B}", None),
        ("A", None),
        ("[[D]]", None),
        ("", None),
    ],
)
def test_verdicts_are_read_as_published(said: str, verdict: int | None) -> None:
    assert read(Completion(said, "stop", 1, 1), structured=False, ties=True)[0] == verdict


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(["[[A]]", "[[B]]", "[[C]]", "x", "]", "["])).map("".join)
)
def test_whatever_is_said_is_a_verdict_or_a_reason(said: str) -> None:
    for structured in (False, True):
        verdict, _, problem = read(Completion(said, "stop", 1, 1), structured=structured, ties=True)
        assert (verdict is None) == bool(problem)
    named = {letter for letter in "ABC" if f"[[{letter}]]" in said}
    if len(named) == 1 and "boxed" not in said:
        assert (
            read(Completion(said, "stop", 1, 1), structured=False, ties=True)[0]
            == {"A": 1, "B": -1, "C": 0}[named.pop()]
        )


def test_a_cut_off_reply_says_what_to_raise() -> None:
    with chat_server(lambda body: Reply("Let me think about", finish="length")) as server:
        assert "raise max_tokens" in judge_of(server).judge(ITEM, ties=True).detail


def test_a_reply_that_cannot_be_read_is_asked_for_again() -> None:
    replies = iter(["Hard to say.", "Both. [[A]] [[B]]", "[[B]]"])
    with chat_server(lambda body: Reply(next(replies))) as server:
        found = judge_of(server, tries=3).judge(ITEM, ties=True)
        assert (found.verdict, found.replies) == (-1, 3)
        assert found.tokens_in > 300 and found.spent_in == found.tokens_in
        assert [body["seed"] for body in server.asked] == [0, 1, 2]


def test_what_was_asked_once_costs_nothing_again(tmp_path: Path) -> None:
    replies = iter(["Hmm.", "[[A]]"])
    with chat_server(lambda body: Reply(next(replies))) as server:
        first = judge_of(server, DirectoryReplies(tmp_path)).judge(ITEM, ties=True)
        again = judge_of(server, DirectoryReplies(tmp_path), concurrency=3, name="other").judge(
            ITEM, ties=True
        )
        assert len(server.asked) == 2
    assert again.verdict == first.verdict == 1
    assert (again.tokens_in, again.replies) == (first.tokens_in, 2)
    assert (again.spent_in, again.spent_out) == (0, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.5},
        {"model": "other"},
        {"form": "structured"},
        {"max_tokens": 7},
        {"extra": {"top_p": 0.5}},
        {"image_side": 32},
    ],
)
def test_other_settings_are_another_judge(other: dict[str, Any]) -> None:
    with chat_server(always('[[A]] {"verdict": "A"}')) as server:
        cache = MemoryReplies()
        judge_of(server, cache, tries=1).judge(ITEM, ties=True)
        changed = judge_of(server, cache, tries=1, **other)
        changed.judge(ITEM, ties=True)
        assert len(server.asked) == 2
        assert changed.revision != judge_of(server).revision


def test_another_item_order_or_protocol_is_asked_anew() -> None:
    with chat_server(always("[[A]]")) as server:
        judge = judge_of(server)
        assert judge.judge(ITEM, ties=True).verdict == 1
        assert judge.judge(ITEM.swapped(), ties=True).verdict == 1
        assert judge.judge(ITEM, ties=False).verdict == 1
        assert len(server.asked) == 3
        shown = [part["text"] for part in server.asked[1]["messages"][1]["content"]]
        assert shown[1:] == ["[Response A]\na chair", "[Response B]\nblue"]


def test_a_file_that_was_torn_is_asked_for_again(tmp_path: Path) -> None:
    with chat_server(always("[[A]]")) as server:
        judge_of(server, DirectoryReplies(tmp_path)).judge(ITEM, ties=True)
        (kept,) = tmp_path.rglob("*.json")
        kept.write_text(kept.read_text()[:10])
        assert judge_of(server, DirectoryReplies(tmp_path)).judge(ITEM, ties=True).verdict == 1
        assert len(server.asked) == 2


def test_too_many_requests_are_waited_for_as_long_as_the_server_says() -> None:
    replies = iter([Reply(status=429, headers={"Retry-After": "7"}), Reply(status=503), Reply("[[A]]")])
    with chat_server(lambda body: next(replies)) as server:
        judge = judge_of(server)
        waits: list[float] = []
        judge._endpoint.sleep = waits.append
        assert judge.judge(ITEM, ties=True).verdict == 1
    assert any(6.5 < wait <= 7 for wait in waits)


def test_who_is_told_to_wait_makes_all_wait() -> None:
    """A pause that one thread was asked for holds for every other."""
    replies = iter([Reply(status=429, headers={"Retry-After": "0.4"})])
    with chat_server(lambda body: next(replies, Reply("[[A]]"))) as server:
        endpoint = Endpoint(server.url, connections=4)
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
        with ThreadPoolExecutor(4) as threads:
            first = threads.submit(endpoint.complete, body)
            while endpoint._next < time.monotonic() + 0.1:
                time.sleep(0.01)
            others = [threads.submit(endpoint.complete, body) for _ in range(3)]
            for one in (first, *others):
                assert one.result().text == "[[A]]"
    assert len(server.times) == 5
    assert min(server.times[1:]) - server.times[0] >= 0.35


def test_what_takes_too_long_or_breaks_off_is_tried_again_and_then_said() -> None:
    with chat_server(lambda body: Reply("[[A]]", wait=0.5)) as server:
        found = judge_of(server, timeout=0.1, retries=1).judge(ITEM, ties=True)
        assert (found.verdict, found.without) == (None, Without.ERROR)
        assert "did not answer within 0.1 s; tried 2 times" in found.detail
        assert len(server.asked) == 2
    found = judge_of(server, retries=1).judge(ITEM, ties=True)  # it is gone
    assert found.without == Without.ERROR and "the connection failed" in found.detail


def test_an_error_is_not_kept() -> None:
    replies = iter([Reply(status=500)] * 4 + [Reply("[[B]]")])
    with chat_server(lambda body: next(replies)) as server:
        judge = judge_of(server)
        assert judge.judge(ITEM, ties=True).without == Without.ERROR
        assert judge.judge(ITEM, ties=True).verdict == -1


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": ["x"]}}]}',
        b'{"choices": [{"message": "x"}]}',
        b"[" * 100_000,
        b"x" * (9 * 2**20),
        b'{"choices": [{"message": {"content": "[[A]]"}}], "usage": {"prompt_tokens": "many"}}',
    ],
)
def test_a_reply_that_is_no_completion_is_an_error_of_that_row(raw: bytes) -> None:
    with chat_server(lambda body: Reply(raw=raw)) as server:
        found = judge_of(server).judge(ITEM, ties=True)
    assert (found.verdict, found.without) == (None, Without.ERROR)
    assert "its reply is" in found.detail


def test_a_refusal_is_no_verdict() -> None:
    raw = b'{"choices": [{"message": {"content": null, "refusal": "I will not judge that."}}]}'
    with chat_server(lambda body: Reply(raw=raw)) as server:
        found = judge_of(server).judge(ITEM, ties=True)
    assert found.without == Without.UNREADABLE and "I will not judge that." in found.rationale


def test_a_request_that_is_refused_is_said_with_the_servers_words() -> None:
    with chat_server(lambda body: Reply("context length exceeded", status=400)) as server:
        found = judge_of(server).judge(ITEM, ties=True)
        assert found.without == Without.ERROR and "it answered 400: context length exceeded" in found.detail
        assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "words"), [(401, "The key is refused"), (404, "no such model")])
def test_what_no_item_can_mend_stops_everything(status: int, words: str) -> None:
    with (
        chat_server(lambda body: Reply("nope", status=status)) as server,
        pytest.raises(JudgeBroken, match=words),
    ):
        judge_of(server).judge(ITEM, ties=True)


def test_a_redirect_takes_the_key_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "secret-1")
    with chat_server(always("[[A]]")) as elsewhere:
        away = {"Location": f"{elsewhere.url}/chat/completions"}
        with chat_server(lambda body: Reply(status=307, headers=away)) as server:
            found = judge_of(server, key_env="JUDGE_KEY").judge(ITEM, ties=True)
            assert server.authorizations == ["Bearer secret-1"]
        assert found.without == Without.ERROR
        assert elsewhere.asked == []


def test_the_key_stands_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JUDGE_KEY", "secret-1")
    with chat_server(always("[[A]]")) as server:
        judge = judge_of(server, DirectoryReplies(tmp_path), key_env="JUDGE_KEY")
        judge.judge(ITEM, ties=True)
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "secret-1" not in kept + repr(judge._endpoint) + repr(judge.spec) + judge.revision


def test_no_more_at_a_time_and_a_minute_than_allowed() -> None:
    with chat_server(lambda body: Reply("[[A]]", wait=0.05)) as server:
        endpoint = Endpoint(server.url, connections=2, per_minute=1200)
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
        began = time.monotonic()
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda _: endpoint.complete(body), range(8)))
    assert server.most_at_once <= 2
    assert max(server.times) - began >= 7 * 0.05


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:00:20 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=10.0) == seconds


def _image(colour: str, size: tuple[int, int] = (900, 300)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "WEBP", lossless=True)
    return out.getvalue()


def _video(seconds: int = 4, rate: int = 10) -> bytes:
    """Grey that grows lighter by one step a frame."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.gop_size = 7
        for n in range(seconds * rate):
            grey = np.full((48, 64, 3), 6 * n, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def _sound(seconds: float = 1.5) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=44_100, layout="stereo")
        tone = np.sin(np.arange(int(44_100 * seconds)) * 2 * np.pi * 440 / 44_100) * 12_000
        both = np.repeat(tone.astype(np.int16), 2)[None, :]
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def _medium(modality: str, content: bytes) -> MediumRef:
    kind = "sheet" if modality == "mesh" else "web"
    return MediumRef(content[:32].ljust(32), modality, {kind: lambda: io.BytesIO(content)})


def _decoded(part: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2])))


def test_every_modality_is_shown() -> None:
    """Over the documented schema: the server refuses what does not fit it."""
    item = Compared(
        "What goes with this?",
        "It fits.",
        Side("", _medium("video", _video())),
        Side("this", _medium("audio", _sound())),
        prompt_media=(_medium("image", _image("red")), _medium("mesh", _image("green", (2000, 1000)))),
    )
    sees = ["image", "video", "audio", "mesh"]
    with chat_server(always("[[B]]")) as server:
        found = judge_of(server, sees=sees, image_side=300, response_frames=5).judge(item, ties=True)
    assert found.verdict == -1, found.detail
    content = server.asked[0]["messages"][1]["content"]
    kinds = [part["type"] for part in content]
    assert kinds == [
        "text",
        "image_url",
        "text",
        "image_url",
        "text",
        "text",
        *["image_url"] * 5,
        "text",
        "input_audio",
    ]
    assert _decoded(content[1]).size == (300, 100)
    assert _decoded(content[3]).size == (600, 300)
    assert "5 frames of a video of 4.0 seconds" in content[5]["text"]
    greys = [np.asarray(_decoded(part).convert("L"), dtype=float).mean() for part in content[6:11]]
    # Frames 4, 12, 20, 28, 36 of 40: the middles of five equal parts, where the n-th frame has the grey 6 n.
    assert greys == pytest.approx([6 * n for n in (4, 12, 20, 28, 36)], abs=3)
    with wave.open(io.BytesIO(base64.b64decode(content[12]["input_audio"]["data"]))) as heard:
        assert (heard.getframerate(), heard.getnchannels(), heard.getsampwidth()) == (16_000, 1, 2)
        assert heard.getnframes() == pytest.approx(24_000, abs=50)


def test_frames_of_a_short_video_are_as_many_as_there_are() -> None:
    frames, seconds = sampled_frames(io.BytesIO(_video(seconds=1, rate=3)), 10)
    assert len(frames) == 3 and seconds == pytest.approx(1.0, abs=0.05)


def test_a_sound_stays_what_it_is() -> None:
    with wave.open(io.BytesIO(wav(io.BytesIO(_sound())))) as heard:
        samples = np.frombuffer(heard.readframes(heard.getnframes()), dtype=np.int16)
    spectrum = np.abs(np.fft.rfft(samples[2000:18_000]))
    assert spectrum.argmax() == 440


def test_what_it_cannot_look_at_is_said_and_never_guessed() -> None:
    with chat_server(always("[[A]]")) as server:
        item = Compared("p", "c", Side("", _medium("audio", _sound())), Side("", _medium("audio", _sound())))
        found = judge_of(server).judge(item, ties=True)
        assert (found.verdict, found.without) == (None, Without.UNSUPPORTED)
        assert found.detail == "it is not shown audio"
        asked_about = Compared("p", "c", Side("x"), Side("y"), prompt_media=(_medium("video", b""),))
        assert judge_of(server, sees=["image"]).judge(asked_about, ties=True).without == Without.UNSUPPORTED
        assert server.asked == []


def test_a_medium_that_cannot_be_opened_is_an_error_of_its_row() -> None:
    with chat_server(always("[[A]]")) as server:
        item = Compared("p", "c", Side("", _medium("image", b"no picture")), Side("x"))
        found = judge_of(server).judge(item, ties=True)
        assert found.without == Without.ERROR and "cannot be opened" in found.detail
        assert server.asked == []


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("Judge {criterion} now. {verdicts}")
    with chat_server(always("[[A]]")) as server:
        spec = JudgeSpec.from_json({"url": server.url, "model": "m", "template": "mine.txt"})
        judge = ChatJudge.from_spec(spec, MemoryReplies(), beside=tmp_path)
        odd = Compared("p", "Says {verdicts} and {criterion}.", Side("x"), Side("y"))
        assert judge.judge(odd, ties=True).verdict == 1
        system = server.asked[0]["messages"][0]["content"]
        assert system.startswith("Judge Says {verdicts} and {criterion}. now. End with")
        assert judge.template == "mine.txt"
    (tmp_path / "mine.txt").write_text("Judge. {verdicts}")
    with pytest.raises(SpecError, match=r"template: .*must hold \{criterion\} once"):
        ChatJudge.from_spec(spec, MemoryReplies(), beside=tmp_path)
    with pytest.raises(SpecError, match=r"template: .*cannot be read"):
        ChatJudge.from_spec(spec, MemoryReplies(), beside=tmp_path / "none")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "a mapping with url and model"),
        ({"url": "http://x/v1"}, "model: is missing"),
        ({"model": "m"}, "url: is missing"),
        ({"sees": "image"}, "sees: is 'image'; must be a list of image, video"),
        ({"sees": ["smell"]}, "sees: "),
        ({"orders": "three"}, "orders: is 'three'; must be both or one"),
        ({"retries": -1}, "retries: is -1; must be a whole number of at least 0"),
        ({"retries": True}, "retries: is True"),
        ({"temperature": "hot"}, "temperature: is 'hot'; must be a number"),
        ({"tempersture": 1}, "tempersture: no such field. There are: url, model"),
        ({"extra": {"messages": []}}, "extra: "),
        ({"extra": {"x": float("nan")}}, "extra: must hold nothing but JSON"),
        ({"price_in": 1}, "price_in, price_out: give both"),
        ({"url": "ftp://x"}, "url: 'ftp://x' is no address"),
        ({"url": "http://me:secret@x/v1"}, "url: the address holds a password"),
        ({"key_env": "NO_SUCH_KEY"}, "key_env: the environment variable NO_SUCH_KEY is not set"),
    ],
)
def test_a_specification_that_cannot_be_used_names_the_field(values: Any, words: str) -> None:
    if isinstance(values, dict) and "is missing" not in words:
        values = {"url": "http://localhost:1/v1", "model": "m"} | values
    with pytest.raises(SpecError, match=words.replace("(", r"\(")):
        ChatJudge.from_spec(JudgeSpec.from_json(values), MemoryReplies())
