"""Models that write and verify criteria of how long answers are, behind the chat endpoint of tests, and recipes for them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.reward_models.chat_server import ChatServer, Reply, chat_server

BRIEF, DETAIL = "It comes to the point in few words.", "It explains with much detail."


def sides(body: dict[str, Any]) -> dict[str, str]:
    """What stands under each letter."""
    texts = [part["text"] for part in body["messages"][1]["content"] if part["type"] == "text"]
    found = [text.partition("]\n") for text in texts if text.startswith("[Response ")]
    return {head.removeprefix("[Response "): said for head, _, said in found}


def shorter(body: dict[str, Any]) -> str:
    by_letter = sides(body)
    return min(by_letter, key=lambda letter: len(by_letter[letter]))


def other(letter: str) -> str:
    return "B" if letter == "A" else "A"


def written(*criteria: tuple[str, str]) -> Reply:
    """A writer's reply: (criterion, winner)."""
    rows = [{"criterion": text, "why": f"Because {letter}.", "winner": letter} for text, letter in criteria]
    return Reply(json.dumps({"criteria": rows}))


def writes(body: dict[str, Any]) -> Reply:
    """One criterion for each side."""
    return written((BRIEF, shorter(body)), (DETAIL, other(shorter(body))))


def verifies(body: dict[str, Any]) -> Reply:
    """Right in both orders."""
    wanted = shorter(body) if "few words" in body["messages"][0]["content"] else other(shorter(body))
    return Reply(f"So it is. [[{wanted}]]")


def answers(body: dict[str, Any]) -> Reply:
    """By the model's name: `writer`, `first` to `third` that verify well, `biased` that always takes A."""
    if body["model"] == "writer":
        return writes(body)
    return Reply("[[A]]") if body["model"] == "biased" else verifies(body)


def recipe(
    url: str, verifiers: tuple[str, ...] = ("first", "second", "biased"), **fields: Any
) -> dict[str, Any]:
    plain = {"url": url, "price_in": 1.0, "price_out": 2.0, "tries": 2, "retries": 1, "timeout": 5}
    return {
        "writer": {**plain, "model": "writer", "concurrency": 2},
        "verifiers": [{**plain, "model": name} for name in verifiers],
        "agree": 2,
        "sample": 0,
        **fields,
    }


def as_file(folder: Path, values: dict[str, Any]) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(values))  # JSON is YAML, too
    return path


@contextmanager
def models(answer: Any = answers) -> Iterator[ChatServer]:
    with chat_server(answer) as server:
        yield server
