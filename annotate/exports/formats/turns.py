"""Prompts and criteria in the words of formats that have less room than a Record."""

from annotate.exports.records import Record
from annotate.imports.schemas.context import is_general

Turn = dict[str, str]


def prompt_text(turns: list[Turn]) -> str:
    """The prompt as one string: a single turn bare, several with roles."""
    if len(turns) == 1:
        return turns[0]["text"]
    return "\n\n".join(f"{turn['role'].capitalize()}: {turn['text']}" for turn in turns)


def instructed(record: Record) -> list[Turn]:
    """The prompt after a system turn that says the criterion; of a general preference, which has none, the prompt alone.

    A system turn of the prompt's own joins it: templates take but one.
    """
    turns = list(record.turns)
    system = [] if is_general(record.criterion) else [record.criterion]
    while turns and turns[0]["role"] == "system":
        system.append(turns.pop(0)["text"])
    return [{"role": "system", "text": "\n\n".join(system)}, *turns] if system else turns


def alternating(turns: list[Turn]) -> list[Turn]:
    """The turns as they are where user and assistant alternate from user to user, which alone some read; else in one."""
    expected = ["user", "assistant"] * (len(turns) // 2) + ["user"]
    if [turn["role"] for turn in turns] == expected:
        return turns
    return [{"role": "user", "text": prompt_text(turns) if turns else ""}]
