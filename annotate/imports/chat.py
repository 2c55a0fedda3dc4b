"""Posting JSON to an HTTP endpoint: time-outs, retries with growing pauses, no redirects, answers of a bounded size."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3

MAX_ANSWER = 16 * 1024 * 1024  # bytes
MAX_PAUSE = 120.0  # seconds, whatever the server asks for
_TRANSIENT = {408, 409, 425, 429}


class ChatError(Exception):
    """The endpoint gave no answer. `permanent`: asking the same again is of no use."""

    def __init__(self, problem: str, *, permanent: bool) -> None:
        super().__init__(problem)
        self.permanent = permanent


@dataclass
class Poster:
    """A pool of connections, which may be shared by threads. `pause` waits so many seconds; tests put their own."""

    timeout: float = 120.0
    tries: int = 6
    first_pause: float = 1.0
    pause: Callable[[float], object] = time.sleep
    connections: int = 64
    _pool: urllib3.PoolManager = field(init=False, repr=False)
    _chance: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        self._pool = urllib3.PoolManager(num_pools=32, maxsize=self.connections, retries=False)

    def post(self, url: str, body: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        """The endpoint's JSON object. The key goes into the header Authorization, and into no message.

        Too many requests (429), a server's own failures (5xx), time-outs and broken connections are tried again, after the
        pause that the server asks for or one that doubles, of which chance takes up to half.

        Raises:
            ChatError: refused, or still failing after the last try.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = json.dumps(body).encode()
        for attempt in range(1, self.tries + 1):
            asked: float | None = None
            try:
                return self._once(url, data, headers)
            except _Again as again:
                problem, asked = again.problem, again.after
            except urllib3.exceptions.LocationValueError:
                raise ChatError(f"{url} is no URL that can be asked.", permanent=True) from None
            except urllib3.exceptions.HTTPError as error:
                problem = f"{type(error).__name__} ({_host(url)})"
            if attempt == self.tries:
                break
            pause = self.first_pause * 2 ** (attempt - 1)
            pause *= 0.5 + self._chance.random() / 2
            self.pause(min(MAX_PAUSE, max(pause, asked or 0.0)))
        raise ChatError(f"{problem}, {self.tries} times", permanent=False)

    def _once(self, url: str, data: bytes, headers: dict[str, str]) -> dict[str, Any]:
        response = self._pool.request(
            "POST",
            url,
            body=data,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(10.0, self.timeout), read=self.timeout),
            redirect=False,
            preload_content=False,
        )
        try:
            content = response.read(MAX_ANSWER + 1, decode_content=True)
        finally:
            response.release_conn()
        status = response.status
        if status in _TRANSIENT or status >= 500:
            raise _Again(f"HTTP {status}: {_excerpt(content)}", _asked(response.headers.get("Retry-After")))
        if status >= 300:
            raise ChatError(f"HTTP {status}: {_excerpt(content)}", permanent=True)
        if len(content) > MAX_ANSWER:
            raise ChatError(f"an answer of more than {MAX_ANSWER // 2**20} MB", permanent=True)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            raise _Again(f"no JSON: {_excerpt(content)}", None) from None
        if not isinstance(answer, dict):
            raise ChatError(f"no JSON object: {_excerpt(content)}", permanent=True)
        return answer


class _Again(Exception):
    def __init__(self, problem: str, after: float | None) -> None:
        super().__init__(problem)
        self.problem, self.after = problem, after


def _asked(header: str | None) -> float | None:
    """The pause that Retry-After asks for: seconds, or until a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        except (TypeError, ValueError):
            return None


def _excerpt(content: bytes) -> str:
    return " ".join(content[:300].decode(errors="replace").split())


def _host(url: str) -> str:
    return urllib3.util.parse_url(url).host or url
