"""Translation sessions on odd engines: order, noise reduction, failures, backlog; no socket."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, cast

from vivavoce.core.policy import IGNORED_FIELDS, SessionPolicy
from vivavoce.core.vocabulary import Disconnected, Opened, PlayAudio
from vivavoce.engines.base import (
    Capabilities,
    EngineError,
    NoiseReducer,
    NoiseReducerStream,
    SourceText,
    TranslatedSpeech,
    TranslatedText,
    Translation,
    TranslationEnded,
    TranslationOptions,
)
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import load_script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.engines.vad.scripted import ScriptedDetector
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.translation import decode_translation_event
from vivavoce.runtime.clock import SystemClock
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.translation import HostedTranslation, TranslationSetting, initial_translation
from vivavoce.transports.parsing import Decode, parse_message

POLICY = SessionPolicy(ignored=tuple(path for path in IGNORED_FIELDS if not path.endswith("noise_reduction")))
NOISY = {"type": "session.update", "session": {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}}}
CLOSE = {"type": "session.close"}

Deliver = Callable[[Translation | EngineError], None]


class NotedTranslator:
    """Notes what it is asked for; `breaks_at` names the call that raises."""

    def __init__(self, breaks_at: str = "") -> None:
        self.notes: list[object] = []
        self.deliver: Deliver = lambda result: None
        self.pending_ms = 0.0
        self._breaks_at = breaks_at

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name="noted")

    @property
    def heard(self) -> bytes:
        return b"".join(note for note in self.notes if isinstance(note, bytes))

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def open(self, options: TranslationOptions, deliver: Deliver) -> "NotedTranslator":
        self._note("open", options)
        self.deliver = deliver
        return self

    def feed(self, pcm: bytes) -> None:
        self._note("feed", pcm)

    def change(self, options: TranslationOptions) -> None:
        self._note("change", options)

    def finish(self) -> None:
        self._note("finish", "finish")
        self.deliver(TranslationEnded())

    def abort(self) -> None:
        self._note("abort", "abort")

    def _note(self, call: str, note: object) -> None:
        if call == self._breaks_at:
            raise RuntimeError(f"{call} broke")
        self.notes.append(note)


class Inverter:
    """A noise reducer that inverts bytes and withholds the last two; it breaks after `lasts_bytes`."""

    def __init__(self, lasts_bytes: int = 1_000_000) -> None:
        self._lasts_bytes = lasts_bytes

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name="inverter")

    async def start(self) -> None: ...

    def open(self, kind: Literal["near_field", "far_field"], strength: float, rate_hz: int) -> NoiseReducerStream:
        assert rate_hz == 24_000
        return InverterStream(self._lasts_bytes)

    async def close(self) -> None: ...


class InverterStream:
    def __init__(self, lasts_bytes: int) -> None:
        self._lasts_bytes = lasts_bytes
        self._withheld = b""

    def process(self, pcm: bytes) -> bytes:
        self._lasts_bytes -= len(pcm)
        if self._lasts_bytes < 0:
            raise EngineError("inverter", "it broke")
        joined = self._withheld + bytes(255 - byte for byte in pcm)
        self._withheld = joined[-2:]
        return joined[:-2]

    def flush(self) -> bytes:
        rest, self._withheld = self._withheld, b""
        return rest

    def close(self) -> None: ...


class NotedSink:
    """Keeps what a session sends."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.types: list[str] = []
        self.errors: list[str] = []
        self.deltas: list[str] = []
        self.end: tuple[int, str] | None = None
        self.ended = asyncio.Event()

    def send(self, sequence: int, event: ServerEvent) -> None:
        self.sequences.append(sequence)
        shown = json.loads(encode_server_event(event))
        self.types.append(shown["type"])
        if shown["type"] == "error":
            self.errors.append(shown["error"]["code"])
        if "delta" in shown:
            self.deltas.append(shown["delta"])

    def play(self, sequence: int, audio: PlayAudio) -> None:
        raise AssertionError("a translation plays nothing")

    def pass_on(self, sequence: int, message: bytes, *, is_final: bool = False) -> None: ...

    def clear_playout(self, response_id: str) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.end = (code, reason)
        self.ended.set()

    async def writable(self) -> None: ...


class Talk:
    """A session with its engines."""

    def __init__(self, translator: NotedTranslator, reducer: NoiseReducer | None = None) -> None:
        script = load_script("")
        engines = EngineSet(
            name="test",
            detector=ScriptedDetector(script),
            transcriber=ScriptedTranscriber(script),
            generator=ScriptedGenerator(script),
            synthesizer=ScriptedSynthesizer(script),
            noise_reducer=reducer,
            translator=translator,
        )
        self.translator = translator
        self.sink = NotedSink()
        setting = TranslationSetting(engines, POLICY, SystemClock(), CountingIds())
        session = initial_translation("sess_1", "m", "test", None)
        self.session = HostedTranslation(session, setting, self.sink, on_closed=lambda: None)
        self.session.post(Opened(0))

    def client(self, event: Mapping[str, object]) -> None:
        decode = cast(Decode, decode_translation_event)  # as the app does
        self.session.post(parse_message(json.dumps(event).encode(), decode))

    def append(self, *samples: int) -> None:
        audio = b"".join(sample.to_bytes(2, "little") for sample in samples)
        self.append_bytes(audio)

    def append_bytes(self, audio: bytes) -> None:
        self.client({"type": "session.input_audio_buffer.append", "audio": base64.b64encode(audio).decode()})


