"""Replies kept by what was asked: one small file each, so that whoever is interrupted pays nothing twice."""

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any, Protocol


class ReplyCache(Protocol):
    """Replies by the digest of all that they hang on."""

    def get(self, key: str) -> dict[str, Any] | None: ...

    def put(self, key: str, reply: dict[str, Any]) -> None: ...


def digest(asked: Any) -> str:
    """A name for what was asked: SHA-256 of its JSON in one order."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class DirectoryReplies:
    """One file a reply, put in place whole; any number of threads and processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        try:
            found = json.loads(self._path(key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, key: str, reply: dict[str, Any]) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        written.write_text(json.dumps(reply, ensure_ascii=False))
        os.replace(written, path)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


class MemoryReplies:
    """Kept as long as the object lives."""

    def __init__(self) -> None:
        self._replies: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> dict[str, Any] | None:
        return self._replies.get(key)

    def put(self, key: str, reply: dict[str, Any]) -> None:
        self._replies[key] = reply
