"""What a criterion wants and what it does not: its content words on two sides, by the words that turn a sentence round.

"The model has few triangles" does not want triangles, "free of noise" and "the less noisy one" do not want noise, "not
loud, but clear" wants what is clear. Embeddings hardly tell such sentences from their opposites. The words are English;
of other languages all words count as wanted, so that they are told apart by their embeddings alone.
"""

import re
from functools import cache

from annotate.wording import OPPOSITES

# What criteria are worded with rather than about: articles and the like, preferring, what is judged.
_WORDING = frozenset(
    "a an and are as at be been by can do does enough for from good has have if in into is it its of on or over so than"
    " that the their them there they this to too very was well which who with use uses using contain contains include"
    " includes show shows will win wins prefer better best all response answer reply responses answers replies image"
    " picture photograph photo video clip footage film recording sound audio music tune mesh model object text".split()
)
# They turn round what follows them, as far as the sentence goes.
_DENYING = frozenset(
    "not no never nothing none nobody neither nor cannot without free hardly barely lack lacks lacking avoid avoids"
    " avoiding omits omit excludes exclude missing absent absence".split()
)
# They say how much, as far as the next "and". What is wanted much is wanted.
_LESS = frozenset("less least fewer fewest few little low lower lowest weak weaker reduced".split())
_MORE = frozenset("more most many much lots high higher highest strong stronger increased".split())
# What is left of these after un-, in-, dis- and so on: their opposites.
_DENIED = frozenset(
    "accurate appropriate audible clear coherent complete consistent continuous correct direct effective efficient fair"
    " familiar formal honest legible logical natural necessary organised organized perfect polite possible precise"
    " proper readable realistic regular related relevant reliable respectful responsible safe similar stable steady"
    " sufficient tidy valid visible".split()
)
_PREFIX = re.compile(r"^(?:un|in|im|il|ir|dis|non)(?=\w{4})")
_CLAUSE = re.compile(r"[.,;:!?()\u2014]|\b(?:but|yet|while|whereas|rather than|instead of)\b")
_TURNING_CLAUSE = re.compile(r"rather than|instead of")
_WORD = re.compile(r"\w+(?:'\w+)?")


def aspects(criterion: str) -> tuple[str, str]:
    """The content words that are wanted, and those that are not, each once, in their order."""
    sides: tuple[dict[str, None], dict[str, None]] = ({}, {})
    said = criterion.lower().replace("\u2019", "'")
    said = re.sub(r"\b(\w+)-free\b", r"without \1", said)
    begin, turned = 0, False
    for mark in [*_CLAUSE.finditer(said), None]:
        _sort(said[begin : mark.start() if mark else None], turned, sides)
        if mark:
            begin, turned = mark.end(), bool(_TURNING_CLAUSE.fullmatch(mark[0]))
    wanted, unwanted = sides
    return " ".join(wanted), " ".join(unwanted)


def _sort(clause: str, turned: bool, sides: tuple[dict[str, None], dict[str, None]]) -> None:
    denied, little = turned, False
    for word in _WORD.findall(clause):
        if word in _DENYING or word.endswith("n't"):
            denied = not denied
        elif word in _LESS:
            little = not little
        elif word == "and":
            little = False
        elif word not in _WORDING and word not in _MORE:
            plain, opposite = _plain(word)
            sides[denied ^ little ^ opposite].setdefault(plain)


def _plain(word: str) -> tuple[str, bool]:
    """A word for the word, and whether it means the opposite of it."""
    if word in _sides():
        return _sides()[word]
    stem = _PREFIX.sub("", word)
    if stem != word and stem in _DENIED:
        return stem, True
    if word.endswith("less") and len(word) > 6:
        return word.removesuffix("less"), True
    return word, False


@cache
def _sides() -> dict[str, tuple[str, bool]]:
    """Of each word with an opposite, the first of its side or of the opposite one; without those of two meanings."""
    found: dict[str, tuple[str, bool]] = {}
    twice = set()
    for sides in OPPOSITES:
        if any(word in _LESS or word in _DENYING for side in sides for word in side):
            continue  # what says how much, or denies, acts on what follows it
        for opposite, side in enumerate(sides):
            for word in side:
                if word in found:
                    twice.add(word)
                found[word] = (sides[0][0], bool(opposite))
    return {word: meant for word, meant in found.items() if word not in twice}
