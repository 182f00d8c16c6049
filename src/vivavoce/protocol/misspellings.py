"""Which field a client meant that wrote one the API does not have.

A name is looked up among those that clients mistake most, then by its spelling.
"""

from collections.abc import Collection, Iterable
from typing import Final

from vivavoce.protocol.errors import ClientError

MAX_NAME_LENGTH: Final = 64  # longer names are no misspellings
MAX_KNOWN: Final = 256
MIN_PREFIX_LENGTH: Final = 4

# What is written -> what may be meant, the first that the object has. A dotted name leads into an object of it.
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "prefix_padding": ("prefix_padding_ms",),
    "silence_duration": ("silence_duration_ms",),
    "silence_ms": ("silence_duration_ms",),
    "idle_timeout": ("idle_timeout_ms",),
    "output_modality": ("output_modalities", "modalities"),
    "output_modalities": ("modalities",),
    "modalities": ("output_modalities",),
    "modality": ("output_modalities", "modalities"),
    "max_tokens": ("max_output_tokens", "max_response_output_tokens"),
    "max_output_token": ("max_output_tokens", "max_response_output_tokens"),
    "max_output_tokens": ("max_response_output_tokens",),
    "max_completion_tokens": ("max_output_tokens", "max_response_output_tokens"),
    "max_response_output_tokens": ("max_output_tokens",),
    "system": ("instructions",),
    "system_prompt": ("instructions",),
    "instruction": ("instructions",),
    "functions": ("tools",),
    "voices": ("voice", "audio.output.voice"),
    "voice": ("audio.output.voice",),
    "voice_id": ("voice", "audio.output.voice"),
    "speed": ("audio.output.speed",),
    "input_format": ("input_audio_format", "audio.input.format"),
    "output_format": ("output_audio_format", "audio.output.format"),
    "input_audio_format": ("audio.input.format",),
    "output_audio_format": ("audio.output.format",),
    "transcription": ("input_audio_transcription", "audio.input.transcription"),
    "input_audio_transcription": ("transcription", "audio.input.transcription"),
    "noise_reduction": ("input_audio_noise_reduction", "audio.input.noise_reduction"),
    "input_audio_noise_reduction": ("noise_reduction", "audio.input.noise_reduction"),
    "vad": ("turn_detection", "audio.input.turn_detection"),
    "turn_detection": ("audio.input.turn_detection",),
    "threshold": ("audio.input.turn_detection.threshold",),
    "vad_threshold": ("audio.input.turn_detection.threshold",),
    "prefix_padding_ms": ("audio.input.turn_detection.prefix_padding_ms",),
    "silence_duration_ms": ("audio.input.turn_detection.silence_duration_ms",),
    "idle_timeout_ms": ("audio.input.turn_detection.idle_timeout_ms",),
    "create_response": ("audio.input.turn_detection.create_response",),
    "interrupt_response": ("audio.input.turn_detection.interrupt_response",),
    "allow_interruptions": ("audio.input.turn_detection.interrupt_response",),
    "eagerness": ("audio.input.turn_detection.eagerness",),
    "language": ("audio.input.transcription.language",),
    "sample_rate": ("rate",),
    "lang": ("language", "audio.input.transcription.language"),
    "args": ("arguments",),
    "content": ("text", "content"),
    "function": ("name",),
    "image": ("image_url",),
    "input_schema": ("parameters",),
    "result": ("output",),
    "schema": ("parameters",),
    "tool_call_id": ("call_id",),
    "url": ("image_url", "server_url"),
}
# Of `audio`, a response has only the format and the voice of its output.
_NOT_OF_RESPONSES: Final = frozenset(
    name for names in ALIASES.values() for name in names if name.startswith("audio.input") or name.endswith("speed")
)


def nearest_field(path: str, known: Collection[str]) -> str | None:
    """Return the dotted path of the field that is meant by one that does not exist, None if there is no telling.

    Args:
        path: where the unknown field stands, such as `session.audio.input.turn_detection.prefix_padding`.
        known: the names of the fields that its object has.
    """
    parent, _, name = path.rpartition(".")
    if not known or len(known) > MAX_KNOWN or not 0 < len(name) <= MAX_NAME_LENGTH:
        return None
    spelled = _spelled(name)
    meant = _alias(spelled, known) or _alike(spelled, known)
    if meant is None or meant == name or (parent == "response" and meant in _NOT_OF_RESPONSES):
        return None
    return f"{parent}.{meant}" if parent else meant


def suggested(error: ClientError, known: Collection[str]) -> ClientError:
    """Return the error of an unknown parameter with the field that is probably meant."""
    near = None if error.detail.param is None else nearest_field(error.detail.param, known)
    return error if near is None else meaning(error, near)


def meaning(error: ClientError, path: str) -> ClientError:
    """Return the error with the dotted path of the field that is probably meant."""
    detail = error.detail
    text = f"{detail.message} Did you mean '{path}'?"
    return ClientError(detail.code, text, detail.param, detail.event_id, detail.type)


def distance(one: str, other: str) -> int:
    """Return how many letters must be put in, left out, replaced or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, mark in enumerate(other, 1):
            cost = min(row[j - 1] + 1, before[j] + 1, before[j - 1] + (letter != mark))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == mark:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _spelled(name: str) -> str:
    """Return the name in the way that fields are written: `turnDetection` is `turn_detection`."""
    marked = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return marked.replace("-", "_").replace(" ", "_").replace("__", "_").strip("_")


def _alias(name: str, known: Collection[str]) -> str | None:
    meant = (name, *ALIASES.get(name, ()))
    return next((below for choice in meant for below in _endings(choice) if below.partition(".")[0] in known), None)


def _endings(dotted: str) -> Iterable[str]:
    """Yield `audio.input.format`, `input.format` and `format`."""
    while dotted:
        yield dotted
        dotted = dotted.partition(".")[2]


def _alike(name: str, known: Collection[str]) -> str | None:
    longer = [field for field in known if _is_beginning(name, field)]
    if len(longer) == 1:
        return longer[0]
    near = [field for field in known if abs(len(name) - len(field)) <= _tolerated(name, field)]
    measured = sorted((distance(name, field), field) for field in near)
    return next((field for errors, field in measured if errors <= _tolerated(name, field)), None)


def _tolerated(name: str, field: str) -> int:
    return max(1, min(len(name), len(field)) // 4)


def _is_beginning(name: str, field: str) -> bool:
    short, long = sorted((name, field), key=len)
    return len(short) >= MIN_PREFIX_LENGTH and long.startswith(short)
