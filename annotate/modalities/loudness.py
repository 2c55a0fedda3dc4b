"""Loudness as EBU R128 measures it, by FFmpeg's own filter."""

import math
from typing import Any

import av

from annotate.modalities.streams import pulled

_SILENT = -70.0  # LUFS: the gate of the standard; what is softer has no loudness


class Meter:
    """Listens to frames of one sound; all of one format."""

    def __init__(self) -> None:
        self._graph: Any = None
        self._told: dict[str, str] = {}

    def hear(self, frame: av.AudioFrame) -> None:
        if self._graph is None:
            self._graph = _graph_for(frame)
        self._graph.push(frame)
        self._note()

    def _note(self) -> None:
        for measured in pulled(self._graph):
            if measured.metadata:
                self._told = dict(measured.metadata)

    def result(self) -> dict[str, float | None]:
        """`loudness` in LUFS, integrated, and `true_peak` in dBTP; None where there is nothing to hear."""
        if self._graph is not None:
            self._graph.push(None)
            self._note()
        loudness = float(self._told.get("lavfi.r128.I", _SILENT))
        peak = float(self._told.get("lavfi.r128.true_peak", 0))
        return {
            "loudness": round(loudness, 2) if loudness > _SILENT else None,
            "true_peak": round(20 * math.log10(peak), 2) if peak > 0 else None,
        }


def _graph_for(frame: av.AudioFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate,
        format=frame.format.name,
        layout=frame.layout.name,
        time_base=frame.time_base,
    )
    # dualmono: a player gives one channel to both ears
    meter = graph.add("ebur128", "metadata=1:peak=true:dualmono=true:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph
