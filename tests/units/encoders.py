"""Tiny encoders of every family, made here, with random weights."""

import json

import torch
from transformers import Data2VecAudioConfig, HubertConfig, UniSpeechConfig, Wav2Vec2Config, WavLMConfig

from onsei.units import ssl

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 8, 4),
    "conv_stride": (5, 8, 8),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 8,
}
GROUP = {"feat_extract_norm": "group"}
LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
KINDS = {
    "wav2vec2-group": (Wav2Vec2Config, GROUP),
    "wav2vec2-layer": (Wav2Vec2Config, LAYER),
    "hubert-group": (HubertConfig, GROUP),
    "hubert-layer": (HubertConfig, LAYER),
    "wavlm-group": (WavLMConfig, GROUP),
    "unispeech-layer": (UniSpeechConfig, LAYER),
    "data2vec": (Data2VecAudioConfig, {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
}


def shape(kind="wav2vec2-layer", **more):
    cls, own = KINDS[kind]
    return cls(**{**TINY, **own, **more})


def write_encoder(folder, kind="wav2vec2-layer", rate=16000, **more):
    """A folder as transformers saves it; returns it."""
    torch.manual_seed(0)
    ssl.fresh(shape(kind, **more)).save_pretrained(folder)
    write_preprocessor(folder, rate)
    return folder


def write_preprocessor(folder, rate=16000):
    values = {"sampling_rate": rate, "do_normalize": True, "feature_extractor_type": "Wav2Vec2FeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(values))


def write_fine_tuned(folder, tokens, kind="wav2vec2-group", **more):
    """A folder of transformers with a CTC head, a vocabulary and a tokenizer, as users have them."""
    from transformers import AutoModelForCTC, Wav2Vec2CTCTokenizer

    torch.manual_seed(1)
    config = shape(kind, pad_token_id=tokens.index("<pad>"), **{"vocab_size": len(tokens), **more})
    AutoModelForCTC.from_config(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    write_preprocessor(folder)
    return folder
