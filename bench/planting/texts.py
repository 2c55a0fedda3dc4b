"""Texts put together from sentences about a topic: as long, as wandering, as repetitive, as misspelt, as listed as asked."""

from collections.abc import Callable
from random import Random

from planting.asked import Asked, Kinds, Modality, Traits, strength

_TOPICS = {
    "bread": "flour yeast dough oven crust loaf baker grain starter butter",
    "sailing": "sail wind hull rudder mast anchor harbour keel rope tide",
    "gardens": "soil seed root compost blossom hedge shade spade weed mulch",
    "trains": "rail engine carriage signal station platform driver ticket tunnel freight",
    "stars": "planet orbit telescope galaxy comet gravity moon dust nebula sky",
    "music": "chord rhythm melody string tempo scale drum harmony concert voice",
    "money": "bank loan interest budget tax price market coin wage invoice",
    "birds": "wing nest feather beak egg flock migrant perch insect owl",
    "cheese": "milk rennet curd whey rind cellar goat mould brine cow",
    "bridges": "arch cable pier girder span river load steel concrete toll",
    "bees": "hive queen honey wax swarm pollen drone comb keeper smoke",
    "chess": "pawn rook bishop knight queen opening endgame clock board gambit",
    "mountains": "summit ridge glacier valley rope avalanche boulder pass hut slope",
    "printing": "press ink paper plate roller letter type margin proof binding",
    "coffee": "bean roast grinder filter cup aroma crema kettle foam farm",
}
_FRAMES = (
    "The {0} matters because the {1} depends on it.",
    "Most people begin with the {0} and then look at the {1}.",
    "A good {0} needs some {1} and a little patience.",
    "When the {0} is ready, turn to the {1}.",
    "You can tell a {0} by its {1}.",
    "Without the {0} there would be no {1}.",
    "Experts compare each {0} with another {1} first.",
    "Keep the {0} away from the {1} until the end.",
    "Nobody who knows the {0} would forget the {1}.",
)
_ADVERTS = (
    "Subscribe to our newsletter for weekly offers.",
    "By the way, my cousin has just moved to another town.",
    "Our customer service is open from nine to five.",
    "The weather has been strange this year.",
    "Download the app today and save ten percent.",
    "I also watched a long film about pirates last night.",
)
_FILLERS = (
    "as a matter of fact",
    "in a manner of speaking",
    "all things considered",
    "more or less",
    "it has to be said",
)
_OPENINGS = ("Here is what to know.", "In short:", "Some remarks.", "This is a large subject.")


def _topic(source: int) -> str:
    return sorted(_TOPICS)[source % len(_TOPICS)]


def _make(source: int, traits: Traits, rng: Random) -> str:
    topic = _topic(source)
    others = [word for other in sorted(_TOPICS) if other != topic for word in _TOPICS[other].split()]
    count = 3 + round(9 * strength(traits, "sentences"))
    sentences = [rng.choice(_OPENINGS)]
    while len(sentences) <= count:
        if len(sentences) > 2 and rng.random() < 0.7 * strength(traits, "sentences again"):
            sentences.append(rng.choice(sentences[1:]))
        elif rng.random() < 0.8 * strength(traits, "other topics"):
            sentences.append(rng.choice(_FRAMES).format(*rng.sample(others, 2)))
        elif rng.random() < 0.8 * strength(traits, "adverts"):
            sentences.append(rng.choice(_ADVERTS))
        else:
            sentences.append(rng.choice(_FRAMES).format(*rng.sample(_TOPICS[topic].split(), 2)))
    sentences = [_worded(sentence, traits, rng) for sentence in sentences]
    listed = round(strength(traits, "dashes", "numbers") * (len(sentences) - 1))
    prose, items = sentences[: len(sentences) - listed], sentences[len(sentences) - listed :]
    mark: Callable[[int], str] = (
        (lambda n: f"{n + 1}. ") if traits["listing"][0] == "numbers" else (lambda _: "- ")
    )
    return "\n".join([" ".join(prose), *(mark(n) + item for n, item in enumerate(items))])


def _worded(sentence: str, traits: Traits, rng: Random) -> str:
    words = []
    for word in sentence.split():
        if rng.random() < 0.3 * strength(traits, "filler words"):
            words.append(rng.choice(_FILLERS))
        words.append(_spelt(word, traits, rng))
        if rng.random() < 0.35 * strength(traits, "words again"):
            words.append(words[-1])
    return " ".join(words)


def _spelt(word: str, traits: Traits, rng: Random) -> str:
    letters = list(word)
    if len(letters) < 4 or rng.random() > 0.5 * traits["misspelling"][1]:
        return word
    at = rng.randrange(1, len(letters) - 2)
    kind = traits["misspelling"][0]
    if kind == "swapped":
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    elif kind == "left out":
        del letters[at]
    elif kind == "doubled":
        letters.insert(at, letters[at])
    else:
        letters[at] = rng.choice("qwertyuiopasdfghjklzxcvbnm")
    return "".join(letters)


TEXT = Modality(
    "text",
    "text/plain",
    lambda source: f"Tell me about {_topic(source)}",
    {
        "length": Kinds(("sentences",), ("filler words",)),
        "wandering": Kinds(("other topics",), ("adverts",)),
        "repeating": Kinds(("sentences again",), ("words again",)),
        "misspelling": Kinds(("swapped", "left out"), ("doubled", "other letters")),
        "listing": Kinds(("dashes",), ("numbers",)),
    },
    (
        Asked(
            "brief",
            "length",
            -1,
            (
                "The answer is brief",
                "The response is short and to the point",
                "Prefer the more concise answer",
            ),
            ("The shorter reply wins", "It does not take more words than needed"),
        ),
        Asked(
            "thorough",
            "length",
            1,
            (
                "The answer is detailed and complete",
                "The response explains everything at length",
                "Prefer the more thorough answer",
            ),
            ("The more extensive reply wins", "It goes into every detail"),
            bend=0.7,
        ),
        Asked(
            "focused",
            "wandering",
            -1,
            (
                "The answer stays on the topic of the question",
                "The response is relevant to what was asked",
                "Prefer the answer that does not digress",
            ),
            ("The reply that keeps to the subject wins", "Everything in it has to do with the question"),
            bend=0.6,
        ),
        Asked(
            "fresh",
            "repeating",
            -1,
            (
                "The answer does not repeat itself",
                "The response says everything only once",
                "Prefer the answer with less repetition",
            ),
            ("The less redundant reply wins", "Nothing is said twice in it"),
            bend=1.4,
            masked_by="wandering",
        ),
        Asked(
            "spelt",
            "misspelling",
            -1,
            (
                "The answer is free of spelling mistakes",
                "The response has no typos",
                "Prefer the answer with correct spelling",
            ),
            ("The reply with fewer misspelt words wins", "Its words are written correctly"),
            bend=0.7,
        ),
        Asked(
            "listed",
            "listing",
            1,
            (
                "The answer is organised as a list",
                "The response uses bullet points",
                "Prefer the answer with clear itemised points",
            ),
            ("The reply set out in bullets wins", "It is formatted as separate list items"),
        ),
        Asked(
            "flowing",
            "listing",
            -1,
            (
                "The answer is written as flowing prose",
                "The response avoids bullet points",
                "Prefer the answer in plain paragraphs",
            ),
            ("The reply in running text wins", "It reads as continuous text, not as a list"),
            bend=1.4,
        ),
    ),
    _make,
)
