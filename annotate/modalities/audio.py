"""Audio: WAV, MP3, FLAC, Ogg, AAC and its MP4 form."""

from annotate.modalities.base import Kind
from annotate.models import Modality

KINDS = ("web", "peaks")
MAX_BYTES = 512 * 1024 * 1024
PROBE_SECONDS = 60
DERIVE_SECONDS = 300


def sniff(head: bytes, size: int) -> Kind | None:
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return Kind(Modality.AUDIO, "audio/wav", "wav")
    if head.startswith(b"fLaC"):
        return Kind(Modality.AUDIO, "audio/flac", "flac")
    if head.startswith(b"OggS") and b"\x80theora" not in head[:512]:
        return Kind(Modality.AUDIO, "audio/ogg", "ogg")
    if head[4:8] == b"ftyp" and head[8:11] in (b"M4A", b"M4B", b"M4P"):
        return Kind(Modality.AUDIO, "audio/mp4", "m4a")
    if head.startswith(b"ID3"):
        return Kind(Modality.AUDIO, "audio/mpeg", "mp3")
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        layer, version = head[1] >> 1 & 3, head[1] >> 3 & 3
        if layer == 0 and version in (2, 3):
            return Kind(Modality.AUDIO, "audio/aac", "aac")
        if layer == 1 and version != 1 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3:
            return Kind(Modality.AUDIO, "audio/mpeg", "mp3")
    return None
