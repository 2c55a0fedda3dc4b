"""A real HTTP server that speaks chat completions as they are documented, for judges to be asked over.

What it takes and gives follows OpenAI's OpenAPI description of the API, version 2.3.0 (openapi.yaml): the schemas
CreateChatCompletionRequest, ChatCompletionRequestMessageContentPartText, -Image and -Audio,
ResponseFormatJsonSchema and CreateChatCompletionResponse, of which those fields are written down here that concern a
judge. vLLM's server documents the same. A request that does not fit is answered 400, as there; nothing here knows our client.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from tests.reward_models.serving import JsonHandler, serving

_TEXT = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
}
_IMAGE = {
    "type": "object",
    "required": ["type", "image_url"],
    "properties": {
        "type": {"const": "image_url"},
        "image_url": {
            "type": "object",
            "required": ["url"],
            "properties": {
                "url": {"type": "string", "pattern": "^(https?:|data:image/(png|jpeg|webp|gif);base64,)"},
                "detail": {"enum": ["auto", "low", "high"]},
            },
        },
    },
}
_AUDIO = {
    "type": "object",
    "required": ["type", "input_audio"],
    "properties": {
        "type": {"const": "input_audio"},
        "input_audio": {
            "type": "object",
            "required": ["data", "format"],
            "properties": {
                "data": {"type": "string", "contentEncoding": "base64"},
                "format": {"enum": ["wav", "mp3"]},
            },
        },
    },
}
_SYSTEM = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "role": {"enum": ["system", "developer"]},
        "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": _TEXT, "minItems": 1}]},
    },
}
_USER = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "role": {"const": "user"},
        "content": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "minItems": 1, "items": {"oneOf": [_TEXT, _IMAGE, _AUDIO]}},
            ]
        },
    },
}
REQUEST = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string"},
        "messages": {"type": "array", "minItems": 1, "items": {"oneOf": [_SYSTEM, _USER]}},
        "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
        "max_tokens": {"type": ["integer", "null"]},
        "seed": {"type": ["integer", "null"]},
        "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "response_format": {
            "type": "object",
            "required": ["type", "json_schema"],
            "properties": {
                "type": {"const": "json_schema"},
                "json_schema": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                        "strict": {"type": ["boolean", "null"]},
                        "schema": {"type": "object"},
                    },
                },
            },
        },
    },
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Reply:
    """What is answered: text of the assistant, or another status with its headers. `raw` is sent as it is."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    wait: float = 0.0
    finish: str = "stop"


Answer = Callable[[dict[str, Any]], Reply]


@dataclass
class ChatServer:
    """`asked` are the bodies of valid requests, `authorizations` their keys, in the order in which they came."""

    answer: Answer
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def completion(reply: Reply, body: dict[str, Any]) -> bytes:
    """CreateChatCompletionResponse; a token is four characters here."""
    tokens = len(json.dumps(body["messages"])) // 4, len(reply.text) // 4
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1741569952,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": reply.text,
                        "refusal": None,
                        "annotations": [],
                    },
                    "logprobs": None,
                    "finish_reason": reply.finish,
                }
            ],
            "usage": {
                "prompt_tokens": tokens[0],
                "completion_tokens": tokens[1],
                "total_tokens": sum(tokens),
            },
        }
    ).encode()


def error(message: str, code: str | None = None) -> bytes:
    return json.dumps(
        {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    ).encode()


@contextmanager
def chat_server(answer: Answer) -> Iterator[ChatServer]:
    state = ChatServer(answer)

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/chat/completions":
                self.send_json(404, error(f"Unknown request URL: POST {self.path}"), {})
                return
            body = json.loads(data)
            try:
                jsonschema.validate(body, REQUEST)
            except jsonschema.ValidationError as problem:
                self.send_json(400, error(problem.message[:500]), {})
                return
            with state.lock:
                state.asked.append(body)
                state.authorizations.append(self.headers.get("Authorization"))
                state.times.append(time.monotonic())
                state.at_once += 1
                state.most_at_once = max(state.most_at_once, state.at_once)
                reply = state.answer(body)
            time.sleep(reply.wait)
            with state.lock:
                state.at_once -= 1
            content = reply.raw if reply.raw is not None else completion(reply, body)
            if reply.status != 200 and reply.raw is None:
                content = error(reply.text or "no")
            self.send_json(reply.status, content, reply.headers)

    with serving(Handler) as url:
        state.url = url + "/v1"
        yield state
