"""What every page and state must look like."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LOOKS = [("light", 1440, 900), ("dark", 390, 844)]
# All of axe's rules and the one of WCAG 2.2 AA that it leaves off: targets of 24 px, or so much room around them.
# Style sheets are not fetched anew: only rules that are off ask for them, and of Django's own it would copy some into the page.
RULES = {"rules": {"target-size": {"enabled": True}}, "preload": {"assets": ["media"]}}


def accessible(page: Page, where: str) -> None:
    """Nothing that axe objects to."""
    # Colours are those that it comes to, not those on the way.
    page.evaluate(
        "() => Promise.allSettled(document.getAnimations()"
        ".filter(one => one instanceof CSSTransition).map(one => one.finished)).then(() => null)"
    )
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, f"{where}: {found.generate_report()}"


def clean(page: Page, where: str) -> None:
    """Nothing that axe objects to, and nothing wider than the window."""
    accessible(page, where)
    wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{where} is {wide} px too wide"
