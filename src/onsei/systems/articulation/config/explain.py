"""Options of the verbs that show why a mel generator says what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import (
    Fraction,
    NamedSpan,
    NonNegativeInt,
    Positional,
    Positive,
    PositiveInt,
    Repeated,
    flag,
    options,
    shown_as,
)
from onsei.former import Former

USUAL_BANDS = ("F1:300-900", "F2:900-2500")
Method = Literal["gradcam", "gradcam++", "hirescam"]
Target = Literal["frame", "clip"]


@options
class Explain:
    """Show which places of each frame raise the predicted mel in a band of frequencies: Grad-CAM and its kin."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--mri-checkpoint": Former({"*": "{value}"}, "the model has no flag; it is taken as the first word"),
        "--scaler-json": Former({"*": ""}, "is in the model folder; has no effect"),
    }

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    video: Path
    """Film, or frames that `prepare` stored (`mri.npy`)."""
    output_dir: Path
    """Folder for heat maps and pictures."""
    formant_band: Annotated[tuple[NamedSpan, ...], Repeated] = ()
    """A band as NAME:LOW-HIGH in Hz, once for each; mel bands whose centers lie in it are looked at. By default
    F1:300-900 and F2:900-2500."""
    target_frames: tuple[NonNegativeInt, ...] = ()
    """Frames to draw, counted from 0; by default five spread over the film."""
    method: Method = "hirescam"
    """gradcam: each channel by its mean gradient; gradcam++: by its positive second-order share; hirescam: each place
    by its own gradient, which for encoders that keep places is what they compute."""
    layer: str = ""
    """Part of the encoder whose map is shown, such as `trunk.blocks.2`; by default the last whose map is 32 × 32 or
    finer; `trunk` is the very last. A wrong name is answered with all that there are."""
    target: Target = "frame"
    """frame: what in a frame raises the band at that frame; clip: what in it raises the band anywhere in the film."""
    alpha: Fraction = 0.5
    """Strength of heat over the frames in pictures."""
    faithfulness: bool = False
    """Also measure what deleting and inserting the hottest places does to the prediction, beside random maps and maps
    of edges."""
    contours: Path | None = None
    """Also play the pointing game against known contours: `.npz` with `points`, (frames, points, 2) as x, y in pixels,
    and `size`, their height and width."""
    tolerance: Positive = 12.0
    """Pixels of the contours' picture within which a map's hottest place must lie."""
    json: Path | None = None
    """Write all numbers to this file as one flat JSON object."""
    frame_rate: Positive | None = None
    """Frames a second, where the film's header is wrong."""
    retime: bool = False
    """Bring a film of another rate to that of the model."""
    seed: NonNegativeInt = 0
    """Of the random maps."""
    force: bool = False
    """Overwrite what is there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""


@options
class HeatmapVideo:
    """Make a slow film of a heat map over its frames."""

    video: Path
    """The film that was explained, or stored frames."""
    sequence: Annotated[Path, flag("--heatmap")]
    """Heat maps that `explain` wrote: `gradcam_F1_sequence.npy`."""
    output: Path
    """Film to write, `.mp4`."""
    start_frame: NonNegativeInt = 0
    """Frame of the film that the first heat map belongs to."""
    segment: NamedSpan | None = None
    """Only this part, as NAME:FROM-TO in seconds of the film; its heat maps are also written, as
    `gradcam_F1_NAME_sequence.npy` beside the film."""
    fps: Positive = 5.0
    """Pictures a second."""
    repeat: PositiveInt = 1
    """Times that each picture is shown."""
    alpha: Fraction = 0.7
    """Strength of heat."""
    resize: tuple[PositiveInt, PositiveInt] | None = None
    """Width and height of the film; by default those of the heat maps."""
    force: bool = False
    """Overwrite what is there."""


@options
class OverlayVideo:
    """Lay one or two heat maps over a film, with sound in step."""

    video: Path
    """The film that was explained."""
    heatmap: Path
    """Heat maps that `explain` wrote."""
    output: Path
    """Film to write, `.mp4`."""
    heatmap2: Path | None = None
    """Heat maps of a second band; the first are then orange and these blue."""
    audio: Path | None = None
    """Sound, generated or recorded, that begins with the film; by default the film's own, if it has any."""
    start_frame: NonNegativeInt = 0
    """Frame of the film that the first heat map belongs to; frames without one are shown bare."""
    alpha: Fraction = 0.7
    """Strength of heat."""
    resize: tuple[PositiveInt, PositiveInt] | None = None
    """Width and height of the film; by default those of the heat maps."""
    tolerance: Positive = 0.25
    """Seconds by which the sound may be longer or shorter than the film: it is cut, or silence follows."""
    frame_rate: Positive | None = None
    """Frames a second, where the film's header is wrong."""
    lossless: bool = False
    """Keep the sound as it is (FLAC), not AAC."""
    force: bool = False
    """Overwrite what is there."""
