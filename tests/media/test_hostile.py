"""Hostile and broken files are refused with a reason, or shown safely: in time, in memory, without a network."""

import resource
import socket
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from annotate.modalities import HEAD_BYTES, HOUSES, MediaError, lockdown, sniff
from annotate.modalities.sandbox import MediaSandbox
from tests.media.hostile import HTML, REFUSED, SHOWN
from tests.media.sandboxed import Opened, examine


@pytest.fixture(scope="module")
def pool() -> Iterator[MediaSandbox]:
    before = set(psutil.Process().children(recursive=True))
    with MediaSandbox(1) as sandbox:
        yield sandbox
    left = set(psutil.Process().children(recursive=True)) - before
    assert not left
    # The largest child that this process ever waited for.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < lockdown.MEMORY


def opened(pool: MediaSandbox, data: bytes) -> Opened:
    kind = sniff(data[:HEAD_BYTES], len(data))
    examine(pool, data, kind.media_type, ())  # as an import does
    return examine(pool, data, kind.media_type)  # as the job after it does


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(pool: MediaSandbox, name: str) -> None:
    make, words = REFUSED[name]
    data = make()
    began = time.monotonic()
    with pytest.raises(MediaError, match=words) as refusal:
        opened(pool, data)
    assert time.monotonic() - began < 30
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 400


@pytest.mark.parametrize("name", SHOWN)
def test_shown_safely(pool: MediaSandbox, name: str) -> None:
    data = SHOWN[name]()
    began = time.monotonic()
    found = opened(pool, data)
    assert time.monotonic() - began < 30
    house = next(
        house for house in HOUSES.values() if set(found.made) == set(house.KINDS) - {"tiles", "levels"}
    )
    assert house and all(found.made.values())
    assert not any(HTML in made for made in found.made.values())


def test_nothing_that_is_opened_reaches_an_address(pool: MediaSandbox) -> None:
    """Whatever the corpus names leads to this listener; nobody ever calls."""
    called = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    port = listener.getsockname()[1]
    for name in ("playlist.mp4", "playlist behind ftyp.mp4", "script.svg"):
        data = REFUSED[name][0]().replace(b"127.0.0.1:1/", f"127.0.0.1:{port}/".encode())
        with pytest.raises(MediaError):
            opened(pool, data)
    try:
        listener.accept()
        called.set()
    except TimeoutError:
        pass
    listener.close()
    assert not called.is_set()
