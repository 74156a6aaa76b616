"""A tiny Llama with random weights and a tokenizer of bytes, made from nothing: for machines that no model can be had on.

    python -m tests.gpu.tiny_model DIRECTORY [--seed N]

What it writes is noise. But vLLM loads it as it loads any model, and the same seed makes the same weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

END_OF_TEXT = "<|endoftext|>"


def make(directory: Path, seed: int = 0) -> Path:
    """Writes the model into `directory`, and says where it is."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def _tokenizer() -> Any:
    """One token for each byte, and one for the end of the text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT, pad_token=END_OF_TEXT
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a tiny random model.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make(options.directory, options.seed)


if __name__ == "__main__":
    main()
