"""Folders of tiny encoders with random weights, as transformers writes them."""

from __future__ import annotations

import torch
import transformers

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "conv_dim": (32,) * 7,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 16, "layerdrop": 0.0,
    "mask_time_prob": 0.0, "hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0, "final_dropout": 0.0,
}  # fmt: skip


def hubert(folder, norm="group"):
    torch.manual_seed(0)
    config = transformers.HubertConfig(**SMALL, feat_extract_norm=norm)
    transformers.HubertModel(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(folder)
    return folder


def wavlm(folder):
    torch.manual_seed(0)
    transformers.WavLMModel(transformers.WavLMConfig(**SMALL)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def ast(folder):
    torch.manual_seed(0)
    config = transformers.ASTConfig(
        num_hidden_layers=2, hidden_size=32, num_attention_heads=2, intermediate_size=64, max_length=64, num_mel_bins=32
    )
    transformers.ASTForAudioClassification(config).save_pretrained(folder)
    transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=32).save_pretrained(folder)
    return folder


def whisper(folder):
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        encoder_layers=2, d_model=32, encoder_attention_heads=2, encoder_ffn_dim=64, max_source_positions=50,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, vocab_size=100, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, begin_suppress_tokens=None,
    )  # fmt: skip
    transformers.WhisperForAudioClassification(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(chunk_length=1).save_pretrained(folder)
    return folder


MAKERS = {"hubert": hubert, "wavlm": wavlm, "ast": ast, "whisper": whisper}
