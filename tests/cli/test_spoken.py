"""How a recording is spoken into a conversation, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from vivavoce.cli.conversation import Conversation
from vivavoce.cli.faults import CommandError
from vivavoce.cli.peers import Json
from vivavoce.cli.spoken import CHUNK_BYTES, CLOSING_SILENCE_MS, chunks_of, speak_at_full_speed, speak_in_real_time
from vivavoce.testing.virtual import run_virtual

SPEECH = b"\x01\x00" * (CHUNK_BYTES // 2) * 10  # 400 ms
ANSWER_MS = 3000
ANSWER_BASE64 = "AAAA" * (ANSWER_MS * 48 // 3)


def place(**fields: object) -> Json:
    return {"item_id": "item_1", **fields}


TURN: list[Json] = [
    place(type="input_audio_buffer.committed"),
    place(type="conversation.item.input_audio_transcription.completed", transcript="hello"),
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_audio.delta", "item_id": "item_2", "delta": ANSWER_BASE64},
    {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}},
]


class Listener:
    """A peer that answers the append with the given number, and may end the session after it."""

    def __init__(self, answers_after: int, *, ends: bool = False) -> None:
        self.appended = 0
        self._answers_after = answers_after
        self._ends = ends
        self._events: asyncio.Queue[Json | None] = asyncio.Queue()

    async def send(self, event: Json) -> None:
        self.appended += 1
        if self.appended == self._answers_after:
            for answer in [None] if self._ends else TURN:
                self._events.put_nowait(answer)

    async def settled(self) -> None:
        await self._events.join()

    async def events(self) -> AsyncIterator[Json]:
        while (event := await self._events.get()) is not None:
            yield event
            self._events.task_done()


async def speak(peer: Listener, how: Callable[[Conversation, bytes], Awaitable[None]]) -> tuple[Conversation, float]:
    conversation = Conversation(peer, lambda line: None, lambda line: None)
    async with conversation.listening():
        await how(conversation, SPEECH)
    return conversation, asyncio.get_running_loop().time()


def test_a_recording_ends_in_silence_and_whole_chunks() -> None:
    chunks = list(chunks_of(SPEECH + b"\x01\x00"))

    assert {len(chunk) for chunk in chunks} == {CHUNK_BYTES}
    assert len(chunks) == 11 + CLOSING_SILENCE_MS // 40


def test_in_real_time_the_microphone_stays_open_until_the_answer_was_played() -> None:
    conversation, seconds = run_virtual(speak(Listener(answers_after=20), speak_in_real_time))

    assert seconds == pytest.approx(0.8 + ANSWER_MS / 1000, abs=0.1)
    assert conversation.tracks.playout_end <= conversation.tracks.now


def test_at_full_speed_the_answer_is_heard_out_before_the_recording_goes_on() -> None:
    conversation, seconds = run_virtual(speak(Listener(answers_after=5), speak_at_full_speed))

    user = conversation.tracks.stereo()
    left = [user[offset] for offset in range(0, len(user), 4 * CHUNK_BYTES // 2)]
    assert left[:5] == [1] * 5
    assert left[5 : 5 + ANSWER_MS // 40] == [0] * (ANSWER_MS // 40)
    assert left[5 + ANSWER_MS // 40 :][:5] == [1] * 5
    assert seconds < 1.0


def test_a_recording_without_speech_ends_after_its_silence() -> None:
    peer = Listener(answers_after=-1)

    run_virtual(speak(peer, speak_at_full_speed))

    assert peer.appended == len(list(chunks_of(SPEECH)))


def test_a_session_that_ends_while_speaking_is_a_fault() -> None:
    with pytest.raises(CommandError, match="ended the session"):
        run_virtual(speak(Listener(answers_after=3, ends=True), speak_in_real_time))
