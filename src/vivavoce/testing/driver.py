"""Drives a session without a loop: inputs in, outputs kept, time moved by hand.

Every event is checked, its order by the invariants and its shape by the types of the openai package.
"""

import json
from typing import Any

from vivavoce.core.limits import WINDOW_SAMPLES
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    ClientRejected,
    DetectSpeech,
    FinishTranscript,
    FromClient,
    Generate,
    Input,
    Opened,
    Output,
    PlayAudio,
    Send,
    Speak,
    SpeechScored,
)
from vivavoce.protocol.codec import decode_client_event, encode_server_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.server_events import ResponseOutputAudioDelta
from vivavoce.protocol.session import RealtimeSession, default_session
from vivavoce.testing.conformance import OrderChecker, check_types

Json = dict[str, Any]  # JSON boundary: events as clients and tests write them


def plain_session() -> RealtimeSession:
    """Return a session as it is before its client has said anything."""
    return default_session(id="sess_1", model="vivavoce-local", voice="alloy", expires_at=0, instructions="Be kind.")


class SessionDriver:
    """A session under test. `now` is monotonic seconds; `inputs` is the log that replays the session."""

    def __init__(self, session: LocalSession | None = None, *, now: float = 100.0) -> None:
        self.session = session or LocalSession(plain_session(), CountingIds())
        self.now = now
        self.inputs: list[tuple[float, Input | None]] = []
        self.outputs: list[Output] = []
        self.events: list[Json] = []
        self.checker = OrderChecker()
        self._scored_sample = 0
        self._detection_id = 0
        self.post(Opened(1_800_000_000))

    def post(self, input: Input) -> list[Json]:
        """Hand over one input; return the events it caused."""
        self.inputs.append((self.now, input))
        return self._keep(self.session.handle(input, self.now))

    def client(self, event: Json) -> list[Json]:
        """Send a client event as a connection would, with an `event_id`; return the events it caused."""
        event = {"event_id": f"client_{len(self.inputs)}", **event}
        self.checker.client(event)
        try:
            decoded = decode_client_event(json.dumps(event).encode())
        except ClientError as error:
            return self.post(ClientRejected(error.detail))
        return self.post(FromClient(decoded))

    def advance(self, seconds: float) -> list[Json]:
        """Move time and fire every deadline on the way."""
        caused: list[Json] = []
        until = self.now + seconds
        while (deadline := self.session.next_deadline()) is not None and deadline.at <= until:
            self.now = max(self.now, deadline.at)
            self.inputs.append((self.now, None))
            caused += self._keep(self.session.handle_timer(self.now))
        self.now = until
        return caused

    def score(self, *probabilities: float) -> list[Json]:
        """Score the next windows of the audio that was handed to the live detector."""
        caused: list[Json] = []
        for probability in probabilities:
            self._scored_sample += WINDOW_SAMPLES
            caused += self.post(SpeechScored(self._detection_id, self._scored_sample, probability))
        return caused

    def hear(self, *probabilities: float) -> list[Json]:
        """Append one window of audio per probability and score each."""
        caused: list[Json] = []
        for probability in probabilities:
            caused += self.client({"type": "input_audio_buffer.append", "audio": WINDOW_BASE64})
            caused += self.score(probability)
        return caused

    def asked(self, kind: type[Output]) -> list[Any]:  # the outputs of one type; the caller names it
        """Return all outputs of one type."""
        return [output for output in self.outputs if isinstance(output, kind)]

    def last_generation(self) -> str:
        """Return the response that a generator was last asked for."""
        generate: Generate = self.asked(Generate)[-1]
        return generate.response_id

    def last_finished_transcript(self) -> str:
        """Return the item whose final transcript was last asked for."""
        finish: FinishTranscript = self.asked(FinishTranscript)[-1]
        return finish.item_id

    def last_speech(self) -> Speak:
        """Return the segment that was last handed to the synthesizer."""
        speak: Speak = self.asked(Speak)[-1]
        return speak

    def types(self, events: list[Json] | None = None) -> list[str]:
        """Return the types of events, of the whole session by default."""
        return [event["type"] for event in (self.events if events is None else events)]

    def _keep(self, outputs: list[Output]) -> list[Json]:
        self.outputs += outputs
        caused: list[Json] = []
        for output in outputs:
            if isinstance(output, DetectSpeech) and output.detection_id != self._detection_id:
                self._detection_id = output.detection_id
                self._scored_sample = output.start_sample
            event = wire_event(output)
            if event is not None:
                self.checker.server(event)
                check_types(event)
                caused.append(event)
        self.events += caused
        return caused


def wire_event(output: Output) -> Json | None:
    """Return the event that a WebSocket client gets for an output, None if it gets none."""
    if isinstance(output, Send):
        decoded: Json = json.loads(encode_server_event(output.event))
        return decoded
    if isinstance(output, PlayAudio):
        delta = ResponseOutputAudioDelta(
            event_id=output.event_id,
            response_id=output.response_id,
            item_id=output.item_id,
            output_index=output.output_index,
            content_index=output.content_index,
            delta=output.audio,
        )
        decoded = json.loads(encode_server_event(delta))
        return decoded
    return None


WINDOW_BASE64 = "AAAA" * (WINDOW_SAMPLES * 2 // 3)  # one window of digital silence, pcm16 at 24 kHz
