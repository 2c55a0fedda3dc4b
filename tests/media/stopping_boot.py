"""As annotate/modalities/boot.py, but each file tells the parent of its first byte, and waits until it may go on."""

import os
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


class Told:
    """A file that calls `tell` before anything is written into it."""

    def __init__(self, file: Any, tell: Any) -> None:
        self._file, self._tell = file, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> Any:
        if self._tell:
            tell, self._tell = self._tell, None
            tell()
        return self._file.write(data)


def main() -> None:
    here = Path(__file__).resolve().parents[2] / "annotate" / "modalities"
    for name, folder in (("annotate", here.parent), ("annotate.modalities", here)):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    from annotate.modalities import child

    parent, answer = socket.socket(fileno=os.dup(0)), child.answer

    def telling(decoders: ModuleType, request: dict[str, Any], files: list[Any]) -> dict[str, Any]:
        def tell(kind: str) -> None:
            child.send(parent, {"making": kind})
            parent.recv(1)

        source, *others = files
        kinds = request.get("wanted", [])
        told = [
            Told(file, lambda kind=kind: tell(kind)) for kind, file in zip(kinds, others, strict=bool(kinds))
        ]
        return answer(decoders, request, [source, *(told or others)])

    child.answer = telling
    child.main(sys.argv[1], int(sys.argv[2]))


if __name__ == "__main__":
    main()
