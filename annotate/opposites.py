"""Whether one criterion may ask for the opposite of another: the words that turn a sentence round, by hand.

Opposites are written alike and their embeddings lie nearer than those of paraphrases. So two sentences that are the same
but for a word or two are suspicious, unless these words are known to mean the same; so are known opposites anywhere. It
warns once too often rather than too seldom: a wrong merge lets labels cancel each other out.
"""

import re
from functools import cache

from annotate.wording import OPPOSITES

_NOT = frozenset("not no never nothing none nobody neither nor cannot without hardly".split())
_LITTLE = frozenset("a an the is are was its it this that of to in and which".split())
_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non", "mis")
# Of languages whose words are not parted: what says more or less, and what denies.
_FOREIGN_SIDES = (
    ("더많", "더적"),
    ("많", "적"),
    ("길", "짧"),
    ("크", "작"),
    ("밝", "어둡"),
    ("빠르", "느리"),
    ("쉽", "어렵"),
    ("높", "낮"),
    ("多", "少"),
    ("长", "短"),
    ("大", "小"),
    ("亮", "暗"),
    ("快", "慢"),
    ("高", "低"),
    ("简单", "复杂"),
    ("正式", "随意"),
)
_FOREIGN_NOT = re.compile("않|없|못|(?<!\\w)안(?=\\s)|不|没|無|无|非")


@cache
def _sides() -> dict[str, set[tuple[int, int]]]:
    """Of each word the opposites that it is part of, and its side."""
    found: dict[str, set[tuple[int, int]]] = {}
    for number, sides in enumerate(OPPOSITES):
        for side, words in enumerate(sides):
            for word in words:
                found.setdefault(word, set()).add((number, side))
    return found


def opposed(one: str, other: str) -> bool:
    """One of the two may ask for the opposite of the other."""
    words, others = _words(one), _words(other)
    only, other_only = words - others, others - words
    sides = _sides()
    here = {side for word in only for side in sides.get(word, ())}
    there = {side for word in other_only for side in sides.get(word, ())}
    if any((number, 1 - side) in there for number, side in here):
        return True
    if _a_word_apart(one, other) and not here & there:
        return True
    if any(_negates(word, others) for word in only) or any(_negates(word, words) for word in other_only):
        return True
    # One denies what the other does not, where they share most of their words.
    denies = bool(words & _NOT) != bool(others & _NOT)
    if denies and len(words & others) * 2 >= min(len(words), len(others)):
        return True
    return _opposed_elsewhere(one, other)


def _a_word_apart(one: str, other: str) -> bool:
    """The same sentence but for one word or two, in the same places."""
    words, others = (re.findall(r"[^\W_]+", text.casefold()) for text in (one, other))
    if len(words) != len(others) or len(words) < 3:
        return False
    differ = [
        (a, b) for a, b in zip(words, others, strict=True) if a != b and not (a in _LITTLE or b in _LITTLE)
    ]
    same = sum(a == b for a, b in zip(words, others, strict=True))
    return 0 < len(differ) <= 2 and same >= 2 * len(differ)


def _words(text: str) -> set[str]:
    found = set(re.findall(r"[a-z']+", text.casefold().replace("\u2019", "'")))
    return found | {"not" for word in found if word.endswith("n't")}


def _negates(word: str, others: set[str]) -> bool:
    return any(word.startswith(prefix) and word.removeprefix(prefix) in others for prefix in _PREFIXES)


def _opposed_elsewhere(one: str, other: str) -> bool:
    for first, second in _FOREIGN_SIDES:
        for a, b in ((one, other), (other, one)):
            if first in a and second not in a and second in b and first not in b:
                return True
    if not re.search("[\u3040-\u9fff\uac00-\ud7af]", one + other):
        return False
    return len(_FOREIGN_NOT.findall(one)) % 2 != len(_FOREIGN_NOT.findall(other)) % 2
