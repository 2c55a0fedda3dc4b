"""The words in which a generative judge is asked, after the protocol published with OmniRewardBench.

As there, the system turn holds the role, the criterion and the form of the verdict, and the user turn the prompt with
its media and the two responses in blocks. The wording is ours; who has the published one gives it as a file
(`template` of the judge's specification), with {criterion} and {verdicts} where they belong.
"""

from dataclasses import dataclass

SYSTEM = """\
You are an impartial judge of answers to a prompt. Two responses to one prompt follow: Response A and Response B.

Decide which of them is better by this criterion:

{criterion}

Go by this criterion alone. What else is good or bad about a response, its length and how it is put count for nothing
unless the criterion asks for them. The order in which the responses stand is random and means nothing.

First say in a few sentences how each response fares by the criterion. Then give your verdict.

{verdicts}"""

VERDICTS = """\
End with exactly one of these lines:
[[A]] if Response A is better
[[B]] if Response B is better"""
TIE = "\n[[C]] if neither is better than the other by this criterion"
NO_TIE = "\nYou must choose: there is no tie."

STRUCTURED = """\
Answer with a JSON object that has "rationale", what you considered, and then "verdict": "A" if Response A is better, "B" if
Response B is better"""
STRUCTURED_TIE = ', "C" if neither is better than the other by this criterion.'
STRUCTURED_NO_TIE = ". You must choose: there is no tie."

# The blocks of the user turn.
PROMPT = "[Prompt]"
RESPONSE = "[Response {letter}]"
FRAMES = "({count} frames of a video of {seconds:.1f} seconds, evenly spaced and in order)"
SHEET = "(a 3D model, seen from eight sides)"


@dataclass(frozen=True)
class Template:
    """`name` stands in results; `system` has the places {criterion} and {verdicts}."""

    name: str
    system: str

    def __post_init__(self) -> None:
        for place in ("{criterion}", "{verdicts}"):
            if self.system.count(place) != 1:
                raise ValueError(
                    f"the template must hold {place} once, and holds it {self.system.count(place)} times"
                )

    def fill(self, criterion: str, *, ties: bool, structured: bool) -> str:
        if structured:
            verdicts = STRUCTURED + (STRUCTURED_TIE if ties else STRUCTURED_NO_TIE)
        else:
            verdicts = VERDICTS + (TIE if ties else NO_TIE)
        # The criterion last: what stands in it is never taken for a place.
        return self.system.replace("{verdicts}", verdicts).replace("{criterion}", criterion)


DEFAULT = Template("omni-1", SYSTEM)


def schema(*, ties: bool) -> dict[str, object]:
    """`response_format` of a structured verdict: the rationale comes first, so that it is not made to fit."""
    letters = ["A", "B", "C"] if ties else ["A", "B"]
    return {
        "type": "json_schema",
        "json_schema": {
            "name": "verdict",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {
                    "rationale": {"type": "string"},
                    "verdict": {"type": "string", "enum": letters},
                },
                "required": ["rationale", "verdict"],
                "additionalProperties": False,
            },
        },
    }
