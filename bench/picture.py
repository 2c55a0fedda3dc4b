"""Takes the README's picture of the judge page: an example pair on screen, one of its two criteria judged."""

import argparse
import os
from pathlib import Path

from page import FLAGS, chromium, fresh
from place import ROOT, own_servers, web_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "docs/judge.png")
    out = parser.parse_args().out.resolve()
    with own_servers(), open(os.devnull, "w") as nowhere:
        from django.core.management import call_command
        from playwright.sync_api import sync_playwright

        from annotate.models import Project

        pairs = str(ROOT / "docs/examples/pairs.jsonl")
        options = {"project": "replies", "create": True, "task_type": "text_to_text"}
        call_command("import_pairs", pairs, stdout=nowhere, stderr=nowhere, **options)
        Project.objects.update(name="Helpful replies", split_ties=True)
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
            "1"  # Playwright runs a loop in this thread; we wait in line all the same
        )
        with web_server(workers=1) as (port, _), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
            page = fresh(browser, f"http://127.0.0.1:{port}", "replies").new_page()
            page.goto("/judge/replies/")
            asked = page.locator("#prompt .asked")
            while "refund" not in asked.inner_text():
                page.keyboard.press("s")  # skipped, by the reason that is chosen already
                page.keyboard.press("Enter")
                page.wait_for_function(
                    "before => document.querySelector('#prompt .asked').innerText !== before",
                    arg=asked.inner_text(),
                )
            page.keyboard.press("7")
            page.keyboard.press("2")
            page.wait_for_function("() => document.getElementById('state').textContent.startsWith('Saved')")
            page.screenshot(path=str(out))
            browser.close()


if __name__ == "__main__":
    main()
