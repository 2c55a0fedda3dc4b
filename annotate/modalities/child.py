"""The child process that opens media: no network, little memory, no file but those that it is handed.

It is started by boot.py, so that it holds neither Django nor any secret. It loads MODALITY_child.py, locks itself
down and answers requests on its standard input, a socket, until that closes. What the module must hold:

    def examine(source: BinaryIO, media_type: str, wanted: Mapping[str, BinaryIO])
            -> tuple[dict[str, Any], dict[str, dict[str, Any]]]
        The probe of `source`, always whole, and for each kind of `wanted` (some of KINDS in the house) that was
        written, what describes it: {"media_type": ..., and width, height ... of the derivative}. A kind that not
        every file of the modality has is left empty where it has none, and the probe says so. The files are
        open, seekable; those wanted are empty and may be written and read. `media_type` was decided from the
        bytes: decoders are told the format, they never guess it.
        Raises Unfit("is ..."); whatever else it raises says that the file cannot be read.

    def strip(source: BinaryIO, media_type: str, target: BinaryIO) -> None
        Optional: writes the file without its metadata, coded data untouched, the same bytes every time.

    def prepare() -> None
        Optional: loads what could not be loaded once files can no longer be opened.

The house, annotate/modalities/MODALITY.py, says KINDS, MAX_BYTES, PROBE_SECONDS and DERIVE_SECONDS: how long
examine may take with nothing wanted, and for `wanted`; both of wall clock and of processor.

A request is the length of a header (4 bytes, big endian), which brings the descriptors with it, and the header:
{"do": "examine" or "strip", "media_type", "wanted": [kinds], "seconds"}; descriptors: source, then one for each
kind, or the target. The answer, likewise: {"probe", "made"}, {} or {"error": text}. The first one says
{"ready": true}.
"""

import json
import os
import socket
import struct
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any, BinaryIO

from annotate.modalities.lockdown import allow_cpu, lock_down

_MOST_DESCRIPTORS = 16


class Unfit(Exception):
    """The file is broken, breaks a limit, or was made to harm. The message ends a sentence: "is ...", "has ..."."""


def answer(decoders: ModuleType, request: dict[str, Any], files: list[BinaryIO]) -> dict[str, Any]:
    source, *others = files
    media_type = request["media_type"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if request["do"] == "strip":
                decoders.strip(source, media_type, others[0])
                return {}
            probe, made = decoders.examine(
                source, media_type, dict(zip(request["wanted"], others, strict=True))
            )
            return {"probe": probe, "made": made}
    except Unfit as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "takes more memory to unpack than is allowed."}
    except Exception as error:  # whatever a decoder throws at hostile bytes
        told = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return {"error": f"cannot be read as {media_type}: {told[:200]}."}


def serve(requests: socket.socket, decoders: ModuleType) -> None:
    while True:
        head, descriptors, _, _ = socket.recv_fds(requests, 4, _MOST_DESCRIPTORS, socket.MSG_WAITALL)
        if len(head) < 4:
            return
        request = json.loads(_exactly(requests, struct.unpack(">I", head)[0]))
        modes = ["rb"] + ["r+b"] * (len(descriptors) - 1)
        files: list[Any] = [os.fdopen(number, mode) for number, mode in zip(descriptors, modes, strict=True)]
        allow_cpu(request["seconds"])
        said = answer(decoders, request, files)
        try:
            for file in files:
                file.close()
        except OSError as error:  # what was still to be written
            said = {"error": f"cannot be written: {error.strerror}."}
        send(requests, said)


def send(where: socket.socket, said: dict[str, Any]) -> None:
    written = json.dumps(said).encode()
    where.sendall(struct.pack(">I", len(written)) + written)


def _exactly(requests: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = requests.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def main(modality: str, parent: int) -> None:
    requests = socket.socket(fileno=0)
    try:
        decoders = import_module(f"annotate.modalities.{modality}_child")
        if hasattr(decoders, "prepare"):
            decoders.prepare()
        lock_down()
    except Exception as error:
        send(requests, {"error": f"{type(error).__name__}: {error}"})
        return
    if os.getppid() != parent:  # it died before it could take us with it
        return
    send(requests, {"ready": True})
    serve(requests, decoders)
