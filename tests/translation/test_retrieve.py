"""Search: indexes that are kept and made anew, galleries with captions, sheets, examples as translations."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from onsei.errors import ConfigError, DataError, ModelError
from onsei.systems.translation.config import Ground, Retrieve
from onsei.systems.translation.config.ground import ImageNetwork, Pairs, UnitNetwork
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.training import ground
from onsei.systems.translation.images import built
from onsei.systems.translation.retrieve.gallery import Gallery, open_gallery, read_captions
from onsei.systems.translation.retrieve.index import FOLDER, Index, open_index
from onsei.systems.translation.retrieve.verb import by_example, retrieve
from onsei.systems.translation.stock import vit
from onsei.training.options import Training
from tests.translation import letters

CLOCK = Training(max_steps=2, monitor="val/recall", mode="max", device="cpu", silent=True, estimate_memory=False)
OPTIONS = Ground(
    embedding_dim=8,
    units=UnitNetwork(width=8, heads=2, layers=0),
    image=ImageNetwork(width=8, heads=2, layers=0),
    data=Pairs(batch_size=10),
    training=CLOCK,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    pairs = letters.write(folder / "pictures", "p", 20)
    ground(replace(OPTIONS, train_manifest=pairs, output_dir=folder / "core"))
    return folder / "core", pairs


@pytest.fixture
def place(made, tmp_path):
    """A core and a folder of pictures of one's own."""
    shutil.copytree(made[0], tmp_path / "core", ignore=shutil.ignore_patterns("checkpoints"))
    shutil.copytree(made[1].parent, tmp_path / "pictures")
    return tmp_path / "core", tmp_path / "pictures"


def test_an_index_is_kept_and_what_changes_is_made_anew(place):
    core, gallery = Core.load(place[0], "cpu"), open_gallery(place[1])
    first = open_index(core, gallery)
    assert "index of 20 made" in first.note
    assert len(list((place[0] / FOLDER).iterdir())) == 1
    again = open_index(core, gallery)
    assert again.note == "20 pictures, index as kept"
    np.testing.assert_array_equal(again.vectors, first.vectors)
    np.testing.assert_allclose(first.vectors, core.pictures(gallery.paths), atol=1e-6)
    Image.new("RGB", (64, 64), "red").save(gallery.paths[3])
    changed = open_index(core, gallery)
    assert "index of 1 made" in changed.note
    assert not np.allclose(changed.vectors[3], first.vectors[3])
    os.unlink(gallery.paths[0])
    assert len(open_index(core, open_gallery(place[1])).numbers) == 19
    assert "asked for anew" in open_index(core, open_gallery(place[1]), refresh=True).note


def test_an_index_of_another_model_is_not_used(place, made, tmp_path):
    open_index(Core.load(place[0], "cpu"), open_gallery(place[1]))
    ground(replace(OPTIONS, train_manifest=made[1], output_dir=tmp_path / "other", training=replace(CLOCK, seed=5)))
    shutil.copytree(place[0] / FOLDER, tmp_path / "other" / FOLDER)
    found = open_index(Core.load(tmp_path / "other", "cpu"), open_gallery(place[1]))
    assert "of another model" in found.note
    assert "index of 20 made" in found.note


def test_a_damaged_index_is_made_anew(place):
    core, gallery = Core.load(place[0], "cpu"), open_gallery(place[1])
    open_index(core, gallery)
    next((place[0] / FOLDER).iterdir()).write_bytes(b"nothing")
    assert "damaged" in open_index(core, gallery).note


def test_unreadable_pictures_are_left_out(place):
    (place[1] / "p0000.png").write_bytes(b"no picture")
    found = open_index(Core.load(place[0], "cpu"), open_gallery(place[1]))
    assert len(found.numbers) == 19
    assert "p0000.png" in found.unreadable[0]
    for path in place[1].glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="no picture of 20 can be read"):
        open_index(Core.load(place[0], "cpu"), open_gallery(place[1]))


def test_a_model_folder_that_cannot_be_written_does_without(place, monkeypatch):
    from onsei.errors import OnseiError
    from onsei.hub import weights

    def refused(*args, **kwargs):
        raise OnseiError("cannot be written")

    monkeypatch.setattr(weights, "save", refused)
    found = open_index(Core.load(place[0], "cpu"), open_gallery(place[1]))
    assert "not kept: cannot be written" in found.note
    assert len(found.numbers) == 20


