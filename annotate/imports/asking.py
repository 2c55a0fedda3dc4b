"""Fetching answers: prompts x models from OpenAI-compatible chat endpoints, into an append-only file of JSON lines.

The file is the state: a line is whole or is taken off, an answer that stands in it is not asked for again.
"""

import fcntl
import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import yaml

from annotate.actions.jobs import Refused
from annotate.imports.files import reader_of
from annotate.imports.places import opened
from annotate.imports.record import RowError
from annotate.imports.responses import turns_of
from annotate.imports.schemas.published import content_name
from annotate.imports.spec import FileSpec
from annotate.wire.endpoint import Endpoint, EndpointBroken, EndpointError

_KEYS = {"name", "url", "model", "key_env", "parameters", "system", "prices"}
_PRICES = {"input", "output"}
_PATH = "/chat/completions"


@dataclass(frozen=True)
class Model:
    """A model that is asked at `url`, the address without the path. `prices`: of a million tokens, in and out, in whatever
    currency."""

    name: str
    url: str
    model: str
    key: str = field(default="", repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""
    prices: tuple[float, float] | None = None

    @property
    def digest(self) -> str:
        """Of all that an answer depends on besides the prompt: the address, the key and the prices are not of it."""
        return content_name(self.model, dict(sorted(self.parameters.items())), self.system)


@dataclass(frozen=True)
class Prompt:
    key: str
    turns: Sequence[Mapping[str, str]]


@dataclass
class Totals:
    asked: int = 0
    answered: int = 0
    failed: int = 0
    there: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    unpriced: int = 0  # answers without usage or of models without prices


def endpoints(text: str, environ: Mapping[str, str] = os.environ) -> list[Model]:
    """The models of a YAML file.

    Raises:
        Refused: the message names the model and the key.
    """
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused(f"The models are not YAML: {error}") from None
    listed = given.get("models") if isinstance(given, dict) else None
    if not isinstance(listed, list) or not listed:
        raise Refused(
            "The models must be a YAML document with a list `models`, as in docs/examples/models.yaml."
        )
    made = [_endpoint(one, f"models[{number}]", environ) for number, one in enumerate(listed)]
    names = [one.name for one in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refused(f"Two models are named {twice!r}: an answer must tell whose it is.")
    return made


def _endpoint(given: Any, where: str, environ: Mapping[str, str]) -> Model:
    if not isinstance(given, dict):
        raise Refused(f"{where} must be an object with name and url.")
    if unknown := sorted(str(key) for key in given.keys() - _KEYS):
        raise Refused(f"{where}.{unknown[0]} means nothing; known here: {', '.join(sorted(_KEYS))}.")
    for key in ("name", "url", "model", "key_env", "system"):
        if not isinstance(given.get(key, ""), str) or (key in ("name", "url") and not given.get(key)):
            raise Refused(f"{where}.{key} must be a text.")
    if not given["url"].startswith(("https://", "http://")):
        raise Refused(f"{where}.url must begin with https:// or http://.")
    parameters = given.get("parameters") or {}
    if not isinstance(parameters, dict) or parameters.keys() & {"model", "messages", "stream", "n"}:
        raise Refused(f"{where}.parameters must be an object without model, messages, stream and n.")
    key = ""
    if name := given.get("key_env"):
        key = environ.get(name, "")
        if not key:
            raise Refused(f"{where}: the environment variable {name} is not set; it holds the key.")
    prices = given.get("prices")
    if prices is not None and (
        not isinstance(prices, dict)
        or prices.keys() != _PRICES
        or not all(isinstance(one, (int, float)) and one >= 0 for one in prices.values())
    ):
        raise Refused(f"{where}.prices must have input and output: the price of a million tokens.")
    url = given["url"].rstrip("/").removesuffix(_PATH)
    try:
        Endpoint(url)
    except ValueError as error:
        raise Refused(f"{where}.url: {error}.") from None
    return Model(
        name=given["name"],
        url=url,
        model=given.get("model") or given["name"],
        key=key,
        parameters=parameters,
        system=given.get("system", ""),
        prices=(float(prices["input"]), float(prices["output"])) if prices else None,
    )


def prompts_of(file: FileSpec) -> list[Prompt]:
    """The prompts of a file: rows with prompt or messages, and prompt_id or id.

    Raises:
        Refused: a row cannot be taken, or one id stands for two prompts.
    """
    found: dict[str, Prompt] = {}
    with opened(file) as there:
        for raw in reader_of(file.name)(there):
            try:
                if raw.problem:
                    raise raw.problem
                if raw.values.get("media"):
                    raise RowError("media", "cannot be sent yet: prompts here are texts.")
                turns = turns_of(raw.values)
                given = raw.values.get("prompt_id", raw.values.get("id"))
                key = content_name(turns) if given in (None, "") else str(given)
                if key in found and found[key].turns != turns:
                    raise RowError("id", f"{key!r:.80} stands for another prompt too.")
            except RowError as error:
                raise Refused(f"{file.name}, row {raw.number}, {error.field}: {error.problem}") from None
            found[key] = Prompt(key, turns)
    if not found:
        raise Refused(f"{file.name} holds no prompt.")
    return list(found.values())


class AnswerFile:
    """The file of answers, which one run at a time may append to."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Refused: it cannot be written, holds something else, or another run is at it.
        """
        self._path = path
        try:
            self._file: IO[bytes] = path.open("a+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"{path}: another run is writing it.") from None
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}.") from None
        # (prompt, model) -> digest of how it was asked
        self.there: dict[tuple[str, str], str] = {}
        self._read()

    def close(self) -> None:
        self._file.close()

    def _read(self) -> None:
        self._file.seek(0)
        good = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                break  # cut short by a kill
            good += len(line)
            try:
                row = json.loads(line)
                place = (row["prompt_id"], row["model"])
                if row.get("response") is not None:
                    self.there[place] = row["asked"]
            except (ValueError, KeyError, TypeError):
                raise Refused(f"{self._path}, row {number} is no answer of fetch_responses.") from None
        self._file.truncate(good)
        self._file.seek(0, os.SEEK_END)

    def append(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()


def fetch(
    prompts: Sequence[Prompt],
    models: Sequence[Model],
    answers: AnswerFile,
    *,
    concurrency: int,
    timeout: float = 120.0,
    tries: int = 6,
    budget: float | None = None,
    told: Callable[[Totals], object] = lambda totals: None,
) -> Totals:
    """Ask every model everything that it has not answered yet. What fails for good is noted, and asked again next time.

    With a `budget`, nothing more is sent once the answers of this run have cost so much.

    Raises:
        Refused: answers of a model are there that were asked for otherwise.
    """
    totals = Totals()
    # Each has its own pace: one that asks for a pause holds up no other.
    asked_at = {
        one.name: Endpoint(one.url, key=one.key, timeout=timeout, retries=tries - 1, connections=concurrency)
        for one in models
    }
    missing = list(_missing(prompts, models, answers, totals))
    todo = iter(missing)
    totals.asked = len(missing)
    pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="asking")
    at_work: dict[Future[dict[str, Any]], Model] = {}
    try:
        while True:
            with _interrupted_afterwards():
                while len(at_work) < concurrency and (budget is None or totals.cost < budget):
                    pair = next(todo, None)
                    if pair is None:
                        break
                    at_work[pool.submit(_ask, *pair, asked_at[pair[1].name])] = pair[1]
            if not at_work:
                return totals
            done, _ = wait(at_work, return_when=FIRST_COMPLETED)
            with _interrupted_afterwards():
                for one in done:
                    _note(one.result(), at_work.pop(one), totals, answers)
            told(totals)
    finally:
        # Interrupted, what was sent is waited for and kept: it is paid for.
        for one in at_work:
            one.cancel()
        pool.shutdown(wait=True)
        for one, model in at_work.items():
            if not one.cancelled() and one.exception() is None:
                _note(one.result(), model, totals, answers)


@contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    """Ctrl-C is obeyed where what was sent and what was noted are told apart, not between two lines of here."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *told: held.append(told))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held and callable(before):
            before(*held[0])


def _missing(
    prompts: Sequence[Prompt], models: Sequence[Model], answers: AnswerFile, totals: Totals
) -> Iterator[tuple[Prompt, Model]]:
    # By prompts, so that what is there when it stops can be paired.
    for prompt in prompts:
        for model in models:
            asked = answers.there.get((prompt.key, model.name))
            if asked is None:
                yield prompt, model
            elif asked != _asked(prompt, model):
                raise Refused(
                    f"The answer of {model.name} to {prompt.key!r:.80} that is there was asked for otherwise"
                    " (another prompt, model, system or parameters): name the model anew, or write another file."
                )
            else:
                totals.there += 1


def _asked(prompt: Prompt, model: Model) -> str:
    content = json.dumps([list(map(dict, prompt.turns)), model.digest], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _ask(prompt: Prompt, model: Model, endpoint: Endpoint) -> dict[str, Any]:
    """One line of the file: the answer, or the error."""
    messages = [{"role": turn["role"], "content": turn["text"]} for turn in prompt.turns]
    if model.system:
        messages.insert(0, {"role": "system", "content": model.system})
    row: dict[str, Any] = {
        "prompt_id": prompt.key,
        "prompt": list(prompt.turns),
        "model": model.name,
        "response": None,
        "asked": _asked(prompt, model),
    }
    try:
        row |= _told(endpoint.ask(_PATH, {"model": model.model, "messages": messages, **model.parameters}))
    except (EndpointError, EndpointBroken) as error:
        row["error"] = str(error)
    return row | {"at": datetime.now(UTC).isoformat(timespec="seconds")}


def _told(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a chat completion says, by the documented schema.

    Raises:
        EndpointError: it is none.
    """
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(choice, dict) or not isinstance(content, str):
        raise EndpointError("its reply has no choices[0].message.content")
    usage = answer.get("usage")
    tokens = {
        key: usage[key]
        for key in ("prompt_tokens", "completion_tokens")
        if isinstance(usage, dict) and isinstance(usage.get(key), int) and usage[key] >= 0
    }
    return {
        # What the database could not hold, no line of the file holds.
        "response": content.encode(errors="replace").decode().replace("\0", "\ufffd"),
        "finish_reason": choice.get("finish_reason"),
        **({"usage": tokens} if len(tokens) == 2 else {}),
    }


def _note(row: dict[str, Any], model: Model, totals: Totals, answers: AnswerFile) -> None:
    if row["response"] is None:
        totals.failed += 1
    else:
        totals.answered += 1
        usage = row.get("usage")
        if usage:
            totals.tokens_in += usage["prompt_tokens"]
            totals.tokens_out += usage["completion_tokens"]
        if usage and model.prices:
            of = (usage["prompt_tokens"], usage["completion_tokens"])
            row["cost"] = sum(n * price for n, price in zip(of, model.prices, strict=True)) / 1_000_000
            totals.cost += row["cost"]
        else:
            totals.unpriced += 1
    answers.append(row)
