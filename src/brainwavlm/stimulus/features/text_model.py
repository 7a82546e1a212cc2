"""Vectors of words in their context, from a text model in a folder of the user's.

v[i] = mean over the tokens of word i of a hidden state of the model, which reads words i - 31 to i and none after it
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainwavlm.errors import DatasetError

CONTEXT_WORDS = 32
_BATCH = 64


def is_text_model(path: str | Path) -> bool:
    """Whether a name is the folder of a model, with the number of a hidden state behind @ or without."""
    return (folder_and_layer(path)[0] / "config.json").is_file()


def folder_and_layer(path: str | Path) -> tuple[Path, int]:
    """FOLDER@8 as its parts; without a number the last hidden state, -1."""
    folder, sign, layer = str(path).rpartition("@")
    return (Path(folder), int(layer)) if sign and layer.isdigit() else (Path(path), -1)


def contextual_vectors(path: str | Path, words: Sequence[str]) -> np.ndarray:
    """Vectors of the words of a text.

    Parameters
    ----------
    path : str or Path
        Folder of a model and its tokenizer in transformers format, or FOLDER@LAYER.
    words : sequence of str
        In the order in which they are said; an empty one is not read.

    Returns
    -------
    array (n_words, n_dims), float32
        NaN of an empty word, or one that has no token.

    Raises
    ------
    DatasetError
        Not a folder of such a model, or no such hidden state.
    """
    folder, layer = folder_and_layer(path)
    tokenizer, model = _loaded(folder)
    places = [place for place, word in enumerate(words) if word]
    texts = [[words[k] for k in places[max(0, n + 1 - CONTEXT_WORDS) : n + 1]] for n in range(len(places))]
    vectors = np.full((len(words), model.config.hidden_size), np.nan, np.float32)
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        tokens = tokenizer(batch, is_split_into_words=True, padding=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**tokens, output_hidden_states=True).hidden_states
        if layer >= len(states):
            raise _unusable(folder, f"hidden states 0 to {len(states) - 1}, no {layer}.")
        for row, text in enumerate(batch):
            own = torch.tensor([word == len(text) - 1 for word in tokens.word_ids(row)])
            if own.any():
                vectors[places[start + row]] = states[layer][row, own].mean(0).float().numpy()
    return vectors


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, add_prefix_space=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise _unusable(folder, f"not readable: {' '.join(str(error).split())[:200]}") from None
    if not tokenizer.is_fast:
        raise _unusable(folder, "a tokenizer that does not say which word a token is of.")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, model


def _unusable(folder: Path, problem: str) -> DatasetError:
    return DatasetError(
        folder,
        problem,
        "a text model and its fast tokenizer in transformers format.",
        "Give the folder that `save_pretrained` of both wrote, or FOLDER@LAYER for another hidden state.",
    )
