"""Written answers: sentences that are true or false, put together as their author's traits say."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from annotate.demo.rules import TOP, Traits

Facts = Sequence[tuple[str, str]]  # (true, false), the most important ones first


@dataclass(frozen=True)
class Topic:
    """A question, with what is true of it and what is often said instead."""

    question: str
    facts: tuple[tuple[str, str], ...]


TOPICS = (
    Topic(
        "How do I boil an egg so that the yolk stays soft?",
        (
            ("Let the egg simmer for about six minutes.", "Let the egg simmer for about twenty minutes."),
            ("Put it into water that boils already.", "Put it into cold oil."),
            (
                "Then hold it under cold water, so that it does not go on cooking.",
                "Then leave it in the hot water for an hour.",
            ),
            (
                "A pinhole in the blunt end keeps the shell from cracking.",
                "Salt in the water makes the yolk softer.",
            ),
            (
                "An egg from the fridge needs about a minute more.",
                "An egg from the fridge needs less time than a warm one.",
            ),
        ),
    ),
    Topic(
        "Why is the sky blue by day and red in the evening?",
        (
            (
                "Air scatters blue light far more than red light.",
                "The sky is blue because it reflects the sea.",
            ),
            (
                "By day the scattered blue reaches us from everywhere.",
                "By day the red light stays above the clouds.",
            ),
            (
                "In the evening the light takes a long way through the air, and the blue is lost on it.",
                "In the evening the sun itself turns colder and redder.",
            ),
            ("This is called Rayleigh scattering.", "This is called refraction by ozone."),
            (
                "On the Moon, without air, the sky is black even by day.",
                "On the Moon the sky is a pale blue.",
            ),
        ),
    ),
    Topic(
        "How do I get a fresh red wine stain out of a tablecloth?",
        (
            (
                "Dab it up at once with a clean cloth; do not rub.",
                "Rub it hard, in circles, until it is dry.",
            ),
            (
                "Pour a little sparkling or cold water on it, and dab again.",
                "Pour boiling milk on it, and leave it overnight.",
            ),
            (
                "Cover what is left with salt, which draws the wine out.",
                "Cover what is left with butter, which draws the wine out.",
            ),
            (
                "Then wash it with detergent, as hot as the cloth allows.",
                "Then iron it as hot as you can before washing.",
            ),
            ("Try any bleach on a hidden corner first.", "Bleach suits every cloth, coloured silk included."),
        ),
    ),
    Topic(
        "What is the difference between a crocodile and an alligator?",
        (
            (
                "A crocodile's snout is narrow, an alligator's is broad and round.",
                "An alligator's snout is narrow, a crocodile's is round.",
            ),
            (
                "With its mouth closed, a crocodile still shows its lower teeth.",
                "With its mouth closed, only the alligator shows teeth.",
            ),
            (
                "Alligators live in fresh water, in America and China.",
                "Alligators live in salt water around Australia.",
            ),
            ("Crocodiles stand salt water better.", "Crocodiles die in salt water."),
            (
                "The largest crocodiles grow longer than any alligator.",
                "The largest alligators are twice as long as any crocodile.",
            ),
        ),
    ),
    Topic(
        "I have a cold. What helps?",
        (
            (
                "Rest and drink enough; it goes by itself in about a week.",
                "Take antibiotics at once, or it will not go.",
            ),
            ("Steam or salt water eases a blocked nose.", "A blocked nose is best kept dry and cold."),
            ("Something against pain or fever can help you sleep.", "Hard exercise sweats the cold out."),
            (
                "Wash your hands often, for the sake of the others.",
                "A cold is not catching after the first sneeze.",
            ),
            (
                "See a doctor if the fever is high or lasts longer than three days.",
                "High fever for a week is normal and needs no doctor.",
            ),
        ),
    ),
    Topic(
        "Explain to a child why boats float although they are heavy.",
        (
            (
                "A boat pushes water aside, and the water pushes back.",
                "A boat floats because wood and iron are lighter than air.",
            ),
            (
                "It sinks in until it has pushed aside as much water as it weighs.",
                "It sinks in until its engine starts.",
            ),
            (
                "A boat is mostly full of air, so it pushes much water aside for its weight.",
                "A boat floats because it is always moving.",
            ),
            ("If water runs in, it gets heavier and may sink.", "If water runs in, it floats better."),
            (
                "You can try it with a bowl: it floats, but a lump of the same clay sinks.",
                "You can try it with a stone: shaped like a boat, it melts.",
            ),
        ),
    ),
    Topic(
        "How does a compass know where north is?",
        (
            ("Its needle is a magnet, and the Earth is one too.", "Its needle is pulled by the pole star."),
            (
                "The needle turns until it lies along the Earth's magnetic field.",
                "The needle turns with the Earth's rotation.",
            ),
            (
                "It points to the magnetic pole, which is not quite the geographic one.",
                "It points exactly to the geographic pole everywhere.",
            ),
            ("Iron or a loudspeaker nearby misleads it.", "Only wood and plastic mislead it."),
            ("Near the poles it is of little use.", "It works best at the poles."),
        ),
    ),
    Topic(
        "Which plants survive on a shady balcony?",
        (
            ("Ferns, ivy and hostas do well in shade.", "Lavender, cacti and tomatoes do well in shade."),
            ("Begonias and fuchsias even flower there.", "Sunflowers flower best there."),
            ("Water them less than you would in the sun.", "Water them more than you would in the sun."),
            ("Mint and parsley are worth a try.", "Basil and rosemary need darkness."),
            (
                "White flowers and pale leaves brighten the place.",
                "Plants grow fastest where no light comes at all.",
            ),
        ),
    ),
    Topic(
        "How do I change a flat tyre on a bicycle?",
        (
            (
                "Take the wheel off, and let out what air is left.",
                "Leave the wheel on, and pump until the hole closes.",
            ),
            ("Lift one side of the tyre over the rim with levers.", "Cut the tyre open along the rim."),
            (
                "Find the hole: pump the tube and hold it under water.",
                "Find the hole: it is always opposite the valve.",
            ),
            (
                "Roughen, glue, wait until the glue is dry to the touch, then press the patch on.",
                "Press the patch on while the glue is as wet as can be.",
            ),
            (
                "Feel the inside of the tyre for the thorn before you put it back.",
                "What made the hole never stays in the tyre.",
            ),
        ),
    ),
    Topic(
        "Why do we have leap years?",
        (
            (
                "The Earth needs about 365 and a quarter days for its way around the Sun.",
                "The Earth needs exactly 366 days for its way around the Sun.",
            ),
            (
                "Every fourth year a day is added to make up for it.",
                "Every tenth year a week is added to make up for it.",
            ),
            (
                "Years divisible by 100 have none, unless 400 divides them.",
                "Years divisible by 100 always have one.",
            ),
            ("So 2000 was a leap year and 1900 was not.", "So 1900 was a leap year and 2000 was not."),
            (
                "Without it the seasons would slowly move through the calendar.",
                "Without it the days would slowly get shorter.",
            ),
        ),
    ),
    Topic(
        "What should I do when a thunderstorm catches me on a hike?",
        (
            ("Leave ridges and single trees at once.", "Wait under the tallest tree you can find."),
            ("A car or a solid house is safe.", "A tent with metal poles is safe."),
            (
                "In the open, crouch down with your feet together.",
                "In the open, lie flat and stretch out your arms.",
            ),
            (
                "Keep away from water, fences and cables.",
                "Hold on to a fence, so that the current goes past you.",
            ),
            ("Wait half an hour after the last thunder.", "You can go on as soon as the rain stops."),
        ),
    ),
    Topic(
        "How does a vaccine work?",
        (
            (
                "It shows the body a harmless piece or form of a germ.",
                "It kills all germs in the blood with a poison.",
            ),
            ("The immune system learns to recognise it.", "The immune system is switched off for a year."),
            (
                "When the real germ comes, antibodies and memory cells are ready.",
                "When the real germ comes, the vaccine dissolves it.",
            ),
            ("Some vaccines must be refreshed after years.", "Every vaccine lasts for exactly one month."),
            (
                "A sore arm or a day of fever shows that the body is learning.",
                "Who feels nothing after it is not protected.",
            ),
        ),
    ),
    Topic(
        "How do I make a simple tomato sauce for pasta?",
        (
            ("Soften a chopped onion and garlic in olive oil.", "Burn garlic in dry heat until it is black."),
            (
                "Add tinned tomatoes and salt, and let it simmer for twenty minutes.",
                "Add tinned tomatoes and boil them hard for two minutes.",
            ),
            (
                "A pinch of sugar takes the edge off sour tomatoes.",
                "A cup of vinegar takes the edge off sour tomatoes.",
            ),
            ("Loosen it with a spoonful of the pasta's water.", "Thicken it with cold milk."),
            (
                "Add basil at the end, so that it keeps its taste.",
                "Cook basil from the start, as it has no taste raw.",
            ),
        ),
    ),
    Topic(
        "Why do cats purr?",
        (
            ("Cats often purr when they feel well.", "Cats purr only when they are angry."),
            (
                "They also purr when they are ill or afraid, perhaps to calm themselves.",
                "A sick cat cannot purr.",
            ),
            (
                "The muscles of the larynx twitch, about 25 times a second.",
                "Their stomach rubs against the lungs.",
            ),
            (
                "It sounds while they breathe in and while they breathe out.",
                "It sounds only while they breathe out.",
            ),
            ("Kittens and their mothers find each other by it.", "Kittens learn it after their second year."),
        ),
    ),
    Topic(
        "What is inflation?",
        (
            (
                "Prices rise in general, so money buys less.",
                "Money gains in worth, so everybody can buy more.",
            ),
            (
                "It is measured by the price of a basket of typical goods.",
                "It is measured by the price of gold alone.",
            ),
            (
                "A little of it, about two percent a year, is what central banks aim at.",
                "Central banks aim at twenty percent a year.",
            ),
            ("Higher interest rates slow it down.", "Lower interest rates slow it down."),
            (
                "Who saves in cash loses by it; who owes money gains.",
                "Who saves in cash gains by it; who owes money loses.",
            ),
        ),
    ),
    Topic(
        "How do bees make honey?",
        (
            ("They collect nectar from flowers.", "They collect honey drops from leaves."),
            (
                "In the hive they pass it on from mouth to mouth, and enzymes change its sugars.",
                "In the hive the queen brews it in her sting.",
            ),
            (
                "They fan it with their wings until most of the water is gone.",
                "They bury it until it freezes.",
            ),
            ("Then each cell is closed with wax.", "Then each cell is closed with sand."),
            ("It is the food that the colony lives on in winter.", "The bees themselves cannot eat it."),
        ),
    ),
)

_WELCOMES = ("Good question! ", "Happy to help! ", "What a lovely thing to ask! ", "Oh, I like this one! ")
_FAREWELLS = (
    " I hope this helps - just ask if you want to know more!",
    " Have fun, and tell me how it went!",
    " Let me know if anything is unclear!",
)
_FILLERS = ("In addition, ", "What is more, ", "It is also worth knowing: ", "Besides, ")


def answered(facts: Facts, traits: Traits, rng: random.Random) -> str:
    """An answer made of these facts by a generator of these traits."""
    count = min(len(facts), (1, 2, 3, 4, len(facts))[traits.full])
    # At level 3 one of the sentences is false, at level 0 all of them are.
    wrong = round(count * (TOP - traits.faithful) / TOP + 0.25) if traits.faithful < TOP else 0
    wrong = max(wrong, 1) if traits.faithful < TOP else 0
    false = set(rng.sample(range(count), min(wrong, count)))
    sentences = [facts[n][1 if n in false else 0] for n in range(count)]
    text = _laid_out(sentences, traits, rng)
    if traits.lively >= 3:
        text = rng.choice(_WELCOMES) + text
    if traits.lively == TOP:
        text += rng.choice(_FAREWELLS)
    return _mistyped(text, traits.finish, rng)


def _laid_out(sentences: list[str], traits: Traits, rng: random.Random) -> str:
    """A list where there is much to say and care is taken; else sentences in a row, padded where care is not."""
    if traits.finish == TOP and len(sentences) > 3:
        first, *others = sentences
        return "\n".join([first, "", *(f"- {sentence}" for sentence in others)]) + "\n\n"
    if traits.finish < 3:
        padded = [sentences[0]]
        padded += [rng.choice(_FILLERS) + sentence[0].lower() + sentence[1:] for sentence in sentences[1:]]
        return " ".join(padded)
    return " ".join(sentences)


def _mistyped(text: str, finish: int, rng: random.Random) -> str:
    """Typing errors: letters swapped, doubled or lost; at the lowest level nobody found the shift key."""
    if finish >= 3:
        return text.strip()
    letters = list(text.lower() if finish == 0 else text)
    for _ in range(round(len(letters) * (0.035, 0.02, 0.006)[finish])):
        at = rng.randrange(1, len(letters) - 1)
        if not (letters[at].isalpha() and letters[at + 1 : at + 2] and letters[at + 1].isalpha()):
            continue
        match rng.randrange(3):
            case 0:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            case 1:
                letters.insert(at, letters[at])
            case _:
                del letters[at]
    return "".join(letters).strip()
