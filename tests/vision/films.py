"""Films for tests, written frame by frame."""

from fractions import Fraction

import av
import numpy as np


def write(
    path, frames, rate, *, codec="libx264", pix_fmt="gray", stamps=None, sound=None, sound_rate=11413, format=None
):
    """Write gray (T, H, W) or color (T, H, W, 3) frames, at ``stamps`` (ticks of 1/1000 s) where these are given."""
    rate = Fraction(rate).limit_denominator(100_000)
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        ticks = Fraction(1, 1000) if stamps is not None else 1 / rate
        stream.codec_context.time_base = ticks
        if codec == "libx264":
            stream.options = {"crf": "8", "preset": "ultrafast"}
        track = None
        if sound is not None:
            coding = "pcm_s16le" if str(path).endswith((".mkv", ".avi", ".mov")) else "aac"
            track = container.add_stream(coding, rate=sound_rate, layout="mono")
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24" if picture.ndim == 3 else "gray")
            frame.pts = number if stamps is None else int(stamps[number])
            frame.time_base = ticks
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track is not None:
            whole = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
            for start in range(0, len(whole), 1024):
                piece = av.AudioFrame.from_ndarray(whole[None, start : start + 1024], format="s16", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = sound_rate, start, Fraction(1, sound_rate)
                container.mux(track.encode(piece))
            container.mux(track.encode())
    return path


def moving_bar(frames=20, size=(64, 64), seed=0):
    """A bright bar that moves over a textured ground: uint8 (T, H, W)."""
    random = np.random.default_rng(seed)
    ground = random.integers(40, 90, size).astype(np.uint8)
    made = np.repeat(ground[None], frames, 0)
    for number in range(frames):
        at = int((0.5 + 0.4 * np.sin(2 * np.pi * number / 16)) * (size[0] - 8))
        made[number, at : at + 6] = 210
    return made
