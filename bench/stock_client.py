"""The stock client in spoken turns with every voice: every event checked, every answer recognised again."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from bench.checked_client import Answer, CheckedClient, Json, checked_client
from bench.figures import Figure
from bench.recognition import recognised
from bench.server import running_server
from bench.speech import SENTENCES, Utterance, human_clips, utterances
from vivavoce.config.voices import load_voices
from vivavoce.testing.wer import content_word_recall, content_words

TURNS_OF_A_KIND: Final = 2  # per voice: as many by humans as synthesized
ALLOWED_MISSED_PERCENT: Final = 30.0
PACE_FACTOR: Final = 4.0
SILENCE: Final = bytes(48 * 1000)  # a second ends the turn
DETECTION: Final[Json] = {"type": "server_vad", "silence_duration_ms": 600}
# Asked in writing besides the spoken turns, so that each voice is judged on the same sentences.
QUESTIONS: Final = (
    "Hello.",
    "My name is Peter.",
    "What time is it?",
    "What day is it today?",
    "What did I say first?",
    "Tell me a story.",
    "Recite a poem.",
    "Tell me a joke.",
    "Tell me a fact.",
    "What is twelve times seven?",
    "What can you do?",
)


class Talk(msgspec.Struct, kw_only=True):
    """One session with one voice. `silent` counts turns without a transcript, `unanswered` those without speech."""

    voice: str
    turns: int = 0
    silent: int = 0
    unanswered: int = 0
    events: int = 0
    faults: list[str] = []
    invalid: list[str] = []
    answers: list[Answer] = []

    def missed_percent(self) -> float:
        """Return how many of the content words of all answers were not recognised again."""
        return 100 * (1 - recall_of(self.answers))


def recall_of(answers: Sequence[Answer]) -> float:
    """Return the share of the content words of all answers together that are recognised again, in [0, 1]."""
    spoken = [answer for answer in answers if answer.text]
    weights = [len(content_words(answer.text)) for answer in spoken]
    recalls = [content_word_recall(answer.text, recognised(answer.audio)) for answer in spoken]
    return sum(weight * recall for weight, recall in zip(weights, recalls, strict=True)) / sum(weights)


async def _turn(client: CheckedClient, talk: Talk, utterance: Utterance) -> None:
    since = client.here
    await client.append(utterance.pcm + SILENCE, pace_factor=PACE_FACTOR)
    transcript = await client.wait_for("conversation.item.input_audio_transcription.completed", since)
    answer = await client.answer(since)
    talk.turns += 1
    talk.silent += not transcript["transcript"]
    talk.unanswered += answer.status != "completed" or not answer.audio
    talk.answers.append(answer)


async def _talk(address: str, voice: str, spoken: list[Utterance]) -> Talk:
    talk = Talk(voice=voice)
    async with checked_client(address) as client:
        audio = {
            "input": {"transcription": {"model": "whisper-1"}, "turn_detection": DETECTION},
            "output": {"voice": voice},
        }
        await client.configure(audio=audio)
        for utterance in spoken:
            await _turn(client, talk, utterance)
        talk.answers += [await client.ask(question) for question in QUESTIONS]
        talk.events = len(client.events)
        talk.faults = [str(violation) for violation in client.violations()]
        talk.invalid = client.invalid
    return talk


def _speech() -> tuple[list[Utterance], list[Utterance]]:
    """Return all human clips, and all synthesized sentences."""
    human, texts = human_clips(), {text for _, text in SENTENCES}
    pool = utterances(len(human) + len(SENTENCES))
    return human, [utterance for utterance in pool if utterance.name in texts]


def _utterances_of(place: int, human: list[Utterance], machine: list[Utterance]) -> list[Utterance]:
    """Return what is said to the voice at that place: human speech, then synthesized, each list in turn."""
    starts = range(place * TURNS_OF_A_KIND, (place + 1) * TURNS_OF_A_KIND)
    return [pool[index % len(pool)] for pool in (human, machine) if pool for index in starts]


def _told(talks: list[Talk]) -> None:
    for talk in talks:
        for line in (*talk.faults, *talk.invalid):
            print(f"  {talk.voice}: {line}", file=sys.stderr)


def run() -> list[Figure]:
    """Return the counts of what was checked, and per voice the content words that were not recognised again."""
    human, machine = _speech()
    with running_server() as server:
        talks = [
            asyncio.run(_talk(server.address, voice, _utterances_of(place, human, machine)))
            for place, voice in enumerate(load_voices())
        ]
    _told(talks)
    of_a_kind = TURNS_OF_A_KIND * len(talks)
    return [
        Figure("spoken turns", sum(talk.turns for talk in talks), "turns"),
        Figure("  of which human speech", of_a_kind if human else 0, "turns"),
        Figure("turns without a transcript", sum(talk.silent for talk in talks), "turns", 0),
        Figure("turns without a spoken answer", sum(talk.unanswered for talk in talks), "turns", 0),
        Figure("events checked", sum(talk.events for talk in talks), "events"),
        Figure("violations of the ordering invariants", sum(len(talk.faults) for talk in talks), "violations", 0),
        Figure("events that the openai package's types refuse", sum(len(t.invalid) for t in talks), "events", 0),
        *(
            Figure(
                f"missed content words, {t.voice}, {len(t.answers)} answers",
                t.missed_percent(),
                "%",
                ALLOWED_MISSED_PERCENT,
            )
            for t in talks
        ),
    ]
