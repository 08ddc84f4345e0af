"""Segments: mel and sound stay together to the sample, and mels are drawn as often as asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.audio import io
from onsei.data.loader import Draw
from onsei.data.row import Row
from onsei.errors import DataError
from onsei.systems.vocoder.config import Data
from onsei.systems.vocoder.data.segments import EXTRA, Preparation, collate, source
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.mel import LogMel, aligned, prepared

RATE = 8000
MEL = MelDefinition(
    sample_rate=RATE, n_fft=64, hop_length=16, win_length=64, n_mels=4, f_max=None, floor=1e-3, peak=None
)
PADDINGS = ("hop", "center", "none")


def ramp(length):
    """A sound whose every sample tells its place."""
    return ((np.arange(length) + 1) / 32768).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("segments")


def row_of(folder, sound, mel=None, extra=None):
    name = f"{len(list(folder.iterdir()))}"
    io.save(folder / f"{name}.wav", sound, RATE, coding="FLOAT")
    row = Row(id=name, audio=folder / f"{name}.wav")
    if mel is not None:
        np.save(folder / f"{name}.npy", mel)
        row = replace(row, features=str(folder / f"{name}.npy"))
    if extra is not None:
        np.save(folder / f"{name}x.npy", extra)
        row = replace(row, extra={EXTRA: str(folder / f"{name}x.npy")})
    return row


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 700), st.integers(1, 12), st.sampled_from(PADDINGS), st.integers(0, 2**31), st.sampled_from([0, 0.9])
)
def test_a_segment_of_given_mels_is_the_sound_of_its_frames(folder, length, frames, padding, seed, preemphasis):
    mel = replace(MEL, padding=padding, preemphasis=preemphasis)
    count = mel.frames(length)
    if not count:
        return
    # Each frame holds its own number, each sample its own place.
    numbers = np.tile(np.arange(count, dtype=np.float32), (mel.n_mels, 1))
    row = row_of(folder, ramp(length), numbers)
    item = Preparation(mel, frames, given=True)(row, Draw(seed, 0, row.id))
    assert item.mel.shape == (mel.n_mels, frames)
    assert item.sound.shape == (frames * mel.hop,)
    first = int(item.mel[0, 0])
    whole = aligned(prepared(torch.from_numpy(ramp(length)), mel), mel)
    kept = min(frames, count - first)
    assert item.mel[0, :kept].tolist() == list(range(first, first + kept))
    expected = whole[first * mel.hop : (first + kept) * mel.hop]
    assert torch.equal(item.sound[: kept * mel.hop], expected)
    assert not item.sound[kept * mel.hop :].any()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 900), st.integers(1, 10), st.sampled_from(PADDINGS), st.integers(0, 2**31))
def test_a_segment_of_a_sound_has_the_mel_that_the_whole_sound_has_there(folder, length, frames, padding, seed):
    mel = replace(MEL, padding=padding)
    sound = torch.from_numpy(ramp(length))
    row = row_of(folder, ramp(length))
    item = Preparation(mel, frames)(row, Draw(seed, 0, row.id))
    assert item.mel.shape == (mel.n_mels, frames)
    assert item.sound.shape == (frames * mel.hop,)
    filled = torch.nn.functional.pad(sound, (0, max(0, mel.shortest + (frames - 1) * mel.hop - length)))
    found = False
    for skip in range(min(mel.hop, len(filled))):
        rest = filled[skip:]
        if mel.frames(len(rest)) < frames:
            break
        theirs, parts = LogMel(mel)(rest[None])[0], aligned(rest, mel)
        for start in range(mel.frames(len(rest)) - frames + 1):
            if torch.equal(parts[start * mel.hop : (start + frames) * mel.hop], item.sound):
                found |= torch.allclose(theirs[:, start : start + frames], item.mel, atol=1e-4)
    assert found


def test_the_same_draw_gives_the_same_segment_and_another_epoch_another(folder):
    row = row_of(folder, ramp(4000))
    prepare = Preparation(MEL, 8)
    one, again, other = (prepare(row, Draw(1, epoch, row.id)) for epoch in (0, 0, 1))
    assert torch.equal(one.sound, again.sound)
    assert not torch.equal(one.sound, other.sound)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 900), st.integers(1, 10), st.sampled_from(PADDINGS), st.integers(0, 2**31))
def test_making_only_the_segments_mel_gives_what_cutting_it_from_the_whole_gives(folder, length, frames, padding, seed):
    mel = replace(MEL, padding=padding)
    sound = np.random.default_rng(seed).standard_normal(length).astype(np.float32) / 8
    row = row_of(folder, sound)
    draw = Draw(seed, 0, row.id)
    item = Preparation(mel, frames)(row, draw)
    needed = mel.shortest + (frames - 1) * mel.hop
    skip = int(draw.generator("phase").integers(0, min(mel.hop, max(length - needed, 0) + 1)))
    rest = torch.nn.functional.pad(torch.from_numpy(sound)[skip:], (0, max(0, needed - (length - skip))))
    start = int(draw.generator("crop").integers(0, mel.frames(len(rest)) - frames + 1))
    whole = LogMel(mel)(rest[None])[0]
    torch.testing.assert_close(item.mel, whole[:, start : start + frames], atol=1e-5, rtol=0)
    assert torch.equal(item.sound, aligned(rest, mel)[start * mel.hop : (start + frames) * mel.hop])


def test_several_segments_of_each_recording_come_in_an_epoch(folder):
    from onsei.data import manifest

    manifest.write(folder / "few.jsonl", [row_of(folder, ramp(4000)) for _ in range(3)])
    opened = manifest.Manifest.open(folder / "few.jsonl")
    loader = source(opened, Preparation(MEL, 4), Data(batch_size=4, segments=5), seed=0, workers=0)
    batches = list(loader.batches(0))
    assert sorted(batch.size for batch in batches) == [3, 4, 4, 4]
    ids = sorted(name for batch in batches for name in batch.ids)
    names = [row.id for row in opened]
    assert ids == sorted([*names, *(f"{name}#{turn}" for name in names for turn in range(2, 6))])
    heard = torch.cat([batch.sound for batch in batches])
    assert len(torch.unique(heard, dim=0)) > 10  # other segments each time
    whole = source(opened, Preparation(MEL), Data(batch_size=4, segments=5), seed=0, workers=0)
    assert whole.count(0) == 3
    assert (
        loader.fingerprint() != source(opened, Preparation(MEL, 4), Data(batch_size=4), seed=0, workers=0).fingerprint()
    )


@pytest.mark.parametrize("weight", [0.0, 0.2, 0.8])
def test_extra_mels_are_drawn_as_often_as_asked(folder, weight):
    mel = np.zeros((MEL.n_mels, 6), np.float32)
    row = row_of(folder, ramp(96), mel, mel + 1)
    prepare, draws = Preparation(MEL, 4, given=True, extra_weight=weight), 500
    drawn = sum(bool(prepare(row, Draw(3, epoch, row.id)).mel[0, 0]) for epoch in range(draws))
    spread = (weight * (1 - weight) / draws) ** 0.5
    assert abs(drawn / draws - weight) <= 4 * spread


@pytest.mark.parametrize("difference", [-40, -1, 1, 40])
def test_a_mel_of_another_length_is_refused_unless_tolerated(folder, difference):
    count = MEL.frames(2000) + difference
    row = row_of(folder, ramp(2000), np.zeros((MEL.n_mels, count), np.float32))
    with pytest.raises(DataError, match=f"{count} frames, its sound has {MEL.frames(2000)}"):
        Preparation(MEL, 8, given=True)(row, Draw(0, 0, row.id))
    item = Preparation(MEL, 0, given=True, tolerance=40)(row, Draw(0, 0, row.id))
    assert item.mel.shape[1] * MEL.hop == len(item.sound)
    assert item.mel.shape[1] == min(count, MEL.frames(2000))


def test_silence_and_one_frame_are_learned_from(folder):
    for sound in (np.zeros(400, np.float32), ramp(MEL.shortest), ramp(1)):
        row = row_of(folder, sound)
        item = Preparation(replace(MEL, peak=0.95), 8)(row, Draw(0, 0, row.id))
        assert item.mel.isfinite().all()
        assert item.sound.shape == (8 * MEL.hop,)


def test_a_batch_stacks_segments_and_leaves_faults_aside(folder):
    rows = [row_of(folder, ramp(500)) for _ in range(3)]
    items = [Preparation(MEL, 4)(row, Draw(0, 0, row.id)) for row in rows]
    batch = collate(items, [])
    assert (batch.size, batch.mel.shape, batch.sound.shape) == (3, (3, MEL.n_mels, 4), (3, 64))
    assert collate([], []).size == 0


def test_training_shuffles_and_validation_takes_whole_recordings_one_by_one(folder):
    from onsei.data import manifest

    manifest.write(folder / "rows.jsonl", [row_of(folder, ramp(300 + 100 * n)) for n in range(5)])
    opened = manifest.Manifest.open(folder / "rows.jsonl")
    segments = source(opened, Preparation(MEL, 4), Data(batch_size=2), seed=0, workers=0)
    whole = source(opened, Preparation(MEL), Data(batch_size=2), seed=0, workers=0)
    assert [batch.size for batch in segments.batches(0)] == [2, 2, 1]
    assert [batch.sound.shape for batch in whole.batches(0)] == [
        (1, MEL.frames(300 + 100 * n) * MEL.hop) for n in range(5)
    ]
