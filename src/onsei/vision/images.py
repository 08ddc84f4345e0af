"""Pictures from files: size is checked before anything is decoded, every mode becomes RGB, and how is part of a model.

S pixels of a side.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from onsei.config import PositiveInt, options
from onsei.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are read; others, such as EPS, could run programs."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
MOST_PIXELS = 64_000_000
"""Largest picture that is decoded; a small file may claim any size."""
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")


@options
class Transform:
    """How a picture becomes what a network sees."""

    size: PositiveInt = 64
    """Width and height, in pixels."""
    fit: Literal["crop", "squeeze", "pad"] = "crop"
    """How a picture becomes square: its middle is cut out, its sides are squeezed, or its edges are filled."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Of each channel (0 to 1), which becomes 0."""
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Of each channel, which becomes 1."""

    def pixels(self, path: Path) -> Tensor:
        """The picture in a file: uint8, (3, S, S). Errors as of ``read``."""
        return torch.from_numpy(np.ascontiguousarray(self.square(read(path, self.size)).transpose(2, 0, 1)))

    def square(self, picture: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture brought to size, (S, S, 3)."""
        size = (self.size, self.size)
        if picture.size == size:
            return np.asarray(picture)
        how = Image.Resampling.BICUBIC
        if self.fit == "squeeze":
            return np.asarray(picture.resize(size, how))
        if self.fit == "pad":
            return np.asarray(ImageOps.pad(picture, size, how, color=(128, 128, 128)))
        return np.asarray(ImageOps.fit(picture, size, how))

    def normalized(self, pixels: Tensor) -> Tensor:
        """What the network sees of uint8 pixels, (…, 3, S, S)."""
        mean = torch.tensor(self.mean, device=pixels.device)[:, None, None]
        deviation = torch.tensor(self.deviation, device=pixels.device)[:, None, None]
        return (pixels.float() / 255 - mean) / deviation


def read(path: Path, wanted: int = 0, *, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """The picture in a file as RGB: upright, the first of an animated one, on white where it is transparent.

    Args:
        path: a file of one of ``FORMATS``, whatever its name ends in.
        wanted: pixels of the shorter side that are enough: a JPEG is then decoded smaller. 0: its own size.
        most_pixels: larger pictures are refused before they are decoded.

    Raises:
        DataError: the file is missing, no picture, cut off, damaged, or too large.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > most_pixels:
                    raise _too_large(path, width, height, most_pixels)
                if wanted and picture.format == "JPEG":
                    picture.draft("RGB", (wanted, wanted))
                picture.seek(0)
                picture.load()
                return _upright(_rgb(picture))
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{path}: no such picture", "check the path") from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: no picture of a known format", f"save it as one of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {error}", "make it smaller") from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: a damaged picture ({reason})", "save it anew, or leave it out") from None


def files(folder: Path) -> Iterator[Path]:
    """Pictures in a folder and in those below, by name. Hidden ones are passed over.

    Raises:
        DataError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of pictures", "check the path")
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path


def sheet(pictures: Sequence[Image.Image], columns: int, size: int = 128, gap: int = 8) -> Image.Image:
    """Pictures side by side in rows of ``columns``, each within ``size`` × ``size`` pixels, on white."""
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (columns * (size + gap) + gap, rows * (size + gap) + gap), (255, 255, 255))
    for number, picture in enumerate(pictures):
        small = ImageOps.contain(picture, (size, size))
        x, y = gap + number % columns * (size + gap), gap + number // columns * (size + gap)
        canvas.paste(small, (x + (size - small.width) // 2, y + (size - small.height) // 2))
    return canvas


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in _DEEP:
        values = np.asarray(picture).astype(np.float64)
        # 16 bits a pixel are shared among modes of 32: the format tells which, the values tell the rest.
        top = 65535.0 if picture.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
        top = 1.0 if picture.mode == "F" and values.max(initial=0) <= 1 else top
        gray = np.clip(np.nan_to_num(values) / top * 255, 0, 255).round().astype(np.uint8)
        return _exif(Image.fromarray(gray, "L").convert("RGB"), picture)
    clear = picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info
    if not clear:
        return _exif(picture.convert("RGB"), picture)
    full = picture.convert("RGBA")
    ground = Image.new("RGBA", full.size, (255, 255, 255, 255))
    return _exif(Image.alpha_composite(ground, full).convert("RGB"), picture)


def _exif(made: Image.Image, source: Image.Image) -> Image.Image:
    made.info["exif_orientation"] = source.getexif().get(0x0112, 1)
    return made


def _upright(picture: Image.Image) -> Image.Image:
    turns = {
        2: (Image.Transpose.FLIP_LEFT_RIGHT,), 3: (Image.Transpose.ROTATE_180,),
        4: (Image.Transpose.FLIP_TOP_BOTTOM,), 5: (Image.Transpose.TRANSPOSE,), 6: (Image.Transpose.ROTATE_270,),
        7: (Image.Transpose.TRANSVERSE,), 8: (Image.Transpose.ROTATE_90,),
    }  # fmt: skip
    for turn in turns.get(picture.info.pop("exif_orientation", 1), ()):
        picture = picture.transpose(turn)
    return picture


def _too_large(path: Path, width: int, height: int, most: int) -> DataError:
    return DataError(
        f"{path}: {width} × {height} pixels; at most {most / 1e6:.0f} million are decoded", "make it smaller"
    )


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG file, whatever its name ends in."""
    picture.save(path, format="PNG", compress_level=1)
