"""Records of Argilla, as `records.to_json` and `records.to_list(flatten=True)` write them.

Nested (argilla/src/argilla/records/_resource.py): id, fields, metadata, responses {question: [{value, user_id}]}.
Flat (argilla/src/argilla/records/_io/_generic.py): the fields as columns, <question>.responses with
<question>.responses.users and .status. Also the records of Argilla 1: responses [{user_id, status, values}].

Fields named for a prompt and for two responses are those. A question whose answers name a response, rank both or say tie
is a criterion; a user's answers to text questions are the rationale of their verdicts. Answers that were saved as a
draft or discarded are no verdicts. Questions of other kinds are kept with the pair's metadata, without their users.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from annotate.imports import checks
from annotate.imports.record import AskedCriterion, Label, PairRow, Place, RowError, Side
from annotate.imports.schemas import preference
from annotate.imports.schemas.context import OVERALL, PUBLISHED, Context

_PROMPTS = ("prompt", "instruction", "question", "input", "query", "messages")
_FIRST = re.compile(r"(response|generation|completion|output|answer)[-_ ]?(1|a)", re.IGNORECASE)
_SECOND = {"1": "2", "a": "b", "A": "B"}
_TIES = {"tie", "equal", "both", "same", "neither", "draw"}
_OVERALL = {"preference", "ranking", "label", "best", "better", "choice"}
_SUFFIX = ".responses"


@dataclass(frozen=True)
class Answer:
    user: str
    value: Any


def recognises(columns: set[str]) -> bool:
    return columns >= {"fields", "responses"} or any(
        isinstance(column, str) and column.endswith(_SUFFIX) for column in columns
    )


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], PairRow]:
    def read(row: Mapping[str, Any], place: Place) -> PairRow:
        fields, answers = (_nested if "responses" in row and "fields" in row else _flat)(row)
        prompt = next((name for name in _PROMPTS if fields.get(name)), None)
        if prompt is None:
            raise RowError("fields", f"has no prompt: one of {', '.join(_PROMPTS)}. Give a mapping.")
        first, second = _responses(fields)
        names = {first: "response1", second: "response2"}
        turns = preference.messages(fields[prompt], prompt, "user")
        given = row.get("id", row.get("external_id"))
        return PairRow(
            place=place,
            source=context.source or context.stem,
            external_id=checks.name(given, "id"),
            task_type=context.pair_task_type,
            turns=tuple(turns),
            media=(),
            response1=Side(_text(fields[first], first)),
            response2=Side(_text(fields[second], second)),
            criteria=_criteria(answers, names, context)
            if context.labels
            else _asked(answers, names, context),
            metadata=_others(answers, names),
        )

    return read


def _text(value: Any, field: str) -> str:
    if isinstance(value, list):
        return "\n\n".join(text for _, text in preference.messages(value, field, "assistant"))
    return checks.text(value, field)


def _responses(fields: Mapping[str, Any]) -> tuple[str, str]:
    """The names of the fields that hold the two responses."""
    if "chosen" in fields and "rejected" in fields:
        return "chosen", "rejected"
    for name in fields:
        if found := _FIRST.fullmatch(name):
            other = name[: -len(found[2])] + _SECOND[found[2]]
            if other in fields:
                return name, other
    raise RowError(
        "fields", f"({', '.join(sorted(fields))[:200]}) hold no two responses by name. Give a mapping."
    )


def _nested(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, list[Answer]]]:
    fields, given = row["fields"], row["responses"] or {}
    if not isinstance(fields, dict):
        raise RowError("fields", "must be an object.")
    answers: dict[str, list[Answer]] = {}
    if isinstance(given, list):  # Argilla 1
        for number, one in enumerate(given):
            where = f"responses[{number}]"
            if not isinstance(one, dict) or not isinstance(one.get("values"), dict):
                raise RowError(where, "must be an object with values.")
            if one.get("status", "submitted") != "submitted":
                continue
            for question, value in one["values"].items():
                value = value.get("value") if isinstance(value, dict) else value
                answers.setdefault(question, []).append(Answer(_user(one.get("user_id")), value))
        return fields, answers
    if not isinstance(given, dict):
        raise RowError("responses", "must be an object of questions.")
    for question, found in given.items():
        if not isinstance(found, list):
            raise RowError(f"responses.{question}"[:200], "must be a list of answers.")
        for one in found:
            if not isinstance(one, dict):
                raise RowError(f"responses.{question}"[:200], "must hold objects with value and user_id.")
            if one.get("status", "submitted") in (None, "submitted"):
                answers.setdefault(question, []).append(Answer(_user(one.get("user_id")), one.get("value")))
    return fields, answers


def _flat(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, list[Answer]]]:
    answers: dict[str, list[Answer]] = {}
    for column, values in row.items():
        if not column.endswith(_SUFFIX):
            continue
        given = _list(values, column)
        users = _list(row.get(f"{column}.users"), f"{column}.users") or [None] * len(given)
        states = _list(row.get(f"{column}.status"), f"{column}.status") or ["submitted"] * len(given)
        if not len(given) == len(users) == len(states):
            raise RowError(column[:200], "has not as many users or states as answers.")
        for value, user, state in zip(given, users, states, strict=True):
            if state in (None, "submitted"):
                answers.setdefault(column.removesuffix(_SUFFIX), []).append(Answer(_user(user), value))
    return {
        column: value for column, value in row.items() if value is not None and "." not in column
    }, answers


def _list(value: Any, field: str) -> list[Any]:
    """A list, which CSV holds as a text; none is an empty one."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise RowError(field[:200], f"is not JSON: {error}.") from None
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise RowError(field[:200], "must be a list.")
    return value


