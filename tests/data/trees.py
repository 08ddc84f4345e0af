"""Miniature trees of speech corpora in their real layouts, with the faults that the real ones have."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from tests.data.toys import write_wav

RATE = 16000


def tone(seconds=0.2, rate=RATE):
    return (8000 * np.sin(np.arange(round(seconds * rate)) * 0.3)).astype("<i2")


def put(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def write_raw(path, seconds=0.2):
    return put(path, tone(seconds).astype(">i2").tobytes())


def write_sph(path, seconds=0.2, coding="pcm"):
    """NIST SPHERE by hand: a header of 1024 bytes, then samples."""
    samples = tone(seconds)
    fields = {
        "channel_count": f"-i {1}", "sample_count": f"-i {len(samples)}", "sample_rate": f"-i {RATE}",
        "sample_n_bytes": "-i 2", "sample_byte_format": "-s2 01", "sample_sig_bits": "-i 16",
        "sample_coding": f"-s{len(coding)} {coding}",
    }  # fmt: skip
    head = "NIST_1A\n   1024\n" + "".join(f"{key} {value}\n" for key, value in fields.items()) + "end_head\n"
    return put(path, head.encode().ljust(1024) + samples.tobytes())


def write_sound(path, seconds=0.2):
    """A flac or mp3 file."""
    from onsei.audio import io

    io.save(path, tone(seconds).astype(np.float32) / 32768, RATE)
    return path


def pack(folder, target):
    """A tar of ``folder`` under its own name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:gz") as file:
        file.add(folder, folder.name)
    return target


def an4(top: Path, write=write_raw, ending=".raw") -> Path:
    """Nine utterances of three speakers to train on, two to test; no faults."""
    for part, folder, names in (
        ("train", "an4_clstk", [f"{u}-{s}-b" for s in ("fash", "fbbh", "mewl") for u in ("an251", "cen1", "cen2")]),
        ("test", "an4test_clstk", ["an391-mjwl-b", "cen3-mjwl-b"]),
    ):
        marks = ("<s> ", " </s>") if part == "train" else ("", "")
        for name in names:
            write(top / "an4" / "wav" / folder / name.split("-")[1] / f"{name}{ending}")
        listed = "".join(f"{folder}/{name.split('-')[1]}/{name}\n" for name in names)
        put(top / "an4" / "etc" / f"an4_{part}.fileids", listed)
        texts = "".join(f"{marks[0]}P I T {name[:2].upper()}{marks[1]} ({name})\n" for name in names)
        put(top / "an4" / "etc" / f"an4_{part}.transcription", texts)
    return top / "an4"


def an4_with_faults(top: Path) -> Path:
    root = an4(top)
    (root / "wav/an4_clstk/fash/an251-fash-b.raw").unlink()
    put(root / "wav/an4_clstk/fash/cen1-fash-b.raw", b"")
    put(root / "wav/an4_clstk/fash/cen2-fash-b.raw", b"\0\1\2")
    listed = root / "etc" / "an4_train.fileids"
    listed.write_text(listed.read_text() + "an4_clstk/fbbh/an251-fbbh-b\nan4_clstk/fbbh/untold-fbbh-b\n../../x/y\n")
    texts = (root / "etc" / "an4_train.transcription").read_text().splitlines()
    texts[4] = "<s> </s> (cen1-fbbh-b)"
    texts += ["no id at its end", "<s> LOST </s> (an999-fash-b)", texts[5]]
    put(root / "etc" / "an4_train.transcription", "\n".join(texts).encode() + b"\n<s> CAF\xc9 </s> (z-fash-b)\n")
    return root


def librispeech(top: Path, subsets=("train-clean-100", "dev-clean", "dev-other", "test-clean", "test-other")) -> Path:
    """A chapter of two utterances for each of two speakers in every subset; no faults."""
    for number, subset in enumerate(subsets):
        for speaker in (str(100 + 2 * number), str(101 + 2 * number)):
            chapter = top / "LibriSpeech" / subset / speaker / "128104"
            names = [f"{speaker}-128104-{n:04d}" for n in range(2)]
            for name in names:
                write_sound(chapter / f"{name}.flac")
            text = "".join(f"{name} MISTER QUILTER'S {n}\n" for n, name in enumerate(names))
            put(chapter / f"{speaker}-128104.trans.txt", text)
    put(top / "LibriSpeech" / "SPEAKERS.TXT", "; comments\n")
    return top / "LibriSpeech"


