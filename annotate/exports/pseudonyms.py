"""The names that a release has for people and judgments: they tell nothing to whoever has not its key."""

import hmac


class Pseudonyms:
    """The names of many, by one key that is taken in once."""

    def __init__(self, key: str) -> None:
        self._keyed = hmac.new(bytes.fromhex(key), digestmod="sha256")

    def of(self, kind: str, name: object) -> str:
        """The name of an annotator or judgment in a release. Without the key it tells nothing of the real one."""
        one = self._keyed.copy()
        one.update(f"{kind} {name}".encode())
        return one.hexdigest()[:16]


def pseudonymise(key: str, kind: str, name: object) -> str:
    """As `Pseudonyms.of`, of one alone."""
    return Pseudonyms(key).of(kind, name)
