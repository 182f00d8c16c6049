"""A recogniser that the real moonshine-voice loads, made on the spot: it hears the next number each half second.

It has the files, inputs and outputs of a streaming model, and no weights: whatever the sound, its transcript counts
from one to ten. So everything around the model can be tested: passes, lines, partial and final texts, word times.
"""

import json
from pathlib import Path

import numpy as np

from tests.engines.onnx_graph import FLOAT, INT64, Array, Graph, Value, chain, write_ort

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ARCHITECTURE = 2  # ModelArch.TINY_STREAMING
FRAMES_PER_WORD = 25  # of 20 ms
WORD_MS = 500
SAMPLES_PER_FRAME = 320
WIDTH = 8  # of a frame
BEGIN, END, FIRST_WORD = 1, 2, 3  # tokens
VOCABULARY = FIRST_WORD + len(WORDS)

CONFIG = {
    "encoder_dim": WIDTH,
    "decoder_dim": WIDTH,
    "depth": 1,
    "nheads": 1,
    "head_dim": WIDTH,
    "vocab_size": VOCABULARY,
    "bos_id": BEGIN,
    "eos_id": END,
    "frame_len": 80,
    "total_lookahead": 0,
    "d_model_frontend": WIDTH,
    "c1": WIDTH,
    "c2": WIDTH,
    "max_seq_len": 448,
}


def write_counting_model(folder: Path) -> Path:
    """Write the model's files into a folder, which is created; returns it."""
    folder.mkdir(parents=True)
    write_ort(_frontend(), folder / "frontend.ort")
    write_ort(_same("features", "encoded"), folder / "encoder.ort")
    write_ort(_same("encoded", "memory", Value("pos_offset", INT64, (1,))), folder / "adapter.ort")
    write_ort(_cross_kv(), folder / "cross_kv.ort")
    write_ort(_decoder(), folder / "decoder_kv.ort")
    write_ort(_decoder(), folder / "decoder_kv_with_attention.ort")
    (folder / "streaming_config.json").write_text(json.dumps(CONFIG))
    tokens = ("<unk>", "<s>", "</s>", *(f"\N{LOWER ONE EIGHTH BLOCK}{word}" for word in WORDS))
    (folder / "tokenizer.bin").write_bytes(b"".join(bytes((len(t.encode()),)) + t.encode() for t in tokens))
    return folder


def _frontend() -> Graph:
    """As many frames as fit into the samples; the states pass through."""
    states = (
        Value("sample_buffer", FLOAT, (1, 79)),
        Value("sample_len", INT64, (1,)),
        Value("conv1_buffer", FLOAT, (1, WIDTH, 4)),
        Value("conv2_buffer", FLOAT, (1, WIDTH, 4)),
        Value("frame_count", INT64, (1,)),
    )
    return Graph(
        inputs=(Value("audio_chunk", FLOAT, (1, "samples")), *states),
        outputs=(
            Value("features", FLOAT, (1, "frames", WIDTH)),
            *(Value(f"{state.name}_out", state.type, state.shape) for state in states),
        ),
        nodes=chain(
            ("Shape", "audio_chunk", "samples", {"start": 1, "end": 2}),
            ("Div", "samples samples_per_frame", "frames"),
            ("Concat", "unit frames width", "shape", {"axis": 0}),
            ("Expand", "one shape", "features"),
            *(("Identity", state.name, f"{state.name}_out") for state in states),
        ),
        constants={
            "samples_per_frame": _ints(SAMPLES_PER_FRAME),
            "unit": _ints(1),
            "width": _ints(WIDTH),
            "one": np.ones((1, 1, 1), np.float32),
        },
    )


def _same(taken: str, given: str, *others: Value) -> Graph:
    """Frames as they came."""
    shape = (1, "frames", WIDTH)
    return Graph(
        inputs=(Value(taken, FLOAT, shape), *others),
        outputs=(Value(given, FLOAT, shape),),
        nodes=chain(("Identity", taken, given)),
    )