def librispeech_with_faults(top: Path) -> Path:
    root = librispeech(top, ("train-clean-100",))
    chapter = root / "train-clean-100" / "100" / "128104"
    (chapter / "100-128104-0000.flac").unlink()
    put(chapter / "100-128104-0001.flac", b"")
    whole = write_sound(chapter / "100-128104-0002.flac").read_bytes()
    put(chapter / "100-128104-0003.flac", whole[:30])
    write_sound(chapter / "100-128104-0009.flac")
    told = chapter / "100-128104.trans.txt"
    lines = "100-128104-0002\n100-128104-0003 CUT\n100-128104-0001 AGAIN\n../0004 OUT\n"
    told.write_bytes(told.read_bytes() + lines.encode() + b"100-128104-0005 \xff\n")
    return root


def tedlium(top: Path, name="TEDLIUM_release2") -> Path:
    """One talk a part of 2 s with three segments, of which one is not to be heard; no faults."""
    for part in ("train", "dev", "test"):
        talk = f"Ann{part.title()}_2010"
        write_sph(top / name / part / "sph" / f"{talk}.sph", 2.0)
        lines = (
            ";; a comment",
            f"{talk} 1 {talk} 0.00 0.25 <o,f0,female> ignore_time_segment_in_scoring",
            f"{talk} 1 {talk} 0.25 1.00 <o,f0,female> it 's <unk> we don 't 'cause {{BREATH}} a(2)",
            f"{talk} 1 {talk} 1.00 2.04 <o,f0,female> and i 'm  done",
        )
        put(top / name / part / "stm" / f"{talk}.stm", "\n".join(lines) + "\n")
    return top / name


def tedlium_with_faults(top: Path) -> Path:
    root = tedlium(top)
    stm = root / "train" / "stm"
    talk = "AnnTrain_2010"
    lines = (
        f"{talk} 1 {talk} 1.50 9.00 <o> past the end",
        f"{talk} 1 {talk} 5.00 9.00 <o> behind the end",
        f"{talk} 1 {talk} 1.00 0.50 <o> backward",
        f"{talk} 1 {talk} one two <o> no numbers",
        f"{talk} 1 {talk} 0.50 0.75 <o> <unk>",
        f"{talk} 1 {talk} 0.25 1.00 <o> the same again",
        "too short",
        f"../{talk} 1 {talk} 0.5 0.75 <o> outside",
    )
    path = stm / f"{talk}.stm"
    path.write_bytes(path.read_bytes() + "\n".join(lines).encode() + b"\nx 1 x 0 1 <o> \xe9t\xe9\n")
    put(stm / "Gone_2011.stm", "".join(f"Gone_2011 1 Gone_2011 {n} {n + 1} <o> lost\n" for n in range(3)))
    put(stm / "Zero_2011.stm", "Zero_2011 1 Zero_2011 0 1 <o> lost\n")
    put(root / "train" / "sph" / "Zero_2011.sph", b"")
    put(stm / "Short_2011.stm", "Short_2011 1 Short_2011 0 1 <o> lost\n")
    write_sph(root / "train" / "sph" / "Short_2011.sph", 2.0, "pcm,embedded-shorten-v2.00")
    write_sph(root / "train" / "sph" / "Untold_2011.sph")
    return root


