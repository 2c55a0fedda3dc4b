"""The words in which a model is asked to write criteria, and the form of its answer."""

SYSTEM = """\
You write criteria by which two responses to one prompt can be compared. The prompt and the two responses follow: Response A
and Response B. The order in which they stand is random and means nothing.

{asked}

A criterion is one full sentence that says what is wanted of a response. It concerns a single dimension that can be seen in
these responses, such as accuracy, tone, detail, style or how an instruction is followed. Whoever reads the criterion and the two
responses, and knows nothing else, must find that the side you name wins by it. A criterion never names a side, a letter or this
pair's own words: it could be asked of other responses to the same prompt. No two criteria say the same.

{form}"""

FORM = """\
Answer with one JSON object and nothing else:
{"criteria": [{"criterion": "the sentence", "why": "what in the two responses decides it", "winner": "A" or "B"}]}"""

_PLACES = ("{asked}", "{form}")


def problem(template: str) -> str:
    """Why these words cannot be used, or nothing."""
    for place in _PLACES:
        if (count := template.count(place)) != 1:
            return f"must hold {place} once, and holds it {count} times"
    return ""


def filled(template: str, per_side: int, letters: tuple[str, ...]) -> str:
    """The system turn that asks for so many criteria under which each of these letters wins."""
    many = "one criterion" if per_side == 1 else f"{per_side} criteria"
    asked = " and ".join(f"{many} under which Response {letter} is clearly better" for letter in letters)
    return template.replace("{asked}", f"Write {asked}.").replace("{form}", FORM)


def schema(letters: tuple[str, ...]) -> dict[str, object]:
    """`response_format` of a structured reply: the reason comes before the winner, so that it is not made to fit."""
    one = {
        "type": "object",
        "properties": {
            "criterion": {"type": "string"},
            "why": {"type": "string"},
            "winner": {"type": "string", "enum": list(letters)},
        },
        "required": ["criterion", "why", "winner"],
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {
            "name": "criteria",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"criteria": {"type": "array", "items": one}},
                "required": ["criteria"],
                "additionalProperties": False,
            },
        },
    }
