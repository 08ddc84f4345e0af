"""``onsei plot waveform|spectrum|spectrogram|mel|all``: the options of each verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import NonNegative, NonNegativeInt, Positional, Positive, PositiveInt, flag, options, shown_as

Files = Annotated[Positional[tuple[Path, ...]], shown_as("FILE…")]
Window = Literal["hann", "hamming", "blackman", "bartlett"]


@options
class Part:
    """Which part of each file is shown, and how it is read."""

    start: Annotated[NonNegative, flag("--offset")] = 0.0
    """Where to begin, seconds."""
    duration: Positive | None = None
    """How much to show, seconds; all of it unless given."""
    channel: NonNegativeInt | None = None
    """The channel to show, from 0; the mean of all unless given."""
    sample_rate: Annotated[PositiveInt | None, flag("--sr")] = None
    """Resample to this rate first, Hz; the file's own unless given."""


@options
class Output:
    """Where the pictures go, and how they look."""

    format: Literal["png", "svg", "html"] | None = None
    """A picture of each file (png, svg), or one page for all that plays them, with a cursor over the pictures (html).
    Unless given, by the ending of ``--output``, else png."""
    output: Path | None = None
    """File to write; for one sound, or one page of several."""
    output_dir: Path = Path()
    """Folder to write to where ``--output`` is not given, under the sound's name and the verb's: ``talk.mel.png``."""
    force: bool = False
    """Replace existing files."""
    title: str | None = None
    """Written above; the file's name unless given, nothing where empty."""
    language: Literal["en", "ja"] = "en"
    """Of the axes' labels."""
    theme: Literal["auto", "light", "dark"] = "auto"
    """Inks and background of png and svg; ``auto``: png light, svg as the reader's system wants it. Pages always do."""
    width: PositiveInt = 900
    """Pixels; a png has ``scale`` times as many."""
    height: PositiveInt | None = None
    """Pixels; unless given, what the picture usually has."""
    scale: Positive = 2.0
    """Pixels of a png for each of ``width`` and ``height``."""
    page_sound: Literal["auto", "wav", "flac", "mp3", "ogg"] = "auto"
    """Coding of the sound in a page; ``auto``: wav where it is short, else mp3."""


@options
class Waveform:
    """Draw amplitude over time. Long sounds are drawn as the span from lowest to highest sample of each column."""

    files: Files = ()
    """Sound files."""
    part: Part = Part()
    output: Output = Output()


@options
class Spectrum:
    """Draw the level of each frequency at the beginning: a windowed DFT in dB below the strongest."""

    files: Files = ()
    """Sound files."""
    size: Annotated[PositiveInt, flag("--samples")] = 4096
    """Samples under the window, from ``--start`` on."""
    window: Window = "hann"
    """Window, symmetric."""
    fmin: Annotated[Positive | None, flag("--f-min")] = None
    """Lower end of the frequency axis, Hz; 20 unless given."""
    fmax: Annotated[Positive | None, flag("--f-max")] = None
    """Upper end of the frequency axis, Hz; half the sample rate unless given."""
    db_range: Annotated[Positive, flag("--top-db")] = 80.0
    """Nothing is shown further than this below the strongest, dB."""
    part: Part = Part()
    output: Output = Output()


@options
class Spectrogram:
    """Draw level over time and frequency: a short-time Fourier transform in dB below the strongest, with a color bar.

    Where there are more frames than a picture has columns, a column shows the strongest of its frames.
    """

    files: Files = ()
    """Sound files."""
    n_fft: PositiveInt | None = None
    """Samples under the window; unless given 2048, and at rates above 48 kHz as many as last as long."""
    hop_length: PositiveInt | None = None
    """Samples from frame to frame; a quarter of ``--n-fft`` unless given."""
    window: Window = "hann"
    """Window, periodic."""
    log_frequency: bool = False
    """Logarithmic frequency axis."""
    fmin: Annotated[NonNegative | None, flag("--f-min")] = None
    """Lower end of the frequency axis, Hz; unless given 0, or 20 where it is logarithmic."""
    fmax: Annotated[Positive | None, flag("--f-max")] = None
    """Upper end of the frequency axis, Hz; half the sample rate unless given."""
    db_range: Annotated[Positive, flag("--top-db")] = 80.0
    """Nothing is shown further than this below the strongest, dB."""
    part: Part = Part()
    output: Output = Output()


@options
class Mel:
    """Draw level over time and mel band, in dB below the strongest, with a color bar."""

    files: Files = ()
    """Sound files."""
    n_mels: PositiveInt = 128
    """Number of mel bands."""
    fmin: Annotated[NonNegative | None, flag("--f-min")] = None
    """Lower end of the bands, Hz; 0 unless given."""
    fmax: Annotated[Positive | None, flag("--f-max")] = None
    """Upper end of the bands, Hz; unless given 8000, or half the sample rate where that is lower."""
    n_fft: PositiveInt | None = None
    """Samples under the window; unless given 2048, and at rates above 48 kHz as many as last as long."""
    hop_length: PositiveInt | None = None
    """Samples from frame to frame; a quarter of ``--n-fft`` unless given."""
    window: Window = "hann"
    """Window, periodic."""
    db_range: Annotated[Positive, flag("--top-db")] = 80.0
    """Nothing is shown further than this below the strongest, dB."""
    part: Part = Part()
    output: Output = Output()


@options
class All:
    """Draw waveform, spectrum, spectrogram and mel spectrogram, one below the other in one picture or page."""

    files: Files = ()
    """Sound files."""
    size: Annotated[PositiveInt, flag("--samples")] = 4096
    """Samples of the spectrum, from ``--start`` on."""
    n_fft: PositiveInt | None = None
    """Samples under the window; unless given 2048, and at rates above 48 kHz as many as last as long."""
    hop_length: PositiveInt | None = None
    """Samples from frame to frame; a quarter of ``--n-fft`` unless given."""
    window: Window = "hann"
    """Window: symmetric for the spectrum, periodic for the others."""
    log_frequency: bool = False
    """Logarithmic frequency axis of the spectrogram."""
    n_mels: PositiveInt = 128
    """Number of mel bands."""
    fmin: Annotated[Positive | None, flag("--f-min")] = None
    """Lower end of the frequency axes and of the mel bands, Hz; unless given as for each picture alone."""
    fmax: Annotated[Positive | None, flag("--f-max")] = None
    """Upper end of the frequency axes and of the mel bands, Hz; unless given as for each picture alone."""
    db_range: Annotated[Positive, flag("--top-db")] = 80.0
    """Nothing is shown further than this below the strongest, dB."""
    part: Part = Part()
    output: Output = Output()


def waveform(chosen: Waveform) -> None:
    """Write the pictures and print their names."""
    _plot("waveform", chosen)


def spectrum(chosen: Spectrum) -> None:
    """Write the pictures and print their names."""
    _plot("spectrum", chosen)


def spectrogram(chosen: Spectrogram) -> None:
    """Write the pictures and print their names."""
    _plot("spectrogram", chosen)


def mel(chosen: Mel) -> None:
    """Write the pictures and print their names."""
    _plot("mel", chosen)


def all_four(chosen: All) -> None:
    """Write the pictures and print their names."""
    _plot("all", chosen)


def _plot(verb: str, chosen: Waveform | Spectrum | Spectrogram | Mel | All) -> None:
    from onsei.plots.draw import plot

    plot(verb, chosen)
