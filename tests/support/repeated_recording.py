"""Long recordings made of a short one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av


def played_over(audio: Path, length_s: float, target: Path, chapter_s: float = 1200.0) -> None:
    """Write the recording's packets over and over as one m4b with a chapter every ``chapter_s`` seconds."""
    with av.open(str(audio)) as source:
        stream = source.streams.audio[0]
        packets = [(bytes(packet), packet.duration) for packet in source.demux(stream) if packet.size]
        base = stream.time_base
        with av.open(str(target), "w", format="ipod") as out:
            copy = out.add_stream_from_template(stream)
            out.set_chapters(
                [
                    {"id": n, "start": round(n * chapter_s * 1000), "end": round((n + 1) * chapter_s * 1000),
                     "time_base": Fraction(1, 1000), "metadata": {"title": f"Chapter {n + 1}"}}
                    for n in range(max(1, int(length_s / chapter_s)))
                ]
            )  # fmt: skip
            time_stamp = 0
            while time_stamp * base < length_s:
                for content, duration in packets:
                    packet = av.Packet(content)
                    packet.stream, packet.time_base = copy, base
                    packet.pts = packet.dts = time_stamp
                    packet.duration = duration
                    out.mux(packet)
                    time_stamp += duration
