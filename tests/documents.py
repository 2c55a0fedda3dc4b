"""What documents and deployment files name, held against what the code has."""

import ast
import re
from pathlib import Path

import yaml

from tests.paths import ROOT
from webapp.local.servers import VARIABLES

# Where the environment is read. The rest of the code asks Django's settings.
_READERS = [ROOT / "webapp" / "settings.py", *sorted((ROOT / "webapp" / "local").glob("*.py"))]


def variables_read() -> set[str]:
    """The environment variables that settings.py and this machine's servers read."""
    found = set(VARIABLES)
    for path in _READERS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                asked, name = ast.unparse(node.func.value), node.args[0] if node.args else None
                if asked in ("env", "os.environ") and isinstance(name, ast.Constant):
                    found.add(str(name.value))
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                found.add(str(ast.literal_eval(node.slice)))
    return found


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def interpolate(text: str, values: dict[str, str]) -> str:
    """What compose makes of ${NAME}, ${NAME:-default} and ${NAME:?message}; $$ stands for $.

    Raises:
        KeyError: a variable without a default has no value.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if given := values.get(found[1]):
            return given
        if found[2] == "-":
            return str(found[3])
        raise KeyError(found[1])

    return re.sub(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}", value, text)


def env_file(path: Path) -> dict[str, str]:
    """NAME=value lines as a dict; comments and empty lines are passed over."""
    return dict(re.findall(r"(?m)^(\w+)=(.*)$", path.read_text()))


def compose(values: dict[str, str]) -> dict[str, dict]:
    """docker-compose.yml as compose reads it with these values in .env."""
    return yaml.safe_load(interpolate((ROOT / "docker-compose.yml").read_text(), values))
