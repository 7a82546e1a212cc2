"""Vectors of words in context, from a text model with random weights and a tokenizer of pieces of words."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

from brainwavlm.errors import DatasetError
from brainwavlm.stimulus.features.text_model import CONTEXT_WORDS, contextual_vectors

WORDS = ["the", "dog", "", "saw", "the", "little", "bird"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "model"
    pieces = ["[PAD]", "[UNK]", "the", "dog", "saw", "lit", "##tle", "bird", *(f"w{k}" for k in range(40))]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")
    fast.save_pretrained(path)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(pieces), n_embd=16, n_layer=2, n_head=2, n_positions=128)
    GPT2Model(config).save_pretrained(path)
    return path


def test_a_word_is_the_mean_of_its_tokens_with_the_words_before_it(folder):
    model = GPT2Model.from_pretrained(folder).eval()
    vectors = contextual_vectors(folder, WORDS)
    tokens = torch.tensor([[2, 3, 4, 2, 5, 6, 7]])  # little is two
    with torch.no_grad():
        states = model(tokens, output_hidden_states=True).hidden_states
    last = states[-1][0].numpy()
    assert np.isnan(vectors[2]).all()
    assert_allclose(vectors[[0, 1, 3, 4, 6]], last[[0, 1, 2, 3, 6]], atol=1e-5)
    assert_allclose(vectors[5], last[4:6].mean(0), atol=1e-5)
    assert_allclose(contextual_vectors(f"{folder}@1", WORDS)[0], states[1][0, 0].numpy(), atol=1e-5)


def test_words_after_it_and_long_before_it_do_not_count(folder):
    text = [f"w{k}" for k in range(40)]
    vectors = contextual_vectors(folder, text)
    later = contextual_vectors(folder, [*text[:20], *["dog"] * 20])
    assert_allclose(later[:20], vectors[:20], atol=1e-5)
    assert not np.allclose(later[21:], vectors[21:], atol=1e-3)
    n = 40 - CONTEXT_WORDS
    earlier = contextual_vectors(folder, [*["bird"] * n, *text[n:]])
    assert_allclose(earlier[-1], vectors[-1], atol=1e-5)
    assert not np.allclose(earlier[-2], vectors[-2], atol=1e-3)


def test_what_is_no_text_model_is_named(folder, tmp_path):
    with pytest.raises(DatasetError, match="hidden states 0 to 2, no 7"):
        contextual_vectors(f"{folder}@7", WORDS)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"not readable(?s:.*)transformers format"):
        contextual_vectors(tmp_path, WORDS)
