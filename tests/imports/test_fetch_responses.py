"""Answers of chat endpoints: every one once, whatever the server does and wherever the command dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import jsonschema
import pytest
from django.core.management import CommandError, call_command

from annotate.actions.jobs import Refused
from annotate.imports.asking import endpoints
from annotate.wire.endpoint import MOST_HOLD, Endpoint
from tests.imports.reading import write_lines
from tests.paths import ROOT

# The parts that are used of the documented request of POST /v1/chat/completions.
REQUEST = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string"},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "role": {"enum": ["developer", "system", "user", "assistant", "tool"]},
                    "content": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
        "temperature": {"type": "number"},
        "max_tokens": {"type": "integer"},
    },
    "additionalProperties": False,
}
Answer = tuple[int, dict[str, str], Any]


class Server:
    """An endpoint of the documented schema. `behave` may answer otherwise than well."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.slow = 0.0
        self.behave: Callable[[int], Answer | None] = lambda number: None
        self.url = ""
        self._lock = Lock()

    def answer(self, path: str, headers: Any, body: bytes) -> Answer:
        with self._lock:
            request = json.loads(body)
            jsonschema.validate(request, REQUEST)
            assert path == "/v1/chat/completions"
            self.requests.append(request)
            self.keys.add(headers.get("Authorization", ""))
            number = len(self.requests)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.slow)
        with self._lock:
            self.at_once -= 1
        if other := self.behave(number):
            return other
        said = f"{request['model']} to {request['messages'][-1]['content']}"
        return 200, {}, completion(said)


def completion(said: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
    }


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as made:
        yield made


