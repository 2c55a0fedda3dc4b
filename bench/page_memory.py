"""The memory of the annotator's tab while hundreds of pairs pass, in Chromium on the real web server.

    python bench/page_memory.py [--modalities video mesh] [--pairs 300] [--look 0.5]

The page judges by itself, each pair looked at for --look seconds after it is whole, while nobody watches it: whoever does,
as Playwright and the developer tools do, makes the browser keep all that was fetched, up to 100 MB. At each of five marks
prints MiB: of the process as it stands, then of the process and of the script's heap once what is only cached was given
back, as it is where memory is scarce; and the nodes of the document. `grown` is the last mark against the second one, when
everything has been used once. Prints JSON; `loaded` marks figures that were taken while the machine did other work.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from loop import log_in
from page import FLAGS, SHOWN, TASKS, chromium, import_pairs, make_files, opened
from place import own_servers, web_server

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

MARKS = 5
# Judges so many pairs, then says so in the title, where it is read without a connection.
JUDGE = """([shown, count, look, title]) => {
  const whole = eval(shown);
  const prompt = () => document.querySelector("#prompt .asked").textContent;
  const press = (key, code) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }));
  const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
  const judge = async () => {
    for (let n = 0; n < count; n++) {
      while (document.getElementById("work").inert || !whole()) await pause(0.05);
      await pause(look);
      const before = prompt();
      press("1", "Digit1");
      press("Enter", "Enter");
      while (prompt() === before) await pause(0.05);
    }
    document.title = title;
  };
  judge();
}"""


@contextmanager
def browser_alone() -> Iterator[tuple[str, psutil.Process]]:
    """The address of a browser that is not ours to watch, and its process."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            chromium(),
            *FLAGS,
            "--headless",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            port = Path(profile) / "DevToolsActivePort"
            while not port.exists() or not port.read_text().strip():
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port.read_text().split()[0]}", psutil.Process(running.pid)
            running.terminate()


@contextmanager
def watched(playwright: "Playwright", address: str) -> Iterator["Page"]:
    browser = playwright.chromium.connect_over_cdp(address)
    context = browser.contexts[0]
    yield context.pages[0] if context.pages else context.new_page()
    browser.close()


def titles(address: str) -> set[str]:
    with urllib.request.urlopen(f"{address}/json/list") as answer:
        return {target["title"] for target in json.load(answer)}


def largest_page(browser: psutil.Process) -> float:
    """MiB that the largest process of a page has to itself."""
    pages = [one for one in browser.children(recursive=True) if "--type=renderer" in one.cmdline()]
    return round(max(one.memory_full_info().uss for one in pages) / 2**20, 1)


def give_back(page: "Page") -> dict[str, float]:
    """Makes the page let go of what is only cached. Its heap in MiB, and its nodes."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
        session.send("Memory.simulatePressureNotification", {"level": "critical"})
        page.wait_for_timeout(1000)
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return {"heap": round(metrics["JSHeapUsedSize"] / 2**20, 1), "nodes": metrics["Nodes"]}


def passing(
    playwright: "Playwright", origin: str, modality: str, options: argparse.Namespace
) -> dict[str, Any]:
    slug = f"page-{modality}"
    step = options.pairs // MARKS
    marks: dict[int, dict[str, float]] = {}
    with browser_alone() as (address, browser):
        with watched(playwright, address) as page:
            page.set_viewport_size({"width": 1440, "height": 900})
            page.context.add_cookies([{"name": "sessionid", "value": log_in(slug, 1)[0], "url": origin}])
            opened(page, slug, modality, origin)
        for judged in range(step, options.pairs + 1, step):
            with watched(playwright, address) as page:
                told = [SHOWN[modality], step, options.look, f"judged {judged}"]
                # Not page.evaluate, which leaves scripts of its own in the page each time.
                session = page.context.new_cdp_session(page)
                session.send("Runtime.evaluate", {"expression": f"({JUDGE})({json.dumps(told)})"})
            while f"judged {judged}" not in titles(address):
                time.sleep(0.5)
            marks[judged] = {"process": largest_page(browser)}
            with watched(playwright, address) as page:
                marks[judged] |= give_back(page)
            marks[judged]["process_at_least"] = largest_page(browser)
    first, last = marks[2 * step], marks[MARKS * step]
    names = ("process", "process_at_least", "heap")
    return {"after_pairs": marks, "grown": {name: round(last[name] / first[name] - 1, 3) for name in names}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modalities", nargs="+", choices=list(TASKS), default=["video", "mesh"])
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--look", type=float, default=0.5, help="seconds at each pair")
    options = parser.parse_args()
    busy = os.getloadavg()[0]
    with own_servers() as place, web_server(workers=1) as (port, _):
        from playwright.sync_api import sync_playwright

        # Playwright's loop runs in this thread; ours waits for it.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        results = {}
        with sync_playwright() as playwright:
            for modality in options.modalities:
                files = make_files(modality, place)
                import_pairs(f"page-{modality}", modality, options.pairs + 4, place, files)
                results[modality] = passing(playwright, f"http://127.0.0.1:{port}", modality, options)
    cpus = os.cpu_count() or 1
    told = {"bench": "page_memory", "cpus": cpus, "load": round(busy, 1), "loaded": busy > 0.5 * cpus}
    print(json.dumps(told | {"results": results}, indent=2))


if __name__ == "__main__":
    main()
