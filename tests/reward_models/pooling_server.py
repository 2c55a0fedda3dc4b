"""A real HTTP server that speaks vLLM's pooling API as it is documented, for reward models to be asked over.

What it takes and gives follows vLLM 0.18 (docs/models/pooling_models.md, "Pooling API", and the server's schemas
PoolingChatRequest, PoolingResponse and PoolingResponseData; docs/features/multimodal_inputs.md for media and their
uuid). Those fields are written down here that concern a reward model; a request that does not fit is answered 400, as
there. Its "model" reads the request alone: nothing here knows our client.
"""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from tests.reward_models.serving import JsonHandler, serving


def _url(kind: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", f"{kind}_url"],
        "properties": {
            "type": {"const": f"{kind}_url"},
            f"{kind}_url": {
                "type": ["object", "null"],
                "required": ["url"],
                "properties": {
                    "url": {"type": "string", "pattern": f"^(https?:|data:{kind}/[a-z0-9]+;base64,)"}
                },
            },
            "uuid": {"type": ["string", "null"]},
        },
        "additionalProperties": False,
    }


_PART = {
    "oneOf": [
        {
            "type": "object",
            "required": ["type", "text"],
            "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
        },
        _url("image"),
        _url("video"),
        {
            "type": "object",
            "required": ["type", "input_audio"],
            "properties": {
                "type": {"const": "input_audio"},
                "input_audio": {
                    "type": ["object", "null"],
                    "required": ["data", "format"],
                    "properties": {"data": {"type": "string"}, "format": {"enum": ["wav", "mp3"]}},
                },
                "uuid": {"type": ["string", "null"]},
            },
            "additionalProperties": False,
        },
    ]
}
REQUEST = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "model": {"type": ["string", "null"]},
        "task": {"enum": ["embed", "classify", "token_embed", "token_classify", "plugin", None]},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "role": {"enum": ["system", "user", "assistant", "tool", "developer"]},
                    "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": _PART}]},
                },
                "additionalProperties": False,
            },
        },
        "add_generation_prompt": {"type": "boolean"},
        "continue_final_message": {"type": "boolean"},
        "use_activation": {"type": ["boolean", "null"]},
        "encoding_format": {"enum": ["float", "base64", "bytes"]},
        "truncate_prompt_tokens": {"type": ["integer", "null"], "minimum": -1},
        "mm_processor_kwargs": {"type": ["object", "null"]},
        "priority": {"type": "integer"},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Reply:
    """Another answer than the model's number: a status with headers, or a body as it is."""

    status: int = 200
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0


@dataclass
class PoolingServer:
    """`asked` are the bodies of valid requests in the order in which they came."""

    value: Callable[[dict[str, Any]], float]
    model: str = "reward"
    instead: list[Reply] = field(default_factory=list)
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def response(state: PoolingServer, body: dict[str, Any]) -> bytes:
    """PoolingResponse of one label: LAST pooling, a sigmoid unless the activation is off."""
    number = state.value(body)
    if body.get("use_activation") is not False:
        number = 1 / (1 + math.exp(-number))
    tokens = len(json.dumps(body["messages"])) // 4
    return json.dumps(
        {
            "id": "pool-1",
            "object": "list",
            "created": 1745383065,
            "model": state.model,
            "data": [{"index": 0, "object": "pooling", "data": [number]}],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0},
        }
    ).encode()


def error(message: str, code: int) -> bytes:
    """ErrorResponse of vLLM."""
    told = {"message": message, "type": "BadRequestError", "param": None, "code": code}
    return json.dumps({"error": told}).encode()


@contextmanager
def pooling_server(value: Callable[[dict[str, Any]], float]) -> Iterator[PoolingServer]:
    state = PoolingServer(value)

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/pooling":
                self.send_json(404, b'{"detail":"Not Found"}', {})
                return
            body = json.loads(data)
            try:
                jsonschema.validate(body, REQUEST)
            except jsonschema.ValidationError as problem:
                self.send_json(400, error(problem.message[:500], 400), {})
                return
            if body.get("model") not in (None, state.model):
                self.send_json(404, error(f"The model `{body['model']}` does not exist.", 404), {})
                return
            with state.lock:
                state.asked.append(body)
                state.keys.append(self.headers.get("Authorization"))
                reply = state.instead.pop(0) if state.instead else None
            if reply is None:
                self.send_json(200, response(state, body), {})
                return
            time.sleep(reply.wait)
            self.send_json(reply.status, reply.raw or error("not now", reply.status), reply.headers)

    with serving(Handler) as url:
        state.url = url
        yield state
