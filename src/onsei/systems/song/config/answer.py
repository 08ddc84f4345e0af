"""What a trained singer is asked, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@options
class Sampling:
    """How a song is drawn. Defaults are those of the released checkpoints."""

    cfg_coef: NonNegative = 1.5
    """How far lyrics and prompt pull the language model away from what it would sing without them; 1: not at all."""
    diff_cfg_coef: NonNegative | None = None
    """The same for the diffusion transformer; as cfg_coef when not given."""
    dit_cfg_type: Literal["h", "global", "none"] = "h"
    """What the diffusion transformer is pulled away from: `h`, no hidden state and no sketch; `global`, the hidden
    state without lyrics and prompt; `none`: no pull."""
    use_sampling: bool = True
    """Draw sketch tokens; else the most likely one is taken."""
    temp: Positive = 0.9
    """Temperature of the sketch tokens."""
    top_k: NonNegativeInt = 100
    """Draw from so many of the most likely tokens; 0: from all."""
    top_p: Fraction = 0.0
    """With top_k 0: draw from the most likely tokens that hold this probability together; 0: from all."""
    penalty_repeat: bool = True
    """Make the tokens of the last penalty_window less likely."""
    penalty_window: PositiveInt = 50
    """Tokens that are remembered, from the second block on."""
    penalty: Positive = 1.1
    """What their logits are divided by."""
    steps: PositiveInt = 36
    """Euler steps of the diffusion of a block."""
    diff_temp: Fraction = 0.95
    """Diffusion time at which noise enters; before it the path starts from silence. 1: noise from the start."""


@options
class Request:
    """One song to sing."""

    lyrics: str
    """Words with tags of sections: `[verse] さくら. さくら , [chorus] はる`; `.` ends a sentence and `,` a section."""
    phones: bool = False
    """The lyrics are symbols of the model's table, with spaces between: `[verse] s a k u r a`."""
    prompt_wav: Path | None = None
    """A sound whose voice and style are taken up; its first seconds count."""
    max_duration: Positive = 150.0
    """Longest song, in seconds."""
    seed: NonNegativeInt = 0
    """Every random choice follows from it."""
    sampling: Sampling = Sampling()
    """How the song is drawn."""


@options
class Song:
    """A song that was sung."""

    sample_rate: PositiveInt
    """Samples a second."""
    duration: NonNegative
    """Length in seconds."""
    ended: bool
    """Whether the song came to its own end, and not to the longest duration."""
    sketch: tuple[int, ...]
    """Its sketch tokens, one a frame."""
    remarks: tuple[str, ...]
    """What of lyrics and prompt could not be taken as given."""
    samples: tuple[tuple[float, ...], ...]
    """The sound of each channel, full scale from -1 to 1."""

    @property
    def sound(self) -> NDArray[np.float32]:
        """The samples as an array of shape (channels, T)."""
        import numpy as np

        return np.asarray(self.samples, np.float32)
