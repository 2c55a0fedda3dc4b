"""What the annotator's page costs, in Chromium on the real web server, for each modality.

    python bench/page.py [--modalities text text-long image image-large video audio mesh] [--pairs 50] [--drift-seconds 60]

- bytes that the page transfers, with an empty cache and again with a full one, its media apart; the code of viewers that
  it fetched, of which none may be another modality's
- the time from the key that submits to the next pair on screen: text laid out (of `text-long` 100 kB on each side), images
  decoded, videos with a frame, sounds that can play, models drawn; and until their stills were there
- of large images, how long after the key for 1:1 all that is in view is sharp, and how many tiles that took
- how far two videos of 30 and 25 frames a second are apart over --drift-seconds: their clocks, at each frame of the
  screen, and the frames that are seen, of which each is shown for up to 40 ms

Each pair is looked at for --look seconds, as the page fetches the next one meanwhile. Prints JSON; `loaded` marks figures
that were taken while the machine did other work.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derive import audio, image, large_image, mesh, video_as_browsers_play
from loop import log_in
from place import own_servers, web_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

FILES = 8  # of each modality; pairs take them in turns
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
TASKS = {
    "text": "text_to_text",
    "text-long": "text_to_text",
    "image": "text_to_image",
    "image-large": "text_to_image",
    "video": "text_to_video",
    "audio": "text_to_audio",
    "mesh": "text_to_3D",
}
MAKERS: dict[str, tuple[Callable[[int], tuple[str, bytes]], str]] = {
    "image": (image, "png"),
    "image-large": (large_image, "png"),
    "video": (video_as_browsers_play, "mp4"),
    "audio": (audio, "mp3"),
    "mesh": (mesh, "obj"),
}
# Scripts that are fetched when a pair has use for them, and what for.
VIEWERS = {
    "text": {"text"},
    "text-long": {"text"},
    "image": {"image"},
    "image-large": {"image", "tiles"},
    "video": {"video"},
    "audio": {"audio"},
    "mesh": {"mesh"},
}
# A pair of each modality is on screen, whole.
SHOWN = {
    "text": "() => [...document.querySelectorAll('#sides .read')].every(one => one.offsetHeight)",
    "image": "() => [...document.querySelectorAll('#sides .view.image > .layer > img')].filter(one => one.complete).length === 2",
    "image-large": "() => [...document.querySelectorAll('#sides .view.image > .layer > img')].filter(one => one.complete).length === 2",
    "video": "() => [...document.querySelectorAll('#sides video')].filter(one => one.readyState >= 2).length === 2",
    "audio": "() => [...document.querySelectorAll('#sides .sound .note')].filter(one => !one.textContent).length === 2",
    "mesh": "() => document.querySelectorAll('#sides .view.model[data-drawn]').length === 2",
}
SHOWN["text-long"] = SHOWN["text"]
STILLS = (
    "() => [...document.querySelectorAll('#sides .view.model')]"
    ".filter(one => one.dataset.drawn || one.querySelector('.still')?.complete).length === 2"
)
# Counts from the key that submits until another pair is there, whole, and the screen has drawn it; and until its stills are.
STOPWATCH = """(shown, still) => {
  const prompt = () => document.querySelector("#prompt .asked")?.textContent;
  window.times = [];
  window.stills = [];
  document.addEventListener("keydown", event => {
    if (event.key !== "Enter") return;
    const began = performance.now(), before = prompt();
    const look = () => {
      const another = prompt() !== before && !document.getElementById("work").inert;
      if (another && still() && window.stills.length === window.times.length)
        requestAnimationFrame(() => window.stills.push(performance.now() - began));
      if (another && shown())
        requestAnimationFrame(() => window.times.push(performance.now() - began));
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { capture: true });
}"""
# Counts from the key for 1:1 until nothing in view is to be sharpened any more.
SHARP = """() => {
  const state = {};
  state.done = new Promise(resolve => {
    document.addEventListener("keydown", () => {
      const began = performance.now();
      const look = () => {
        const all = [...document.querySelectorAll("#sides .side .view.image > .layer > canvas:not([hidden])")];
        if (all.length === 2 && all.every(one => one.dataset.lacks === "0")) resolve(performance.now() - began);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
  return state;
}"""
APART = """seconds => new Promise(resolve => {
  const [one, other] = document.querySelectorAll("#sides video");
  const clocks = [], frames = [], seen = new Map(), until = performance.now() + seconds * 1000;
  const present = video => video.requestVideoFrameCallback((now, { mediaTime }) => {
    seen.set(video, mediaTime);
    if (seen.size === 2) frames.push(Math.abs(seen.get(one) - seen.get(other)) * 1000);
    present(video);
  });
  present(one);
  present(other);
  const look = () => {
    clocks.push(Math.abs(one.currentTime - other.currentTime) * 1000);
    if (performance.now() < until && !one.ended && !other.ended) return requestAnimationFrame(look);
    const dropped = [one, other].map(video => video.getVideoPlaybackQuality()).map(q => q.droppedVideoFrames / q.totalVideoFrames);
    resolve([clocks, frames, dropped]);
  };
  look();
})"""


LONG = 100_000  # bytes


def text(number: int, least: int = 0) -> str:
    words = "The answer weighs what was asked against what is known and says where it is not sure".split()
    paragraph = " ".join(words[(number + n) % len(words)] for n in range(90))
    paragraphs = max(6, least // len(paragraph) + 1)
    return "\n\n".join([f"## Answer {number}", *[f"{n}. {paragraph}." for n in range(paragraphs)]])


def import_pairs(slug: str, modality: str, pairs: int, place: Path, files: list[str]) -> None:
    """A project of as many pairs, by the command that real data come by."""
    from django.core.management import call_command

    rows = place / f"{slug}.jsonl"
    with rows.open("w") as out:
        for n in range(pairs):
            least = LONG if modality == "text-long" else 0
            chosen: list[Any] = [text(n, least), text(n + 1, least)]
            if files:
                chosen = [
                    {"media": files[n % len(files)]},
                    {"media": files[(n + 1 + n // len(files)) % len(files)]},
                ]
            row = {"id": str(n), "prompt": f"Prompt {n}", "response1": chosen[0], "response2": chosen[1]}
            out.write(json.dumps(row | {"criteria": ["Which one is better?"]}) + "\n")
    options = {"project": slug, "create": True, "task_type": TASKS[modality], "media": str(place)}
    with open(os.devnull, "w") as nowhere:
        call_command(
            "import_pairs",
            str(rows),
            reserve_share=0,
            validation_share=0,
            stdout=nowhere,
            stderr=nowhere,
            **options,
        )


def make_files(modality: str, place: Path) -> list[str]:
    if modality not in MAKERS:
        return []
    maker, extension = MAKERS[modality]
    names = [f"{modality}-{n}.{extension}" for n in range(FILES)]
    for n, name in enumerate(names):
        (place / name).write_bytes(maker(n)[1])
    return names


class Traffic:
    """Bytes that came over the network into a page: compressed, with headers, nothing that the cache gave."""

    def __init__(self, page: "Page") -> None:
        self.bytes = dict.fromkeys(("scripts", "styles", "page_and_api", "media"), 0)
        self.requests = self.bodies = 0
        self.names: set[str] = set()
        self._urls: dict[str, str] = {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", self._received)
        session.on("Network.dataReceived", self._data)
        session.on("Network.loadingFinished", self._finished)

    def _received(self, event: dict[str, Any]) -> None:
        response = event["response"]
        path = response["url"].partition("?")[0]
        if "/static/" in path:
            self.names.add(re.sub(r"(-[0-9A-Z]{8})?\..*", "", path.rpartition("/")[2]))
        if not response.get("fromDiskCache"):
            self._urls[event["requestId"]] = path

    def _data(self, event: dict[str, Any]) -> None:
        if "/media/" not in self._urls.get(event["requestId"], "/media/"):
            self.bodies += event["encodedDataLength"]

    def _finished(self, event: dict[str, Any]) -> None:
        path = self._urls.pop(event["requestId"], None)
        if path is None:
            return
        kinds = {"/media/": "media", ".js": "scripts", ".css": "styles", ".woff2": "styles"}
        kind = next((name for mark, name in kinds.items() if mark in path), "page_and_api")
        self.bytes[kind] += round(event["encodedDataLength"])
        self.requests += 1

    def told(self) -> dict[str, int]:
        without_media = sum(count for kind, count in self.bytes.items() if kind != "media")
        return {
            "all_but_media": without_media,
            "of_it_bodies": self.bodies,
            **self.bytes,
            "requests": self.requests,
        }


def opened(page: "Page", slug: str, modality: str, origin: str = "") -> None:
    page.goto(f"{origin}/judge/{slug}/")
    page.wait_for_selector(".now .question p")
    page.wait_for_function(SHOWN[modality])


def foreign(names: set[str], modality: str) -> list[str]:
    """What was fetched of viewers that the pair has no use for; its prompt is a text."""
    return sorted(names & (set().union(*VIEWERS.values()) - VIEWERS[modality] - VIEWERS["text"]))


def weigh(context: "BrowserContext", slug: str, modality: str) -> dict[str, Any]:
    """The page with an empty cache, then with a full one."""
    found: dict[str, Any] = {}
    for name in ("cold", "warm"):
        page = context.new_page()
        traffic = Traffic(page)
        opened(page, slug, modality)
        page.wait_for_load_state("networkidle")
        found[name] = traffic.told()
        found["foreign_code"] = foreign(traffic.names, modality)
        page.close()
    return found


def submit(page: "Page", count: int, look: float) -> None:
    """Judges pairs, each looked at for a moment."""
    for _ in range(count):
        page.wait_for_timeout(look * 1000)
        seen = page.evaluate("() => window.times.length")
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        page.wait_for_function(f"() => window.times.length > {seen}")


def walk(page: "Page", options: argparse.Namespace, modality: str) -> dict[str, Any]:
    """Pairs judged one after the other: how soon each next one is there."""
    still = STILLS if modality == "mesh" else SHOWN[modality]
    page.evaluate(f"() => ({STOPWATCH})({SHOWN[modality]}, {still})")
    submit(page, options.pairs, options.look)
    times = sorted(page.evaluate("() => window.times"))
    found: dict[str, Any] = {"pairs": len(times)} | spread("submit_to_next", times)
    if modality == "mesh":
        found |= spread("submit_to_stills", sorted(page.evaluate("() => window.stills")))
    return found


def spread(name: str, times: list[float]) -> dict[str, float]:
    """Median and 95th percentile of sorted milliseconds."""
    return {
        f"{name}_p50_ms": round(statistics.median(times), 1),
        f"{name}_p95_ms": round(times[int(len(times) * 0.95)], 1),
    }


def closer(page: "Page") -> dict[str, Any]:
    """From the key for 1:1 until both sides have all tiles that are in view."""
    tiles = [0]

    def count(request: "Request") -> None:
        tiles[0] += request.url.endswith("/tiles")

    page.on("request", count)
    took = page.evaluate_handle(SHARP)
    page.keyboard.press("z")
    return {"one_to_one_sharp_ms": round(took.evaluate("state => state.done"), 1), "tiles": tiles[0]}


def drift(page: "Page", slug: str, seconds: float) -> dict[str, Any]:
    opened(page, slug, "video")
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('#sides video').currentTime > 1")
    clocks, frames, dropped = page.evaluate(APART, seconds)
    found: dict[str, Any] = {"seconds": seconds, "looks": len(clocks), "frames": len(frames)}
    for name, apart in (("clocks_apart", sorted(clocks)), ("frames_apart", sorted(frames))):
        found |= spread(name, apart) | {f"{name}_max_ms": round(apart[-1], 1)}
    return found | {"dropped_frames": [round(part, 3) for part in dropped]}


def chromium() -> str:
    """Where the browser is, or a word on how to get it."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return found or sys.exit("No Chromium on PATH: on Debian, apt install chromium.")


def fresh(browser: "Browser", origin: str, slug: str) -> "BrowserContext":
    """A new profile with a new annotator of the project."""
    context = browser.new_context(base_url=origin, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    context.add_cookies([{"name": "sessionid", "value": log_in(slug, 1)[0], "url": origin}])
    return context


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modalities", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--pairs", type=int, default=50, help="whose time is taken")
    parser.add_argument("--drift-seconds", type=float, default=60, help="0 leaves it out")
    parser.add_argument("--look", type=float, default=1.0, help="seconds at each pair")
    options = parser.parse_args()
    browser_path = chromium()
    busy = os.getloadavg()[0]
    with own_servers() as place, web_server(workers=1) as (port, _):
        origin = f"http://127.0.0.1:{port}"
        from playwright.sync_api import sync_playwright

        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
            "1"  # Playwright's loop runs in this thread; ours waits for it
        )
        results: dict[str, Any] = {}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
            for modality in options.modalities:
                files = make_files(modality, place)
                import_pairs(f"page-{modality}", modality, options.pairs + 4, place, files)
                context = fresh(browser, origin, f"page-{modality}")
                results[modality] = weigh(context, f"page-{modality}", modality)
                page = context.new_page()
                opened(page, f"page-{modality}", modality)
                if modality == "image-large":
                    results[modality] |= closer(page)
                results[modality] |= walk(page, options, modality)
                context.close()
            if options.drift_seconds:
                results["drift"] = drift_of(browser, origin, place, options.drift_seconds)
            browser.close()
    load = {"before": round(busy, 1), "after": round(os.getloadavg()[0], 1)}
    told = {
        "bench": "page",
        "cpus": os.cpu_count(),
        "load": load,
        "loaded": busy > 0.5 * (os.cpu_count() or 1),
    }
    print(json.dumps(told | {"results": results}, indent=2))


def drift_of(browser: "Browser", origin: str, place: Path, seconds: float) -> dict[str, Any]:
    from tests.media.clips import video

    for name, rate in (("thirty.mp4", 30), ("twentyfive.mp4", 25)):
        frames = int(rate * (seconds + 10))
        (place / name).write_bytes(video(size=(640, 360), frames=frames, fps=rate, sound="aac"))
    import_pairs("page-drift", "video", 1, place, ["thirty.mp4", "twentyfive.mp4"])
    context = fresh(browser, origin, "page-drift")
    found = drift(context.new_page(), "page-drift", seconds)
    context.close()
    return found


if __name__ == "__main__":
    main()
