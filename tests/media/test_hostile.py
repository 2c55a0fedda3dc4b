"""Hostile and broken files are refused with a reason, or shown safely: in time, in memory, without a network."""

import io
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import av
import psutil
import pytest

from annotate.modalities import HEAD_BYTES, HOUSES, MediaError, lockdown, sniff
from annotate.modalities.sandbox import MediaSandbox
from annotate.modalities.streams import _DEMUXERS
from tests.media.hostile import HTML, REFUSED, SHOWN, mp4_naming, playlist_naming, svg_naming
from tests.media.hostile_meshes import changed, obj_that_names_a_file, ply_that_names_a_file, with_image
from tests.media.sandboxed import Opened, examine, stripped


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


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        yield listening


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/secret"


def was_called(listener: socket.socket) -> bool:
    """Whether anybody has connected: the system accepts in our place."""
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return False
    return True


# Files that name an address, and the types under which they enter the child: none of them is asked what it is before.
NAMING: dict[str, tuple[Callable[[str], bytes], list[str]]] = {
    "GLB with its buffer elsewhere": (
        lambda url: changed(lambda document: document["buffers"][0].update(uri=url)),
        ["model/gltf-binary"],
    ),
    "GLB with a texture elsewhere": (lambda url: with_image(uri=url), ["model/gltf-binary"]),
    "OBJ with its materials elsewhere": (obj_that_names_a_file, ["model/obj"]),
    "PLY with its texture elsewhere": (ply_that_names_a_file, ["model/ply"]),
    "SVG": (svg_naming, ["image/png", "image/jpeg", "image/webp", "image/gif"]),
    "HLS playlist": (playlist_naming, [*_DEMUXERS]),
    "HLS playlist behind ftyp": (
        lambda url: b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + playlist_naming(url),
        ["video/mp4"],
    ),
    "MP4 with its pictures elsewhere": (mp4_naming, ["video/mp4", "video/quicktime"]),
}


@pytest.mark.parametrize("name", NAMING)
def test_nothing_that_is_opened_reaches_an_address(
    pool: MediaSandbox, listener: socket.socket, name: str
) -> None:
    make, media_types = NAMING[name]
    data = make(address(listener))
    assert address(listener).encode() in data
    for media_type in media_types:
        asked = _jobs(pool)
        with suppress(MediaError):
            examine(pool, data, media_type)
        assert _jobs(pool) != asked  # a child has looked at it
        with suppress(MediaError):
            stripped(pool, data, media_type)
    assert not was_called(listener)


def _jobs(pool: MediaSandbox) -> list[tuple[int, int]]:
    """What each child that lives has been asked so far."""
    return sorted((child._process.pid, child.jobs) for child in pool._started)


def test_a_playlist_does_reach_it_where_nothing_forbids_it(listener: socket.socket) -> None:
    """So the listener hears, and what is forbidden above is something."""
    playlist = io.BytesIO(playlist_naming(address(listener)))
    answer = threading.Thread(target=lambda: listener.accept()[0].close())
    listener.settimeout(20)
    answer.start()
    with suppress(av.FFmpegError):
        av.open(playlist, format="hls", options={"http_persistent": "0"}, timeout=10).close()
    answer.join(25)
    assert not answer.is_alive()