def _cross_kv() -> Graph:
    shape = (1, 1, 1, "frames", WIDTH)
    return Graph(
        inputs=(Value("memory", FLOAT, (1, "frames", WIDTH)),),
        outputs=(Value("k_cross", FLOAT, shape), Value("v_cross", FLOAT, shape)),
        nodes=chain(("Unsqueeze", "memory axes", "k_cross"), ("Unsqueeze", "memory axes", "v_cross")),
        constants={"axes": _ints(0, 2)},
    )


def _decoder() -> Graph:
    """At position p the p-th number if its half second has been heard, else the end; attention lies on that half."""
    cache, memory = (1, 1, 1, "past", WIDTH), (1, 1, 1, "frames", WIDTH)
    grown = (1, 1, 1, "all", WIDTH)
    return Graph(
        inputs=(
            Value("token", INT64, (1, "tokens")),
            Value("k_self", FLOAT, cache),
            Value("v_self", FLOAT, cache),
            Value("out_k_cross", FLOAT, memory),
            Value("out_v_cross", FLOAT, memory),
        ),
        outputs=(
            Value("logits", FLOAT, (1, "tokens", VOCABULARY)),
            Value("out_k_self", FLOAT, grown),
            Value("out_v_self", FLOAT, grown),
            Value("cross_attentions.0", FLOAT, (1, 1, "tokens", "frames")),
        ),
        nodes=chain(
            ("Shape", "token", "token_size", {"start": 1, "end": 2}),
            ("Shape", "k_self", "past_size", {"start": 3, "end": 4}),
            ("Shape", "out_k_cross", "frame_size", {"start": 3, "end": 4}),
            ("Add", "past_size token_size", "all_size"),
            ("Squeeze", "past_size", "past_scalar"),
            ("Squeeze", "all_size", "all_scalar"),
            ("Squeeze", "frame_size", "frame_scalar"),
            ("Range", "past_scalar all_scalar unit_scalar", "positions"),
            ("Div", "frame_size frames_per_word", "heard"),
            ("Min", "heard word_count", "limit"),
            ("Less", "positions limit", "is_heard"),
            ("Add", "positions first_word", "words"),
            ("Where", "is_heard words end", "answers"),
            ("OneHot", "answers vocabulary off_on", "rows"),
            ("Unsqueeze", "rows first_axis", "logits"),
            ("Concat", "three_units token_size width", "new_shape", {"axis": 0}),
            ("Expand", "zero new_shape", "fresh"),
            ("Concat", "k_self fresh", "out_k_self", {"axis": 3}),
            ("Concat", "v_self fresh", "out_v_self", {"axis": 3}),
            ("Range", "zero_scalar frame_scalar unit_scalar", "frames"),
            ("Div", "frames frames_per_word", "halves"),
            ("Unsqueeze", "positions second_axis", "position_column"),
            ("Equal", "position_column halves", "is_there"),
            ("Cast", "is_there", "weights", {"to": FLOAT}),
            ("Unsqueeze", "weights first_axes", "cross_attentions.0"),
        ),
        constants=_decoder_constants(),
    )


def _decoder_constants() -> dict[str, Array]:
    return {
        "unit_scalar": np.array(1, np.int64),
        "zero_scalar": np.array(0, np.int64),
        "frames_per_word": _ints(FRAMES_PER_WORD),
        "word_count": _ints(len(WORDS)),
        "first_word": _ints(FIRST_WORD),
        "end": _ints(END),
        "vocabulary": _ints(VOCABULARY),
        "off_on": np.array((0, 10), np.float32),
        "first_axis": _ints(0),
        "second_axis": _ints(1),
        "first_axes": _ints(0, 1),
        "three_units": _ints(1, 1, 1),
        "width": _ints(WIDTH),
        "zero": np.zeros((1, 1, 1, 1, 1), np.float32),
    }


def _ints(*values: int) -> Array:
    return np.array(values, np.int64)