def voxforge(top: Path) -> Path:
    """Sessions of six users, each in another of the layouts that there are; no faults."""
    top = top / "voxforge"
    for session in ("Aaron-20080318-kdl", "Aaron-20080318-lbk", "anonymous-20080425-abc"):
        write_wav(top / session / "wav" / "a0001.wav", 0.2, RATE)
        write_wav(top / session / "wav" / "a0002.wav", 0.2, RATE)
        prompts = f"{session}/mfc/a0001 HELLO THERE\n{session}/mfc/a0002 AND YOU\n"
        put(top / session / "etc" / "PROMPTS", prompts)
        put(top / session / "etc" / "prompts-original", "a0001 Hello, there!\na0002 And you?\n")
    write_sound(top / "1028-20100710-hne" / "flac" / "ar-01.flac")
    put(top / "1028-20100710-hne" / "etc" / "PROMPTS", "../../../Audio/MFCC/8kHz_16bit/1028/mfc/ar-01 FLAC\n")
    write_wav(top / "Éva Ödön-20090101-x y" / "WAV" / "Rp 01.WAV", 0.2, RATE)
    put(top / "Éva Ödön-20090101-x y" / "etc" / "prompts-original", "\ufeffRp\tno\n*/mfc/rp-1 gone\n")
    write_wav(top / "Éva Ödön-20090101-x y" / "WAV" / "RP-1.wav", 0.2, RATE)
    write_wav(top / "late-20110101-z" / "wav" / "b1.wav", 0.2, RATE)
    put(top / "late-20110101-z" / "etc" / "PROMPTS", "\ufefflate/mfc/b1 ÜBER WIDE\n", "utf-16")
    return top


def voxforge_with_faults(top: Path) -> Path:
    top = voxforge(top)
    session = top / "Bob-20090909-aaa"
    write_wav(session / "wav" / "b0001.wav", 0.2, RATE)
    write_wav(session / "wav" / "b0002.wav", 0.2, RATE)
    put(session / "wav" / "b0003.wav", b"")
    put(session / "wav" / "b0004.wav", b"RIFF and no more")
    write_wav(session / "wav" / "b0005.wav", 0.2, RATE)
    prompts = b"Bob/mfc/b0001 FINE\nBob/mfc/b0001 TWICE\nBob/mfc/b0002\nBob/mfc/b0003 ZERO\nBob/mfc/b0004 NOT SOUND\n"
    put(session / "etc" / "PROMPTS", prompts + b"Bob/mfc/b0009 NO SOUND\nBob/mfc/b0005 caf\xe9\n")
    return top


def common_voice_1(top: Path) -> Path:
    root = top / "cv_corpus_v1"
    head = "filename,text,up_votes,down_votes,age,gender,accent,duration\n"
    for part, count in (("train", 3), ("dev", 1), ("test", 1)):
        lines = ""
        for number in range(count):
            name = f"cv-valid-{part}/sample-{number:06d}.mp3"
            write_sound(root / name)
            lines += f'{name},"hello, {number}",1,0,,,,\n'
        put(root / f"cv-valid-{part}.csv", head + lines)
    return root


def common_voice(top: Path, languages=("ja",)) -> Path:
    """Two clips for each of two speakers in every list; validated.tsv has them all."""
    root = top / "cv-corpus-17.0"
    head = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment\n"
    for lang in languages:
        everything = head
        for part in ("train", "dev", "test"):
            lines = ""
            for number in range(4):
                name = f"common_voice_{lang}_{part}{number}.mp3"
                write_sound(root / lang / "clips" / name)
                lines += f'{part}speaker{number // 2}\t{name}\t"こんにちは" {number}\t2\t0\t\t\t\t{lang}\t\n'
            put(root / lang / f"{part}.tsv", head + lines)
            everything += lines
        put(root / lang / "validated.tsv", everything)
    return root


def common_voice_with_faults(top: Path) -> Path:
    root = common_voice(top)
    (root / "ja" / "clips" / "common_voice_ja_train0.mp3").unlink()
    put(root / "ja" / "clips" / "common_voice_ja_train1.mp3", b"")
    rest = "\t2\t0\t\t\t\tja\t\n"
    lines = (
        f"trainspeaker1\tcommon_voice_ja_train3.mp3\tagain{rest}"
        f"devspeaker0\tcommon_voice_ja_leak.mp3\tleaks{rest}"
        f"trainspeaker1\tcommon_voice_ja_x.mp3\t {rest}"
        f"trainspeaker1\t../../secret.mp3\tout{rest}"
        "too\tfew\n"
        f'\tcommon_voice_ja_unknown.mp3\t"He said ""no"""{rest}'
    )
    write_sound(root / "ja" / "clips" / "common_voice_ja_unknown.mp3")
    path = root / "ja" / "train.tsv"
    path.write_bytes(path.read_bytes() + lines.encode() + b"a\tb.mp3\t\xe9" + rest.encode())
    return root
