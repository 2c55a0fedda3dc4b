"""How alike two short texts are written: shared trigrams, whatever the language."""

import re
from collections.abc import Iterable

_UNPARTED = "\u3040-\u30ff\u3400-\u9fff"  # Chinese and Japanese: no spaces between words
_FOREIGN = re.compile(
    f"[{_UNPARTED}\u1100-\u11ff\uac00-\ud7af]{{2,}}"
)  # and Korean, whose words take endings


def trigrams(text: str) -> frozenset[str]:
    """The runs of three characters of a text's words, each word with its ends marked; of two where words have none."""
    found: set[str] = set()
    for word in re.findall(rf"[{_UNPARTED}]+|[^\W{_UNPARTED}]+", text.casefold()):
        if re.match(f"[{_UNPARTED}]", word):
            found.update(word[i : i + 2] for i in range(max(len(word) - 1, 1)))
        else:
            found.update(f"  {word} "[i : i + 3] for i in range(len(word) + 1))
    return frozenset(found)


def likeness(typed: str, known: str) -> float:
    """0 to 1: the share of trigrams that both have, or nearly as much of those typed that the known text holds.

    So what is typed so far finds a longer text that it may become.
    """
    ours, theirs = trigrams(typed), trigrams(known)
    both = len(ours & theirs)
    return max(both / len(ours | theirs), 0.9 * both / len(ours)) if both else 0.0


def words(text: str, most: int = 12) -> list[str]:
    """The longest words of a text, of three characters or more: the short ones stand in every sentence."""
    found = dict.fromkeys(word for word in re.findall(r"\w+", text.casefold()) if len(word) >= 3)
    return sorted(found, key=len, reverse=True)[:most]


def bigrams(text: str, most: int = 8) -> list[str]:
    """Pairs of neighbouring characters in scripts that a search by words does not split: Chinese, Japanese, Korean."""
    found = [run[i : i + 2] for run in _FOREIGN.findall(text) for i in range(len(run) - 1)]
    return list(dict.fromkeys(found))[:most]


def most_alike(typed: str, known: Iterable[str], *, least: float, most: int) -> list[tuple[str, float]]:
    """The texts most like what is typed, with their likeness, the best first."""
    scored = sorted(
        ((likeness(typed, text), text) for text in known), key=lambda found: (-found[0], found[1])
    )
    return [(text, score) for score, text in scored[:most] if score >= least]
