"""What every answer carries, so that a browser does not do what it should not."""

from typing import Any


def policy_of(response: Any) -> dict[str, set[str]]:
    """The content security policy: directive -> sources."""
    given = response.headers["Content-Security-Policy"]
    return {name: set(rest) for name, *rest in (part.split() for part in given.split(";") if part.strip())}


def hold_guarded(response: Any, where: str) -> None:
    """Fail unless the answer carries every protection."""
    policy = policy_of(response)
    unsafe = {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:"}
    assert not unsafe & set().union(*policy.values()), where
    if "sandbox" in policy:  # media: nothing may run, whatever the bytes turn out to be
        assert policy["default-src"] == {"'none'"} and policy["sandbox"] == set(), where
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin", where
    else:
        assert policy["default-src"] == {"'self'"}, where
        assert policy.get("script-src", {"'self'"}) == {"'self'"}, where
        for directive in ("frame-ancestors", "base-uri", "object-src"):
            assert policy[directive] == {"'none'"}, where
        assert policy["form-action"] == {"'self'"}, where
    assert response.headers["X-Content-Type-Options"] == "nosniff", where
    assert response.headers["X-Frame-Options"] == "DENY", where
    assert response.headers["Referrer-Policy"] == "same-origin", where
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin", where
    assert not {"Server", "X-Powered-By", "Access-Control-Allow-Origin"} & set(response.headers), where
