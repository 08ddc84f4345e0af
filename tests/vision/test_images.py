"""Pictures of every mode and every kind of damage."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from onsei.config import from_json, to_dict
from onsei.errors import DataError
from onsei.vision import images
from onsei.vision.images import Transform


def gradient(mode, size=(32, 24)):
    x = np.tile(np.linspace(0, 255, size[0]), (size[1], 1)).astype(np.uint8)
    return Image.fromarray(np.stack([x, x[::-1], 255 - x], -1)).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr", "I", "I;16", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = {"CMYK": "jpg", "YCbCr": "jpg", "F": "tif", "I": "tif"}.get(mode, "png")
    picture = gradient("L").convert(mode) if mode in ("I", "F") else gradient(mode) if mode != "I;16" else None
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(gradient("L")).astype(np.uint16) * 257)
    picture.save(tmp_path / f"x.{suffix}")
    found = images.read(tmp_path / f"x.{suffix}")
    assert (found.mode, found.size) == ("RGB", (32, 24))
    assert np.asarray(found).std() > 40, "the picture lost its content"


def test_16_bits_keep_their_range(tmp_path):
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "deep.png")
    seen = np.asarray(images.read(tmp_path / "deep.png"))[..., 0]
    assert np.abs(seen - values / 257).max() <= 0.5 + 1e-6


def test_what_is_transparent_is_white(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert np.asarray(images.read(tmp_path / "clear.png")).min() == 255


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    parts = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    parts[0].save(tmp_path / "moving.gif", save_all=True, append_images=parts[1:])
    assert np.asarray(images.read(tmp_path / "moving.gif"))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("turn", range(1, 9))
def test_cameras_that_were_turned_are_turned_back(tmp_path, turn):
    upright = gradient("RGB")
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[turn]  # what the camera did, as PIL numbers it
    turned = upright if back is None else upright.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = turn
    turned.save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(np.asarray(images.read(tmp_path / "photo.png")), np.asarray(upright))


def test_huge_pictures_are_refused_before_they_are_decoded(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(DataError, match=r"bomb\.png"):
        images.read(tmp_path / "bomb.png")
    gradient("RGB", (200, 100)).save(tmp_path / "large.png")
    with pytest.raises(DataError, match="200 × 100 pixels"):
        images.read(tmp_path / "large.png", most_pixels=10_000)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no picture", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.png"):
        images.read(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
def test_a_file_cut_off_is_named(tmp_path, suffix):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    noise.save(tmp_path / f"whole.{suffix}")
    content = (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / f"half.{suffix}").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="half"):
        images.read(tmp_path / f"half.{suffix}")


def test_missing_pictures_and_folders_are_named(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(DataError, match="no such picture"):
            images.read(path)
    with pytest.raises(DataError, match="no such folder"):
        list(images.files(tmp_path / "nowhere"))


def test_folders_are_searched_by_name_without_hidden_ones(tmp_path):
    for name in ("b/2.PNG", "a/1.jpg", ".hidden/3.png", "a/.4.png", "a/text.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in images.files(tmp_path)] == ["1.jpg", "2.PNG"]


@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
@pytest.mark.parametrize("size", [(30, 30), (100, 17), (1, 1), (7, 200)])
def test_a_transform_gives_its_size_whatever_comes(tmp_path, fit, size):
    gradient("RGB", size).save(tmp_path / "x.png")
    pixels = Transform(size=24, fit=fit).pixels(tmp_path / "x.png")
    assert pixels.shape == (3, 24, 24)
    assert pixels.dtype == torch.uint8


def test_a_transform_is_what_its_json_says(tmp_path):
    made = Transform(16, "pad", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert from_json(Transform, __import__("json").dumps(to_dict(made))) == made
    gray = torch.full((3, 2, 2), 51, dtype=torch.uint8)
    expected = torch.tensor([(0.2 - 0.1) / 0.4, 0.0, (0.2 - 0.3) / 0.6])[:, None, None].expand(3, 2, 2)
    assert torch.allclose(made.normalized(gray), expected, atol=1e-6)


def test_a_sheet_shows_every_picture(tmp_path):
    made = images.sheet([Image.new("RGB", (20, 10), color) for color in ("red", "green", "blue")], 2, size=32)
    assert made.size == (2 * 40 + 8, 2 * 40 + 8)
    images.save(made, tmp_path / ".sheet.part")
    colors = {tuple(pixel) for pixel in np.asarray(images.read(tmp_path / ".sheet.part")).reshape(-1, 3).tolist()}
    assert {(255, 0, 0), (0, 128, 0), (0, 0, 255)} <= colors
