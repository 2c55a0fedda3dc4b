"""How fast media are made fit to be shown: files of each modality a second, beside the decoder alone.

    python bench/derive.py [--files 16]

For each modality, generated files are examined in the sandbox with all their derivatives, as many at a time as
there are children, and the same files are only decoded, as many at a time, in as many processes that do nothing else.
Prints one JSON object a modality: files/s of both and their ratio, in how many processes each, and what the derivatives
of one file weigh.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from multiprocessing import get_context
from tempfile import TemporaryFile
from typing import Any

from place import own_servers

SECONDS = 2


def image(number: int) -> tuple[str, bytes]:
    from PIL import Image

    from tests.media.clips import scene

    out = BytesIO()
    Image.fromarray(scene(number, 1280, 720)).save(out, "PNG")
    return "image/png", out.getvalue()


def large_image(number: int) -> tuple[str, bytes]:
    """24 megapixels."""
    from PIL import Image

    from tests.media.clips import scene

    out = BytesIO()
    Image.fromarray(scene(number, 6000, 4000)).save(out, "PNG", compress_level=1)
    return "image/png", out.getvalue()


def video_as_browsers_play(number: int) -> tuple[str, bytes]:
    from tests.media.clips import video

    return "video/mp4", video(size=(1280, 720), frames=25 * SECONDS + number, sound="aac")


def video_to_be_coded(number: int) -> tuple[str, bytes]:
    from tests.media.clips import video

    return "video/x-msvideo", video(
        "video/x-msvideo",
        codec="mpeg4",
        size=(1280, 720),
        frames=25 * SECONDS + number,
        sound="libmp3lame",
        options={"qmin": "2", "qmax": "4"},
    )


def audio(number: int) -> tuple[str, bytes]:
    import numpy as np

    from tests.media.clips import sound, tone

    both = np.stack([tone(30, hertz=200 + number), tone(30, hertz=300)], axis=1)
    return "audio/mpeg", sound("audio/mpeg", codec="libmp3lame", samples=both)


def mesh(number: int) -> tuple[str, bytes]:
    """A ball of about 20,000 triangles."""
    import numpy as np

    around, up = np.meshgrid(np.linspace(0, 2 * np.pi, 101), np.linspace(0, np.pi, 101))
    points = np.stack([np.cos(around) * np.sin(up), np.sin(around) * np.sin(up), np.cos(up) + number], axis=2)
    lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in points.reshape(-1, 3)]
    for row in range(100):
        for at in range(100):
            a, b = row * 101 + at + 1, (row + 1) * 101 + at + 1
            lines += [f"f {a} {b} {a + 1}", f"f {a + 1} {b} {b + 1}"]
    return "model/obj", "\n".join(lines).encode()


def decode(media_type: str, data: bytes) -> None:
    """Nothing but the decoder: no child, no limit, nothing made."""
    if media_type.startswith("image/"):
        from PIL import Image

        Image.open(BytesIO(data)).load()
    elif media_type.startswith("model/"):
        import trimesh

        trimesh.load(BytesIO(data), file_type=media_type.split("/")[1])
    else:
        import av

        with av.open(BytesIO(data), "r") as container:
            for _ in container.decode():
                pass


def decode_all(given: list[tuple[str, bytes]], processes: int) -> float:
    """Seconds to decode all files, `processes` at a time, counted from when each process has decoded one."""
    media_types, contents = zip(*given, strict=True)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(decode, media_types[:1] * 2 * processes, contents[:1] * 2 * processes))
        began = time.monotonic()
        list(pool.map(decode, media_types, contents))
        return time.monotonic() - began


CASES: dict[str, Callable[[int], tuple[str, bytes]]] = {
    "image, PNG 1280 x 720": image,
    f"video copied, H.264 1280 x 720, {SECONDS} s": video_as_browsers_play,
    f"video coded anew, MPEG-4 in AVI 1280 x 720, {SECONDS} s": video_to_be_coded,
    "audio, MP3 stereo, 30 s": audio,
    "mesh, OBJ of 20,000 triangles": mesh,
}


def measure(make: Callable[[int], tuple[str, bytes]], files: int) -> dict[str, Any]:
    from annotate.modalities import HOUSES
    from annotate.modalities.sandbox import MediaSandbox, Request
    from tests.media.sandboxed import kind_of

    given = [make(number) for number in range(files)]
    with ExitStack() as stack:
        requests = []
        for media_type, data in given:
            source = stack.enter_context(TemporaryFile())
            source.write(data)
            source.flush()
            kind = kind_of(media_type)
            requests.append(Request(source, kind, HOUSES[kind.modality].KINDS))
        sandbox = stack.enter_context(MediaSandbox())
        list(sandbox.examine_many(requests[: sandbox.width]))  # the children are started
        began = time.monotonic()
        weight = 0
        for found in sandbox.examine_many(requests):
            if isinstance(found, Exception):
                raise found
            for rendition in found.renditions:
                weight += rendition.size
                rendition.file.close()
        derived = time.monotonic() - began
    decoded = decode_all(given, sandbox.width)
    return {
        "files": files,
        "derived_per_second": round(files / derived, 2),
        "decoded_per_second": round(files / decoded, 2),
        "decoded_per_derived": round(derived / decoded, 1),
        "derivatives_bytes_per_file": weight // files,
        "processes": sandbox.width,  # of either
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=16)
    files = parser.parse_args().files
    with own_servers():
        for name, make in CASES.items():
            print(json.dumps({"case": name, **measure(make, files), "cpus": os.cpu_count()}), flush=True)


if __name__ == "__main__":
    main()
