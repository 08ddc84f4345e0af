"""A tiny Whisper with random weights, and a tokenizer of the right make, in a folder."""

import json


def make(folder, text_tokens=40):
    import torch
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    folder.mkdir(parents=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = {token: number for number, token in enumerate([*letters, "Ġ", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = WhisperTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    special = [
        "<|startoftranscript|>",
        "<|en|>",
        "<|ja|>",
        "<|translate|>",
        "<|transcribe|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.add_tokens([f"<|{step * 0.02:.2f}|>" for step in range(1501)], special_tokens=False)
    ids = tokenizer.convert_tokens_to_ids
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=80,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=64,
        decoder_start_token_id=ids("<|startoftranscript|>"),
        eos_token_id=ids("<|endoftext|>"),
        pad_token_id=ids("<|endoftext|>"),
        bos_token_id=ids("<|endoftext|>"),
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )
    network = WhisperForConditionalGeneration(config)
    settings = network.generation_config
    settings.lang_to_id = {"<|en|>": ids("<|en|>"), "<|ja|>": ids("<|ja|>")}
    settings.task_to_id = {"transcribe": ids("<|transcribe|>"), "translate": ids("<|translate|>")}
    settings.no_timestamps_token_id = ids("<|notimestamps|>")
    settings.is_multilingual = True
    settings.max_length = text_tokens
    settings.max_initial_timestamp_index = 50
    settings._from_model_config = False
    network.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