@contextmanager
def running(made: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                status, headers, content = made.answer(self.path, self.headers, body)
            except Exception as error:  # a request that the schema does not know
                status, headers, content = 400, {}, {"error": {"message": str(error)[:200]}}
            if status == 0:  # hang up
                self.close_connection = True
                return
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are noted and not waited for: the clock goes on by them."""
    pauses: list[float] = []
    monkeypatch.setenv("KEY_OF_A", "secret-a")
    original = Endpoint.__post_init__

    def made(self: Endpoint) -> None:
        original(self)
        self.sleep = pauses.append
        self.clock = lambda: sum(pauses)

    monkeypatch.setattr(Endpoint, "__post_init__", made)
    return pauses


def files(tmp_path: Path, server: Server, prompts: int = 5, **more: Any) -> tuple[Path, Path, Path]:
    rows = [{"id": f"p{n}", "prompt": f"Question {n}?"} for n in range(prompts)]
    models = [
        {
            "name": "a",
            "url": server.url,
            "key_env": "KEY_OF_A",
            "parameters": {"temperature": 0.5},
            "prices": {"input": 2, "output": 10},
        }
        | more,
        {"name": "b", "url": f"{server.url}/", "model": "the-b", "system": "Be brief."},
    ]
    (tmp_path / "models.yaml").write_text(json.dumps({"models": models}))
    return (
        write_lines(tmp_path / "prompts.jsonl", rows),
        tmp_path / "models.yaml",
        tmp_path / "answers.jsonl",
    )


def run(paths: tuple[Path, Path, Path], **options: Any) -> list[dict[str, Any]]:
    prompts, models, output = paths
    call_command("fetch_responses", str(prompts), "--models", str(models), "-o", str(output), **options)
    return answers(output)


def answers(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_every_model_answers_every_prompt_once(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.slow = 0.05
    paths = files(tmp_path, server)
    rows = run(paths, concurrency=4)
    assert {(row["prompt_id"], row["model"]): row["response"] for row in rows} == {
        (f"p{n}", model): f"{sent} to Question {n}?"
        for n in range(5)
        for model, sent in (("a", "a"), ("b", "the-b"))
    }
    assert len(server.requests) == 10 and 2 <= server.most_at_once <= 4
    assert server.keys == {"Bearer secret-a", ""} and "secret-a" not in paths[2].read_text()
    told = capsys.readouterr().out
    # 5 x (1000 x 2 + 500 x 10) / 1,000,000
    assert "10,000 tokens in, 5,000 out, at a price of 0.0350 and 5 answers without one" in told
    assert [row["cost"] for row in rows if row["model"] == "a"] == [0.007] * 5
    by_model = {request["model"]: request for request in server.requests}
    assert by_model["a"]["temperature"] == 0.5 and by_model["the-b"]["messages"][0]["content"] == "Be brief."
    # Again: nothing is asked.
    assert run(paths) == rows and len(server.requests) == 10
    # And it is a table that is paired as it stands.
    call_command("pair_responses", str(paths[2]), "-o", str(tmp_path / "pairs.jsonl"))
    assert len(answers(tmp_path / "pairs.jsonl")) == 5


def test_a_server_that_falters_is_asked_again(tmp_path: Path, server: Server, quick: list[float]) -> None:
    bad: dict[int, Answer] = {
        1: (429, {"Retry-After": "7"}, {"error": {"message": "slow down"}}),
        2: (500, {}, b"oops"),
        3: (0, {}, b""),
        4: (200, {}, b"<html>"),
        5: (503, {"Retry-After": "100000"}, b""),
    }
    server.behave = bad.get
    rows = run(files(tmp_path, server, prompts=1), concurrency=1)
    assert [row["response"] is not None for row in rows] == [True, True]
    assert len(server.requests) == 7 and len(quick) == 5
    assert quick[0] == 7 and 0.99 < quick[1] <= 2 and 4 <= quick[3] <= 8 and quick[4] == MOST_HOLD


def test_a_time_out_is_asked_again(tmp_path: Path, server: Server) -> None:
    server.behave = _wait
    rows = run(files(tmp_path, server, prompts=1), concurrency=1, timeout=0.2)
    assert all(row["response"] for row in rows)


def _wait(number: int) -> Answer | None:
    if number == 1:
        Event().wait(0.6)
    return None


def test_what_is_refused_is_noted_and_asked_anew_next_time(tmp_path: Path, server: Server) -> None:
    paths = files(tmp_path, server, prompts=2)
    server.behave = lambda number: (400, {}, {"error": {"message": "too long"}}) if number <= 2 else None
    with pytest.raises(CommandError, match="2 answers did not come"):
        run(paths, concurrency=1)
    rows = answers(paths[2])
    assert [row.get("error", "") for row in rows] == ["it answered 400: too long"] * 2 + ["", ""]
    assert len(server.requests) == 4  # not tried again at once
    rows = run(paths, concurrency=1)
    assert len(rows) == 6 and all(row["response"] for row in rows[2:])


@pytest.mark.parametrize(
    "content",
    [{}, {"choices": []}, {"choices": [{"message": {"content": None}}]}, {"choices": [3]}, [1]],
)
def test_an_answer_of_another_schema_is_none(tmp_path: Path, server: Server, content: Any) -> None:
    server.behave = lambda number: (200, {}, content)
    paths = files(tmp_path, server, prompts=1)
    with pytest.raises(CommandError, match="did not come"):
        run(paths)
    assert all(row["response"] is None and row["error"] for row in answers(paths[2]))


def test_a_key_is_not_sent_where_a_redirect_leads(tmp_path: Path, server: Server) -> None:
    with running(Server()) as other:
        server.behave = lambda number: (307, {"Location": f"{other.url}/chat/completions"}, b"")
        with pytest.raises(CommandError, match="did not come"):
            run(files(tmp_path, server, prompts=1))
        assert not other.requests


def test_the_budget(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(files(tmp_path, server, prompts=20), concurrency=1, budget=0.02)
    assert sum(row.get("cost", 0) for row in rows) == pytest.approx(0.021)
    assert "were not asked for: the budget is spent" in capsys.readouterr().out


def test_other_parameters_are_another_model(tmp_path: Path, server: Server) -> None:
    run(files(tmp_path, server))
    with pytest.raises(CommandError, match="asked for otherwise"):
        run(files(tmp_path, server, parameters={"temperature": 0}))
    assert len(run(files(tmp_path, server, prices=None))) == 10  # prices change no answer


def test_a_line_cut_short_is_taken_off_and_what_is_no_answer_is_left_alone(
    tmp_path: Path, server: Server
) -> None:
    paths = files(tmp_path, server)
    rows = run(paths)
    whole = paths[2].read_bytes()
    paths[2].write_bytes(whole[:-20])
    again = run(paths)
    assert len(server.requests) == 11
    key = lambda row: (row["prompt_id"], row["model"], row["response"])  # noqa: E731
    assert sorted(map(key, again)) == sorted(map(key, rows))
    paths[2].write_text('{"id": 1}\n')
    with pytest.raises(CommandError, match="row 1 is no answer"):
        run(paths)
    assert paths[2].read_text() == '{"id": 1}\n'


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_killed_anywhere_every_answer_is_there_once(
    tmp_path: Path, server: Server, kill: signal.Signals
) -> None:
    server.slow = 0.05
    prompts, models, output = files(tmp_path, server, prompts=40)
    command = [sys.executable, "manage.py", "fetch_responses", str(prompts), "--models", str(models)]
    command += ["-o", str(output), "--concurrency", "4"]
    for _ in range(3):
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"KEY_OF_A": "x"}, stderr=subprocess.DEVNULL
        )
        before = output.stat().st_size if output.exists() else 0
        deadline = time.monotonic() + 60
        while (output.stat().st_size if output.exists() else 0) < before + 1500:
            assert process.poll() is None and time.monotonic() < deadline
            Event().wait(0.01)
        process.send_signal(kill)
        process.wait(30)
    run((prompts, models, output))
    rows = answers(output)
    assert len({(row["prompt_id"], row["model"]) for row in rows}) == len(rows) == 80
    # What was asked for twice was in flight when the process was killed; interrupted, it waits for what it sent.
    assert len(server.requests) - 80 <= (12 if kill == signal.SIGKILL else 0)


def test_interrupted_while_it_is_noted_an_answer_is_kept(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotate.imports.asking import AnswerFile

    paths = files(tmp_path, server, prompts=2)
    append = AnswerFile.append

    def interrupted(self: AnswerFile, row: dict[str, Any]) -> None:
        signal.raise_signal(signal.SIGINT)
        append(self, row)

    with monkeypatch.context() as patched:
        patched.setattr(AnswerFile, "append", interrupted)
        with pytest.raises((KeyboardInterrupt, CommandError, SystemExit)):
            run(paths, concurrency=1)
    assert len(answers(paths[2])) == len(server.requests) > 0
    assert len(run(paths)) == len(server.requests) == 4


def test_two_at_once_are_refused(tmp_path: Path, server: Server) -> None:
    from annotate.imports.asking import AnswerFile

    paths = files(tmp_path, server)
    held = AnswerFile(paths[2])
    try:
        with pytest.raises(CommandError, match="another run is writing it"):
            run(paths)
    finally:
        held.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("models: [", "not YAML"),
        ("[]", "a list `models`"),
        ("models: [{name: a}]", r"models\[0\].url must be a text"),
        ("models: [{name: a, url: 'ftp://x'}]", "must begin with https"),
        ("models: [{name: a, url: 'http://x/v1?key=y'}]", r"models\[0\].url: .* is no address of a server"),
        ("models: [{name: a, url: 'http://me:y@x'}]", r"models\[0\].url: the address holds a password"),
        ("models: [{name: a, url: 'http://x', key: y}]", r"models\[0\].key means nothing"),
        ("models: [{name: a, url: 'http://x', key_env: NOT_SET}]", "NOT_SET is not set"),
        ("models: [{name: a, url: 'http://x', parameters: {stream: true}}]", "without model, messages"),
        ("models: [{name: a, url: 'http://x', prices: {input: 1}}]", "prices must have"),
        ("models: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]", "Two models are named"),
    ],
)
def test_models_that_cannot_be_asked(given: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        endpoints(given, {})


def test_the_example_is_read() -> None:
    made = endpoints((ROOT / "docs/examples/models.yaml").read_text(), {"MODELS_KEY": "k"})
    assert [one.model for one in made] == ["small-model", "large-model"] and "k'" not in repr(made[0])
