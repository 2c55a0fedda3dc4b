"""The name of a row: that of its pair under its criterion, the same in every file and every release that holds it."""


def named(source: str, external_id: str, criterion_key: bytes) -> str:
    """The name of a pair under a criterion."""
    pair = f"{source}/{external_id}" if source else external_id
    return f"{pair}/{criterion_key.hex()[:8]}"


# The same in SQL, of pair p under criterion t.
NAMED = "CASE p.source WHEN '' THEN '' ELSE p.source || '/' END || p.external_id || '/' || left(encode(t.text_key, 'hex'), 8)"