def _user(value: Any) -> str:
    return PUBLISHED if value is None else checks.name(value, "user_id")


def _verdict(value: Any, names: Mapping[str, str]) -> str | None:
    """What an answer says of the two responses, None if it is an answer of another kind."""
    if isinstance(value, str):
        folded = value.strip().casefold()
        if folded in _TIES:
            return "tie"
        by_name = {name.casefold(): verdict for name, verdict in names.items()}
        return by_name.get(folded)
    if isinstance(value, list) and len(value) == 2:
        if all(isinstance(one, dict) and isinstance(one.get("value"), str) for one in value):
            ranks = {one["value"]: one.get("rank") for one in value}
            if ranks.keys() == names.keys() and all(isinstance(rank, int) for rank in ranks.values()):
                first, second = names
                if ranks[first] == ranks[second]:
                    return "tie"
                return names[first] if ranks[first] < ranks[second] else names[second]
        elif all(isinstance(one, str) for one in value) and set(value) == names.keys():
            return names[value[0]]  # in order, the best first
    return None


def _judged(answers: Mapping[str, list[Answer]], names: Mapping[str, str]) -> list[str]:
    """The questions that all who answered understood as a choice between the two."""
    return [
        question
        for question, given in answers.items()
        if given and all(_verdict(one.value, names) for one in given)
    ]


def _criterion_text(question: str, context: Context) -> str:
    if question.casefold() in _OVERALL:
        return context.criterion or OVERALL
    return question.replace("_", " ").replace("-", " ")


def _asked(
    answers: Mapping[str, list[Answer]], names: Mapping[str, str], context: Context
) -> tuple[AskedCriterion, ...]:
    texts = dict.fromkeys(_criterion_text(question, context) for question in _judged(answers, names))
    return tuple(checks.criterion(AskedCriterion(text, context.k), "responses") for text in texts)


def _criteria(
    answers: Mapping[str, list[Answer]], names: Mapping[str, str], context: Context
) -> tuple[AskedCriterion, ...]:
    judged = _judged(answers, names)
    said: dict[str, list[str]] = {}
    for question, given in answers.items():
        if question not in judged:
            for one in given:
                if isinstance(one.value, str) and one.value.strip():
                    said.setdefault(one.user, []).append(one.value.strip())
    asked = []
    for question in judged:
        labels = tuple(
            Label(
                one.user,
                _verdict(one.value, names) or "",
                rationale=checks.rationale(
                    "\n\n".join(said.get(one.user, [])), f"responses.{question}"[:200]
                ),
            )
            for one in answers[question]
        )
        asked.append(
            checks.criterion(
                AskedCriterion(_criterion_text(question, context), context.k, labels), f"responses.{question}"
            )
        )
    return tuple(asked)


def _others(answers: Mapping[str, list[Answer]], names: Mapping[str, str]) -> dict[str, Any]:
    """Answers that are neither a verdict nor the rationale of one, so that none is lost."""
    judged = _judged(answers, names)
    reasoned = {one.user for question in judged for one in answers[question]}
    others = {
        question: [one.value for one in given if not isinstance(one.value, str) or one.user not in reasoned]
        for question, given in answers.items()
        if question not in judged
    }
    others = {question: values for question, values in others.items() if values}
    return checks.metadata({"argilla": others} if others else {}, "responses")
