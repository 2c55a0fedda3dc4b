"""A model's endpoint over HTTP, as OpenAI, vLLM, SGLang and others serve it: POST <url>/chat/completions and others.

What is worth trying again is tried again: what the server refuses for now (429, with its Retry-After), its own
failures (5xx), replies that are no JSON, and connections that break or take too long. Everything else is said at once.
"""

import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import urllib3

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
# Whatever item is sent, these are answered.
_NEVER = {
    401: "The key is refused.",
    402: "The account has no credit left.",
    403: "The key may not use this model.",
    404: "There is no such model, or no such endpoint at this address.",
    405: "There is no such endpoint at this address.",
}
_MOST_BYTES = 8 * 1024 * 1024
_FIRST_WAIT, _MOST_WAIT = 1.0, 60.0  # seconds
MOST_HOLD = 600.0  # seconds, whatever the server asks for
_TOLD = 300  # characters of what a server says


class EndpointError(Exception):
    """One request could not be answered. The message says why."""


class EndpointBroken(Exception):
    """No request would be answered. The message says why, and how to mend it."""


@dataclass(frozen=True)
class Completion:
    """A reply: its text, why it ended, and the tokens that the server counted (0 where it does not tell)."""

    text: str
    finish: str
    tokens_in: int
    tokens_out: int


@dataclass
class Endpoint:
    """Where to ask, and how fast. Threads share one.

    Args:
        url: the base address, such as http://localhost:8000/v1.
        key: sent as a bearer token where it is not empty. It is never written anywhere.
        timeout: seconds that one request may take.
        retries: how often a request is sent again.
        per_minute: requests a minute at most; 0: no limit.
        connections: requests at a time.
        sleep, clock: waits so many seconds, and tells the time in seconds; tests put their own.
    """

    url: str
    key: str = field(default="", repr=False)
    timeout: float = 120.0
    retries: int = 6
    per_minute: float = 0.0
    connections: int = 8
    sleep: Callable[[float], object] | None = field(default=None, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                f"{self.url!r:.200} is no address of a server: http://HOST:PORT/v1 or https://HOST/v1"
            )
        if parts.username or parts.password:
            raise ValueError(
                "the address holds a password: give it as a key, by the variable that key_env names"
            )
        self._pool = urllib3.PoolManager(maxsize=self.connections, block=True, retries=False)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        # Whoever waits is woken when nobody wants an answer any more.
        self.sleep = self.sleep or self._stopped.wait
        self._next = 0.0  # when the next request may be sent, by the clock

    def stop(self) -> None:
        """From here on nothing is sent; who waits to send something is told so."""
        self._stopped.set()

    def complete(self, body: dict[str, Any]) -> Completion:
        """Ask for a chat completion; see `ask`."""
        return _completion(self.ask("/chat/completions", body))

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that is answered to this body at this path under the address.

        Raises:
            EndpointError: this request was not answered.
            EndpointBroken: none would be.
        """
        data = json.dumps(body).encode()
        problem, told = "", None
        for attempt in range(self.retries + 1):
            if attempt and told is None:  # what the server told was noted for all threads
                wait = min(_FIRST_WAIT * 2 ** (attempt - 1), _MOST_WAIT)
                self._pause(wait * random.uniform(0.5, 1.0))
            self._take_turn()
            if self._stopped.is_set():
                raise EndpointError("it was stopped")
            told = None
            try:
                status, headers, content = self._post(self.url.rstrip("/") + path, data)
            except urllib3.exceptions.HTTPError as error:
                # A connection that was refused is one that timed out, to this library.
                refused = isinstance(error, urllib3.exceptions.NewConnectionError)
                late = isinstance(error, urllib3.exceptions.TimeoutError) and not refused
                name = type(error).__name__
                problem = (
                    f"it did not answer within {self.timeout:g} s"
                    if late
                    else f"the connection failed ({name})"
                )
                continue
            if status == 200:
                try:
                    said = json.loads(content)
                except (ValueError, RecursionError):
                    problem = f"its reply is no JSON: {_message(content)}"
                    continue
                if not isinstance(said, dict):
                    raise EndpointError(f"its reply is no JSON object: {_message(content)}")
                return said
            problem = f"it answered {status}: {_message(content)}"
            if status in _NEVER:
                raise EndpointBroken(
                    f"{self.url}: {_NEVER[status]} It answered {status}: {_message(content)}"
                )
            if status not in _AGAIN:
                raise EndpointError(problem)
            told = retry_after(headers.get("Retry-After"), time.time())
            if told is not None:
                self._hold(told)
        tries = self.retries + 1
        raise EndpointError(f"{problem}; tried {tries} time{'s' if tries > 1 else ''}")

    def _post(self, address: str, data: bytes) -> tuple[int, Any, bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        # A redirect is not followed: it would carry the key to another place.
        reply = self._pool.request(
            "POST",
            address,
            body=data,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(self.timeout, 30.0), read=self.timeout),
            redirect=False,
            preload_content=False,
        )
        try:
            content = reply.read(_MOST_BYTES + 1, decode_content=True)
            if len(content) > _MOST_BYTES:
                reply.close()
                raise EndpointError(f"its reply is larger than {_MOST_BYTES // 2**20} MB")
            return reply.status, reply.headers, content
        finally:
            reply.release_conn()

    def _take_turn(self) -> None:
        """Wait until this request may be sent: as many a minute as allowed, none while the server asks for a pause."""
        with self._lock:
            now = self.clock()
            at = max(self._next, now)
            self._next = at + (60.0 / self.per_minute if self.per_minute else 0.0)
        if at > now:
            self._pause(at - now)

    def _pause(self, seconds: float) -> None:
        assert self.sleep is not None
        self.sleep(seconds)

    def _hold(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, self.clock() + min(seconds, MOST_HOLD))


def retry_after(value: str | None, now: float) -> float | None:
    """The seconds of a Retry-After header (RFC 9110: seconds, or a date); None without one that can be read."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None


def _completion(said: dict[str, Any]) -> Completion:
    try:
        choice = said["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        usage = said.get("usage") or {}
        tokens = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
        if not isinstance(text, str):
            raise TypeError("its content is no text")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise EndpointError(
            f"its reply is no chat completion ({type(error).__name__}: {error})"[:_TOLD]
        ) from None
    return Completion(text, str(choice.get("finish_reason") or ""), *(max(0, one) for one in tokens))


def _message(content: bytes) -> str:
    """What a server says of an error, shortened."""
    said = content[:4096].decode(errors="replace")
    try:
        error = json.loads(content)["error"]
        said = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return " ".join(str(said).split())[:_TOLD] or "nothing"


class Specified(Protocol):
    """What a specification says of its endpoint; the key stands in the environment, under the name `key_env`."""

    @property
    def url(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def retries(self) -> int: ...
    @property
    def per_minute(self) -> float: ...
    @property
    def concurrency(self) -> int: ...


def specified(spec: Specified) -> Endpoint:
    """The endpoint that a specification names.

    Raises:
        ValueError: naming the field: the key's variable is not set, or the address is none.
    """
    key = os.environ.get(spec.key_env, "") if spec.key_env else ""
    if spec.key_env and not key:
        raise ValueError(f"key_env: the environment variable {spec.key_env} is not set")
    try:
        return Endpoint(
            spec.url,
            key=key,
            timeout=spec.timeout,
            retries=spec.retries,
            per_minute=spec.per_minute,
            connections=spec.concurrency,
        )
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
