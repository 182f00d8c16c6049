"""Flite as the system's shared library, through ctypes and without its header files.

Declarations follow Flite 2.2: `cst_audio.h`, `cst_wave.h`, `cst_utterance.h`, `cst_synth.h`. A voice is shared by all
threads and only read; everything that changes lives in the utterance, one per call.
"""

import ctypes
from collections.abc import Callable, Sequence
from ctypes import POINTER, c_char_p, c_float, c_int, c_short, c_void_p
from typing import Any, Final

from vivavoce.engines.base import EngineError
from vivavoce.engines.tts.flite_build import FLITE_RATE_HZ, SPEAKERS, Listener, Prosody, Timeline

NAME: Final = "flite"
LIBRARY: Final = "libflite.so.1"
STREAM_CONTINUE: Final = 0  # CST_AUDIO_STREAM_CONT
STREAM_STOP: Final = -1  # CST_AUDIO_STREAM_STOP
FIRST_PIECE_SAMPLES: Final = FLITE_RATE_HZ * 40 // 1000
PIECE_SAMPLES: Final = FLITE_RATE_HZ * 100 // 1000

# From a token to its first and last segment: tokens have words as daughters, words have syllables, those have segments.
_START: Final = b"R:Token.daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_END: Final = b"R:Token.daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"


class _Wave(ctypes.Structure):
    """`cst_wave`."""

    _fields_ = (
        ("type", c_char_p),
        ("sample_rate", c_int),
        ("num_samples", c_int),
        ("num_channels", c_int),
        ("samples", POINTER(c_short)),
    )


class _Streaming(ctypes.Structure):
    """`cst_audio_streaming_info`."""

    _fields_ = (
        ("min_buffsize", c_int),  # samples, at least so many per call
        ("asc", c_void_p),
        ("utt", c_void_p),
        ("item", c_void_p),
        ("userdata", c_void_p),
    )


_StreamCallback = ctypes.CFUNCTYPE(c_int, POINTER(_Wave), c_int, c_int, c_int, POINTER(_Streaming))

Signatures = dict[str, tuple[type | None, tuple[type, ...]]]
Functions = dict[str, Callable[..., Any]]  # what a C function returns is known by its signature alone

_SYNTHESIS: Final[Signatures] = {  # runs for milliseconds: called without the interpreter lock
    "flite_init": (c_int, ()),
    "utt_synth": (c_void_p, (c_void_p,)),
}
_ACCESS: Final[Signatures] = {  # run for less than the lock's hand-over costs: called with it
    "new_utterance": (c_void_p, ()),
    "delete_utterance": (None, (c_void_p,)),
    "utt_set_input_text": (c_int, (c_void_p, c_char_p)),
    "utt_init": (c_void_p, (c_void_p, c_void_p)),
    "feat_set": (None, (c_void_p, c_void_p, c_void_p)),
    "feat_set_float": (None, (c_void_p, c_void_p, c_float)),
    "new_audio_streaming_info": (POINTER(_Streaming), ()),
    "audio_streaming_info_val": (c_void_p, (POINTER(_Streaming),)),
    "utt_relation": (c_void_p, (c_void_p, c_char_p)),
    "relation_head": (c_void_p, (c_void_p,)),
    "item_next": (c_void_p, (c_void_p,)),
    "ffeature_float": (c_float, (c_void_p, c_char_p)),
}

# Flite keeps the pointer to a feature's name, so these live as long as the process.
_FEATURE_NAMES: Final = {
    name: ctypes.create_string_buffer(name.encode())
    for name in ("duration_stretch", "int_f0_target_mean", "int_f0_target_stddev", "streaming_info")
}


