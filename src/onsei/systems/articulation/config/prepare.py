"""Options of the verb `prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options


@options
class Prepare:
    """Make clips of films of a vocal tract: pictures, log-mels and sounds of one length, to the sample."""

    data_dir: Annotated[Path, flag("--video-dir")]
    """Folder of films, searched below too; any container that FFmpeg reads."""
    output_dir: Annotated[Path, flag("--out-dir")]
    """Folder for clips, manifests, scaler and filelists."""
    audio_dir: Path | None = None
    """Folder of sounds, NAME.wav or another format for each film NAME; by default a sound beside the film, else its own
    sound track."""
    sample_rate: Annotated[PositiveInt, flag("--sr")] = 11413
    """Rate that sound is brought to, in Hz. A frame of film must be whole hops of it: rate = frames/s · hop · whole
    number."""
    n_mels: PositiveInt = 64
    """Mel bands."""
    n_fft: PositiveInt = 2048
    """Samples of one transform."""
    hop_length: PositiveInt = 420
    """Samples from mel frame to mel frame; 105 gives four of them for each frame of film at 11413/420 frames/s."""
    win_length: PositiveInt = 2048
    """Samples under the window."""
    preemph: Annotated[Fraction, flag("--preemphasis")] = 0.97
    """Pre-emphasis of the sound that is analyzed; a vocoder takes it back."""
    f_min: NonNegative = 0.0
    """Lower end of the mel bands, in Hz."""
    f_max: Positive | None = None
    """Upper end of the mel bands, in Hz; null: half the sample rate."""
    floor: Positive = 1e-4
    """Least amplitude of a band: 1e-4 is -80 dB."""
    padding: Literal["hop", "center"] = "hop"
    """Where a mel frame stands: hop, in the middle of its hop and so of its film frame; center, half a hop earlier, at
    the beginning."""
    ref_frames: PositiveInt = 4
    """Frames of a window in `pairs_ref4` (the number is in the name) and, with split random, of the manifests."""
    pairs: Literal["both", "npz", "npy", "none"] = "both"
    """Which stored windows to write: archives, memory-mapped arrays. Training here needs none, it cuts them itself."""
    pair_step: PositiveInt = 1
    """Frames from window to window."""
    dtype: Literal["float16", "float32", "uint8"] = "float16"
    """Numbers of stored pictures: 0..1, or bytes from 0 to 255, which lose nothing."""
    size: PositiveInt = 256
    """Height and width that pictures are brought to, in pixels."""
    crop: str = ""
    """Part of the films' picture that is taken, as LEFT,TOP,WIDTH,HEIGHT in its pixels."""
    register: bool = False
    """Move the pictures of each film so that its mean picture lies on that of the first film of its speaker."""
    mask_dir: Path | None = None
    """Folder of mask films, of the names of the films: what is dark in them is hidden from the network."""
    frame_rate: Positive | None = None
    """Frames a second, where the headers of films are wrong."""
    retime: bool = False
    """Bring films of another or an uneven rate to the common one, by the frame next in time."""
    damaged: Literal["refuse", "keep"] = "refuse"
    """Films that break off: leave them out, or keep the whole frames with their part of the sound."""
    tolerance: NonNegative = 0.1
    """Seconds by which a sound may be longer or shorter than its film; it is cut or filled with silence."""
    most_lag: NonNegative = 0.0
    """Refuse clips whose picture and sound are seen to be further out of step, in seconds; 0: only tell."""
    split: Literal["utterance", "speaker", "random"] = "utterance"
    """How clips are parted. utterance: by whole films; speaker: by whole speakers; random: windows of all films by
    chance, whose neighbors are then on both sides."""
    val_fraction: Fraction = 0.1
    """Share of validation."""
    test_fraction: Fraction = 0.1
    """Share of the test."""
    val: tuple[str, ...] = ()
    """Names of clips, or of speakers with split speaker, that are for validation; in place of a share."""
    test: tuple[str, ...] = ()
    """Likewise for the test."""
    speaker: str = ""
    """Regular expression for names of films; its first group, or all it finds, is the speaker. By default the folder
    that a film lies in."""
    seed: NonNegativeInt = 42
    """Seed of chance."""
    normalized_videos: Path | None = None
    """Folder for normalized films with their sound, NAME.mp4."""
    json: Path | None = None
    """Write what was found to this file as one flat JSON object."""
    force: bool = False
    """Replace clips that are there."""