def test_rank_score_file_and_caption_are_told(made, tmp_path, capsys):
    words = Retrieve(words=(str(made[0]),), query_manifest=made[1], image_gallery_dir=made[1], top_k=3, format="json",
                     sheet=tmp_path / "sheet.png")  # fmt: skip
    retrieve(words)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 20
    core = Core.load(made[0], "cpu")
    rows = letters.rows(made[1])
    similarity = core.speech([rows[0]["units"]]) @ core.pictures([made[1].parent / row["image"] for row in rows]).T
    best = np.argsort(-similarity[0])[:3]
    assert [image["image"].rsplit("/", 1)[-1] for image in lines[0]["images"]] == [rows[n]["image"] for n in best]
    assert [image["rank"] for image in lines[0]["images"]] == [1, 2, 3]
    assert lines[0]["images"][0]["score"] == pytest.approx(similarity[0, best[0]], abs=1e-3)
    assert lines[0]["images"][0]["captions"] == [rows[best[0]]["text"]]
    assert Image.open(tmp_path / "sheet.png").width > 3 * 128
    with pytest.raises(DataError, match="exists already"):
        retrieve(words)
    retrieve(replace(words, format="table", sheet=None, top_k=1))
    assert rows[best[0]]["text"][:20] in capsys.readouterr().out


def test_what_is_missing_is_said(made, tmp_path):
    with pytest.raises(ConfigError, match="which semantic core"):
        retrieve(Retrieve())
    with pytest.raises(ConfigError, match="image_gallery_dir"):
        retrieve(Retrieve(words=(str(made[0]), "a.wav")))
    with pytest.raises(ConfigError, match="which sounds"):
        retrieve(Retrieve(words=(str(made[0]),), image_gallery_dir=made[1]))
    (tmp_path / "a.wav").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="acoustic model"):
        retrieve(Retrieve(words=(str(made[0]), str(tmp_path / "a.wav")), image_gallery_dir=made[1]))
    with pytest.raises(DataError, match="no pictures in it"):
        open_gallery(tmp_path / "empty")


def test_captions_of_flickr8k(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("image,caption\na.jpg,A dog , running .\na.jpg,Two dogs\nb.jpg#0,A cat\n", encoding="utf-8")
    assert read_captions(path) == {"a.jpg": ("A dog , running .", "Two dogs"), "b.jpg": ("A cat",)}
    path.write_text("nothing\n")
    with pytest.raises(DataError, match="no captions"):
        read_captions(path)


def test_a_translation_by_example_is_the_caption_likest_the_others(tmp_path):
    paths = tuple(tmp_path / f"{n}.png" for n in range(4))
    captions = {"0.png": ("a blue star",), "1.png": ("a red ring",), "2.png": ("a red ring is here",), "3.png": ("no",)}
    gallery = Gallery(tmp_path, paths, captions)
    vectors = np.array([[1.0, 0], [0.999, 0.04], [0.998, 0.06], [0, 1.0]], dtype=np.float32)
    index = Index(vectors, np.arange(4), "")
    query = np.array([1.0, 0], dtype=np.float32)
    assert by_example(index, gallery, query, nearest=3) == "a red ring"
    assert by_example(index, gallery, query, nearest=1) == "a blue star"
    assert by_example(index, Gallery(tmp_path, paths), query) == ""


def test_a_vision_transformer_by_folder(tmp_path, made):
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32,
                       patch_size=16)  # fmt: skip
    ViTModel(config).save_pretrained(tmp_path / "vit")
    ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.1, 0.2, 0.3]).save_pretrained(tmp_path / "vit")
    for freeze in ("all", "none"):
        image = ImageNetwork(pretrained=str(tmp_path / "vit"), freeze=freeze)
        seeing = built(image, 8)
        assert (seeing.transform.size, seeing.transform.mean) == (32, (0.1, 0.2, 0.3))
        trained = [p.requires_grad for p in seeing.network.network.parameters()]
        assert any(trained) is (freeze == "none")
        folder = tmp_path / f"core-{freeze}"
        ground(replace(OPTIONS, train_manifest=made[1], output_dir=folder, image=image))
        (tmp_path / "vit").rename(tmp_path / "away")
        core = Core.load(folder, "cpu")
        assert core.seeing.transform == seeing.transform
        assert core.pictures([made[1].parent / "p0000.png"]).shape == (1, 8)
        (tmp_path / "away").rename(tmp_path / "vit")
    with pytest.raises(ModelError, match="no such folder"):
        vit.located("nowhere")
    file = tmp_path / "vit" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be read"):
        vit.opened(tmp_path / "vit")
    (tmp_path / "vit" / "config.json").write_text('{"model_type": "resnet"}')
    with pytest.raises(ModelError, match="resnet"):
        vit.located(str(tmp_path / "vit"))
