"""Two texts beside each other: formulas and code are set, they scroll together, and words that differ are marked."""

import random

from playwright.sync_api import Page, expect

from tests.browser.judging import CLARITY, JudgePage, judge_project, text_pair
from tests.factories import make_member

# Commands of TeX that ask for inline styles, attributes, pictures or addresses.
STYLED = r"$\boxed{a}$ $\cancel{b}$ $\colorbox{red}{c}$ $\phase{d}$ $\rule{1em}{1em}$ $\raisebox{1em}{e}$ $\sout{f}$"
RICH = rf"""The roots are $x_{{1,2}}=\frac{{-b\pm d}}{{2a}}$ and \(e^{{i\pi}}\).

$$
- a
- b
$$

\begin{{align}}
a &= b
\end{{align}}

It costs $5, or $6 with `$x$`, and $\wrong{{g}}$. {STYLED}
$\href{{https://example.org}}{{h}}$ $\includegraphics{{https://example.org/i.png}}$

```python
def double(a: int) -> int:  # twice
    return "<b>" * a
```

```nosuchlanguage
def
```

Caf&eacute; &copy; &#8364; &nosuch;

مرحبا بالعالم
"""

# What is marked on a side: the texts of its ranges.
MARKED = "side => [...(CSS.highlights.get(`only-${side}`) ?? [])].map(range => range.toString())"


def opened(page: Page, sign_in, **fields) -> JudgePage:
    project = judge_project(pairs=0)
    text_pair(project, CLARITY, **fields)
    sign_in(make_member(project))
    return JudgePage(page, project).open()


def test_formulas_and_code_are_set(page: Page, sign_in) -> None:
    """The test's page fails on any breach of its policy and on any foreign request."""
    turns = [
        {"role": "user", "text": "What is $y^2$, *not* emphasised?"},
        {"role": "assistant", "text": "It is **nine**."},
        {"role": "user", "text": "And in code:\n```python\nreturn 3\n```\nfor 3 $?"},
    ]
    opened(page, sign_in, response1=RICH, response2=RICH, prompt=turns)
    side = page.locator("#body-a .read")
    expect(side.locator(".formula .katex")).to_have_count(13)  # a link and a picture: their names alone
    expect(side.locator(".formula.display .katex-display")).to_have_count(2)
    expect(side.locator(".formula.unset")).to_have_text([r"\wrong{g}"])
    expect(side).to_contain_text("It costs $5, or $6 with $x$, and")
    assert not side.locator(".formula :is(a[href], img)").count()
    expect(side.locator(".hljs-keyword")).to_have_text(["def", "return"])
    expect(side.locator(".hljs-string")).to_have_text(['"<b>"'])
    expect(side).to_contain_text("Café © € &nosuch;")
    arabic = side.locator("p", has_text="مرحبا")
    assert arabic.evaluate("element => getComputedStyle(element).direction") == "rtl"
    asked = page.locator("#prompt .asked")
    expect(asked.locator("p .formula .katex")).to_have_count(1)
    expect(asked).to_contain_text("*not* emphasised")
    expect(asked.locator("strong")).to_have_text("nine")
    expect(asked.locator("pre .hljs-keyword")).to_have_text("return")
    expect(asked).to_contain_text("for 3 $?")


def test_words_that_differ_are_marked_on_demand(page: Page, sign_in) -> None:
    judge = opened(
        page,
        sign_in,
        response1="The **quick** fox jumps.\n\nAnd $a+b$ stays, 日本語の段落です。",
        response2="The *slow* fox jumps high.\n\nAnd $a+c$ stays, 日本語の文章です。",
    )
    first = "quick" in page.locator("#body-a").inner_text()
    words = {True: ["quick", "段落"], False: ["slow", "high", "文章"]}

    def marked(side: str) -> list[str]:
        ranges: list[str] = page.evaluate(MARKED, side)
        return [text for text in ranges if "\u2063" not in text and "+" not in text]

    assert marked("a") == marked("b") == []
    expect(page.locator(".katex").first).to_be_visible()
    judge.press("d")
    expect(page.locator("#tools output")).to_have_text("3 in A, 4 in B" if first else "4 in A, 3 in B")
    assert marked("a") == words[first] and marked("b") == words[not first]
    judge.press("d")
    expect(page.locator("#tools output")).to_be_hidden()
    assert marked("a") == marked("b") == []


def test_long_texts_scroll_together_and_are_compared(page: Page, sign_in) -> None:
    """100,000 characters a side, from few words, a third of the paragraphs rewritten."""
    chance = random.Random(1)
    few = [f"word{n}" for n in range(40)]

    def paragraph() -> str:
        return " ".join(chance.choice(few) for _ in range(80))

    one = [paragraph() for _ in range(190)]
    other = [paragraph() if n % 3 == 0 else text for n, text in enumerate(one)]
    judge = opened(page, sign_in, response1="\n\n".join(one), response2="\n\n".join([*other, *other[:40]]))
    judge.press("d")
    expect(page.locator("#tools output")).to_be_visible()
    counts = [
        page.evaluate(f"side => ({MARKED})(side).join(' ').split(/\\s+/).length", side) for side in "ab"
    ]
    assert min(counts) < 64 * 80, "a word of a rewritten paragraph may stand in the other one too"
    assert min(counts) > 64 * 40 and max(counts) > min(counts) + 40 * 80 * 0.9

    def parts() -> list[float]:
        return [
            page.locator(f"#body-{side} .scroller").evaluate(
                "e => e.scrollTop / (e.scrollHeight - e.clientHeight)"
            )
            for side in "ab"
        ]

    apart = "([a, b]) => Math.abs(a - b) < 0.03"
    half = "e => { e.scrollTop = (e.scrollHeight - e.clientHeight) / 2 }"
    page.locator("#body-a .scroller").evaluate(half)
    page.wait_for_function(f"() => ({apart})({PARTS})")
    assert parts()[0] > 0.4
    judge.press("l")
    page.locator("#body-b .scroller").evaluate("e => { e.scrollTop = 0 }")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert parts()[0] > 0.4 and parts()[1] == 0
    judge.press("e")
    page.wait_for_function(f"() => {PARTS}[1] > 0")
    page.reload()  # whether they scroll together is remembered
    expect(page.get_by_role("button", name="Scroll together")).to_have_attribute("aria-pressed", "false")


PARTS = """[...document.querySelectorAll("#sides .scroller")].map(e => e.scrollTop / (e.scrollHeight - e.clientHeight))"""
