"""Digests are what pairs are recognised by: they stay what they were, however they are computed."""

import hashlib
import hmac
import json

from hypothesis import given
from hypothesis import strategies as st

from annotate.imports import digests, drafts
from annotate.imports.record import MediaRef, PairRow, Place, Side


def plainly(*parts: bytes) -> bytes:
    """As it was written first: a length of eight bytes before each part."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.digest()


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_lengths_stand_before_the_parts(parts: list[bytes]) -> None:
    assert digests._digest(*parts) == plainly(*parts)


def row(**more: object) -> PairRow:
    about: dict[str, object] = {
        "place": Place(0, 1),
        "source": "s",
        "external_id": "1",
        "task_type": "text_to_text",
        "turns": (("user", "Why?"),),
        "media": (),
        "response1": Side("So.", model="a"),
        "response2": Side("No.", metadata={"x": 1}),
    }
    return PairRow(**about | more)  # type: ignore[arg-type]


def test_a_row_of_texts_has_the_same_digests_beforehand() -> None:
    found = digests.of_text(row())
    prompt = digests.prompt_digest((("user", "Why?"),), ())
    assert found == (prompt, digests.pair_digest(row(), prompt, (None, None)))
    assert prompt.hex() == plainly(b"user", b"Why?", b"media").hex()
    for more in ({"media": (MediaRef("media", "a.png"),)}, {"response2": Side(media=MediaRef("r", "b.png"))}):
        assert digests.of_text(row(**more)) is None


@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20))
def test_what_chance_decides_is_what_it_always_was(salt: str, source: str, external_id: str) -> None:
    def plain(*parts: bytes) -> int:
        made = hmac.digest(salt.encode(), b"\0".join(parts), "sha256")
        return int.from_bytes(made[:8], "big", signed=True)

    chance = digests.Chance(salt)
    prompt = bytes(range(32))
    assert chance.shuffle(source, external_id) == plain(b"shuffle", source.encode(), external_id.encode())
    assert chance.group(row(), prompt) == plain(b"group", prompt)
    assert chance.group(row(group=source), prompt) == plain(b"named group", source.encode())


def test_turns_are_written_as_json_writes_them() -> None:
    turns = (("system", 'a "b" \\ c\n'), ("user", "é 中 \U0001f600 \x7f </script>"))
    told = [{"role": role, "text": text} for role, text in turns]
    assert drafts._turns(turns) == json.dumps(told)