class FliteLibrary:
    """The library with the voices of its speakers."""

    name = NAME
    is_streaming = True

    def __init__(self) -> None:
        """Load the library and its voices.

        Raises:
            EngineError: a library is absent or lacks a function.
        """
        try:
            self._run = _declare(ctypes.CDLL(LIBRARY), _SYNTHESIS)
            self._call = _declare(ctypes.PyDLL(LIBRARY), _ACCESS)
            self._run["flite_init"]()
            self._voices = {speaker: _register(speaker) for speaker in SPEAKERS}
        except (OSError, AttributeError) as error:
            raise EngineError(NAME, f"The system's Flite cannot be used: {error}.") from error

    def speak(self, words: Sequence[str], prosody: Prosody, listener: Listener) -> None:
        """Speak one clause, see FliteBuild; the first sound comes after the whole clause is analysed, 5 to 20 ms."""
        utterance = self._call["new_utterance"]()
        relay = _Relay(lambda: self._timeline(utterance, len(words)), listener)
        callback = _StreamCallback(relay.take)
        try:
            self._prepare(utterance, " ".join(words), prosody, callback)
            if not self._run["utt_synth"](utterance):
                raise EngineError(NAME, "Flite could not speak a clause.", code="server_error")
        finally:
            self._call["delete_utterance"](utterance)
        if relay.error is not None:
            raise relay.error

    def close(self) -> None:
        """Libraries stay loaded as long as the process lives."""

    def _prepare(self, utterance: int, text: str, prosody: Prosody, callback: "ctypes._FuncPointer") -> None:
        self._call["utt_set_input_text"](utterance, text.encode("ascii"))
        self._call["utt_init"](utterance, self._voices[prosody.speaker])
        features = ctypes.cast(utterance, POINTER(c_void_p))[0]  # the first member of cst_utterance
        for name, value in prosody.features.items():
            self._call["feat_set_float"](features, _FEATURE_NAMES[name], value)
        streaming = self._call["new_audio_streaming_info"]()  # owned by the utterance from feat_set on
        streaming.contents.min_buffsize = FIRST_PIECE_SAMPLES
        streaming.contents.asc = ctypes.cast(callback, c_void_p)
        value = self._call["audio_streaming_info_val"](streaming)
        self._call["feat_set"](features, _FEATURE_NAMES["streaming_info"], value)

    def _timeline(self, utterance: int, count: int) -> Timeline:
        tokens = []
        item = self._call["relation_head"](self._call["utt_relation"](utterance, b"Token"))
        while item:
            tokens.append(item)
            item = self._call["item_next"](item)
        if len(tokens) != count:
            raise EngineError(NAME, f"Flite read {len(tokens)} words where {count} were given.", code="server_error")
        return Timeline(_ordered([(self._at(token, _START), self._at(token, _END)) for token in tokens]))

    def _at(self, token: int, path: bytes) -> float:
        return float(self._call["ffeature_float"](token, path))


class _Relay:
    """Hands the sound of one utterance from Flite's callback to the listener."""

    def __init__(self, timeline: Callable[[], Timeline], listener: Listener) -> None:
        self.error: Exception | None = None
        self._timeline = timeline
        self._listener = listener

    def take(self, wave: "ctypes._Pointer[_Wave]", start: int, size: int, last: int, streaming: object) -> int:
        try:
            if start == 0:
                self._listener.begin(self._timeline())
            pcm = ctypes.string_at(ctypes.addressof(wave.contents.samples.contents) + 2 * start, 2 * size)
            wants_more = self._listener.hear(pcm)
        except Exception as error:  # ctypes would print and drop it; raised again on the near side of the library
            self.error = error
            return STREAM_STOP
        streaming.contents.min_buffsize = PIECE_SAMPLES  # type: ignore[attr-defined]
        return STREAM_CONTINUE if wants_more else STREAM_STOP


def _ordered(spans: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Give a word without sound of its own (both times 0) the end of the word before it."""
    ordered: list[tuple[float, float]] = []
    last_s = 0.0
    for start_s, end_s in spans:
        start_s, end_s = max(start_s, last_s), max(end_s, start_s, last_s)
        ordered.append((start_s, end_s))
        last_s = end_s
    return tuple(ordered)


def _declare(library: ctypes.CDLL, signatures: Signatures) -> Functions:
    functions: Functions = {}
    for name, (result, arguments) in signatures.items():
        function = library[name]
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions


def _register(speaker: str) -> int:
    library = ctypes.CDLL(f"libflite_cmu_us_{speaker}.so.1")
    register = library[f"register_cmu_us_{speaker}"]
    register.restype, register.argtypes = c_void_p, (c_char_p,)
    return int(register(None))