def talked(work: Callable[[], Awaitable[Talk]]) -> Talk:
    async def main() -> Talk:
        talk = await work()
        talk.session.post(Disconnected())
        return talk

    return asyncio.run(main())


def inverted(audio: bytes) -> bytes:
    return bytes(255 - byte for byte in audio)


def test_audio_changes_and_the_end_reach_the_translator_in_their_order_though_audio_waits() -> None:
    audio = bytes(range(256)) * 100  # more than goes at once

    async def work() -> Talk:
        talk = Talk(NotedTranslator())
        talk.append_bytes(audio)
        talk.client({"type": "session.update", "session": {"audio": {"output": {"language": "it"}}}})
        talk.append(7)
        talk.client(CLOSE)
        await talk.sink.ended.wait()
        return talk

    talk = talked(work)

    notes = [note for note in talk.translator.notes if not isinstance(note, bytes)]
    change = talk.translator.notes.index(TranslationOptions("it"))
    assert notes == [TranslationOptions("en"), TranslationOptions("it"), "finish"]
    assert b"".join(note for note in talk.translator.notes[1:change] if isinstance(note, bytes)) == audio
    assert talk.translator.notes[change + 1 :] == [b"\7\0", "finish"]
    assert talk.sink.types == ["session.created", "session.updated", "session.closed"]
    assert talk.sink.sequences == [1, 2, 3]
    assert talk.sink.end == (1000, "")


def test_audio_is_cleaned_and_none_is_missing_at_the_end() -> None:
    async def work() -> Talk:
        talk = Talk(NotedTranslator(), Inverter())
        talk.append(1)
        talk.client(NOISY)
        talk.append(2, 3)
        talk.append(4)
        talk.client(CLOSE)
        return talk

    talk = talked(work)

    assert talk.translator.heard == b"\1\0" + inverted(b"\2\0\3\0\4\0")


def test_noise_reduction_that_is_switched_off_gives_back_what_it_withheld_first() -> None:
    async def work() -> Talk:
        talk = Talk(NotedTranslator(), Inverter())
        talk.client(NOISY)
        talk.append(2, 3)
        talk.client({"type": "session.update", "session": {"audio": {"input": {"noise_reduction": None}}}})
        talk.append(4)
        return talk

    assert talked(work).translator.heard == inverted(b"\2\0\3\0") + b"\4\0"


def test_a_noise_reducer_that_breaks_is_told_once_and_no_audio_is_lost() -> None:
    async def work() -> Talk:
        talk = Talk(NotedTranslator(), Inverter(lasts_bytes=4))
        talk.client(NOISY)
        for sample in (1, 2, 3, 4):
            talk.append(sample)
        return talk

    talk = talked(work)

    assert talk.translator.heard == inverted(b"\1\0") + b"\2\0\3\0\4\0"
    assert talk.sink.errors == ["engine_unavailable"]


def test_a_translator_that_raises_ends_its_session() -> None:
    for call in ("open", "feed", "finish"):

        async def work(call: str = call) -> Talk:
            talk = Talk(NotedTranslator(breaks_at=call))
            talk.append(1)
            talk.client(CLOSE)
            return talk

        talk = talked(work)

        assert talk.sink.errors == ["server_error"], call
        assert talk.sink.end is not None, call
        assert talk.sink.end[0] == (1000 if call == "finish" else 1011), call


def test_results_are_sent_as_they_come_and_speech_in_pieces_of_200_ms() -> None:
    async def work() -> Talk:
        talk = Talk(NotedTranslator())
        talk.client({"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "any"}}}}})
        talk.append(1)
        for result in (SourceText("a"), TranslatedText("b"), TranslatedSpeech(bytes(48 * 250)), TranslatedText("c")):
            talk.translator.deliver(result)
        return talk

    talk = talked(work)

    assert talk.sink.types[2:] == [
        "session.input_transcript.delta",
        "session.output_transcript.delta",
        "session.output_audio.delta",
        "session.output_audio.delta",
        "session.output_transcript.delta",
    ]
    assert [len(delta) * 3 // 4 for delta in talk.sink.deltas] == [0, 0, 48 * 200, 48 * 50, 0]


def test_nothing_is_taken_from_a_translator_whose_session_is_over() -> None:
    async def work() -> Talk:
        talk = Talk(NotedTranslator())
        talk.append(1)
        talk.session.post(Disconnected())
        talk.translator.deliver(TranslatedText("too late"))
        return talk

    talk = talked(work)

    assert talk.sink.types == ["session.created"]
    assert talk.translator.notes[-1] == "abort"


def test_a_translator_with_more_than_2_s_of_audio_holds_the_client_back() -> None:
    async def work() -> Talk:
        talk = Talk(NotedTranslator())
        talk.append(1)
        assert not talk.session.is_behind()
        talk.translator.pending_ms = 2_001.0
        assert talk.session.is_behind()
        talk.translator.pending_ms = 1_999.0
        await talk.session.caught_up()
        talk.append_bytes(bytes(48 * 2_100))
        assert talk.session.is_behind()
        await talk.session.caught_up()
        return talk

    assert len(talked(work).translator.heard) >= 48 * 100
