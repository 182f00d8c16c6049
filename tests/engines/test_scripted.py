"""The scripted engines follow their script and nothing else."""

import asyncio
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from vivavoce.core.requests import (
    ContextImage,
    ContextItem,
    ContextMessage,
    ContextToolCall,
    ContextToolOutput,
    FunctionSpec,
    GenerationRequest,
    SpeechRequest,
    TranscriptOptions,
    Word,
)
from vivavoce.engines.base import EngineError, Final, Finished, Partial, SpeechChunk, TextDelta, ToolCall
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import Script, load_script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.engines.vad.scripted import ScriptedDetector
from vivavoce.testing.engines import check_synthesizer
from vivavoce.testing.virtual import run_virtual

SECOND_16K = bytes(2 * 16_000)
WEATHER = FunctionSpec(
    "get_weather",
    "Weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["c", "f"]}},
        "required": ["city", "days", "unit"],
    },
)


def says(*texts: str) -> tuple[ContextItem, ...]:
    """A conversation in which only the user speaks."""
    return tuple(ContextMessage("user", text) for text in texts)


def generate(script: Script, request: GenerationRequest) -> list[TextDelta | ToolCall | Finished]:
    """All events of one generation."""

    async def collect() -> list[TextDelta | ToolCall | Finished]:
        return [event async for event in ScriptedGenerator(script).generate(request)]

    return asyncio.run(collect())


def text_of(events: Sequence[TextDelta | ToolCall | Finished]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def answer(script: Script, *texts: str, instructions: str = "") -> str:
    return text_of(generate(script, GenerationRequest(instructions=instructions, items=says(*texts))))


def speak(script: Script, text: str, speed: float = 1.0, voice: str = "alloy") -> list[SpeechChunk]:
    async def collect() -> list[SpeechChunk]:
        request = SpeechRequest(text=text, voice=voice, speed=speed)
        return [chunk async for chunk in ScriptedSynthesizer(script).synthesize(request)]

    return asyncio.run(collect())


class Utterances:
    """Feeds utterances to one transcriber and keeps what it delivers."""

    def __init__(self, script: Script) -> None:
        self.transcriber = ScriptedTranscriber(script)
        self._number = 0

    def hear(self, pcm: bytes = SECOND_16K, prompt: str | None = None) -> list[Partial | Final | EngineError]:
        self._number += 1

        async def run() -> list[Partial | Final | EngineError]:
            done = asyncio.Event()
            delivered: list[Partial | Final | EngineError] = []

            def deliver(result: Partial | Final | EngineError) -> None:
                delivered.append(result)
                if not isinstance(result, Partial):
                    done.set()

            stream = self.transcriber.open(TranscriptOptions(number=self._number, prompt=prompt), deliver)
            stream.feed(pcm)
            stream.finish()
            await done.wait()
            return delivered

        return asyncio.run(run())


# Generator ----------------------------------------------------------------------------------------------------


def test_the_default_script_echoes_the_user() -> None:
    assert answer(Script(), "hello there") == "You said: hello there"


def test_an_empty_conversation_is_greeted() -> None:
    assert answer(Script()) == "Hello."


def test_turns_answer_by_their_place_in_the_list() -> None:
    script = load_script('[[turns]]\nsay = "one"\n[[turns]]\nsay = "two"')

    answers = [answer(script, "a"), answer(script, "a", "b"), answer(script, "a", "b", "c")]

    assert answers == ["one", "two", "You said: c"]


def test_a_turn_that_fits_the_text_wins_over_the_place() -> None:
    script = load_script('[[turns]]\nsay = "first"\n[[turns]]\ncontains = "WEATHER"\nsay = "sunny"')

    assert answer(script, "the weather please") == "sunny"
    assert answer(script, "anything") == "first"


def test_a_turn_matches_a_regular_expression() -> None:
    script = load_script('[[turns]]\nmatch = "^call (bob|alice)$"\nsay = "calling"')

    assert answer(script, "Call Alice") == "calling"
    assert answer(script, "call me") == "You said: call me"


def test_otherwise_replaces_the_echo() -> None:
    script = load_script('[otherwise]\nsay = "no idea"')

    assert answer(script, "hello") == "no idea"


def test_calls_come_after_the_text_with_their_arguments() -> None:
    script = load_script('{"turns": [{"say": "Wait.", "calls": [{"name": "f", "arguments": {"a": 1}}]}]}', "json")

    events = generate(script, GenerationRequest("", says("go")))

    assert events[:2] == [TextDelta("Wait."), ToolCall("f", '{"a":1}')]


def test_arguments_given_as_text_are_sent_as_they_are() -> None:
    script = load_script('[[turns]]\ncalls = [{ name = "f", arguments = "{broken" }]')

    assert ToolCall("f", "{broken") in generate(script, GenerationRequest("", says("go")))


def test_then_answers_the_outputs_of_the_turns_calls() -> None:
    script = load_script('[[turns]]\ncalls = [{ name = "f" }]\nthen = [{ say = "It is {output}." }]')
    items = (*says("go"), ContextToolCall("c", "f", "{}"), ContextToolOutput("c", "42"))

    assert text_of(generate(script, GenerationRequest("", items))) == "It is 42."


def test_placeholders_in_what_was_heard_stay_as_they_are() -> None:
    items = (ContextToolOutput("c", "secret"), *says("say {output}"))

    assert text_of(generate(Script(), GenerationRequest("", items))) == "You said: say {output}"


def test_a_scripted_failure_raises_after_its_text() -> None:
    script = load_script('[[turns]]\nsay = "so far"\nfailure = { code = "engine_timeout", is_retryable = true }')
    heard: list[object] = []

    async def run() -> None:
        async for event in ScriptedGenerator(script).generate(GenerationRequest("", says("x"))):
            heard.append(event)

    with pytest.raises(EngineError) as caught:
        asyncio.run(run())

    assert heard == [TextDelta("so far")]
    assert (caught.value.code, caught.value.is_retryable) == ("engine_timeout", True)


def test_an_empty_turn_is_an_empty_response() -> None:
    events = generate(load_script("[[turns]]"), GenerationRequest("", says("hello")))

    assert [type(event) for event in events] == [Finished]


def test_an_endless_answer_goes_on_until_it_is_dropped() -> None:
    script = load_script('[[turns]]\nsay = ["on ", "and "]\nis_endless = true')

    async def take(count: int) -> list[str]:
        texts: list[str] = []
        async for event in ScriptedGenerator(script).generate(GenerationRequest("", says("x"))):
            texts.append(event.text if isinstance(event, TextDelta) else "ended")
            if len(texts) == count:
                break
        return texts

    assert asyncio.run(take(5)) == ["on ", "and ", "on ", "and ", "on "]


def test_the_reason_and_the_tokens_may_be_scripted() -> None:
    script = load_script('[[turns]]\nreason = "content_filter"\ninput_tokens = 3\noutput_tokens = 4')

    assert generate(script, GenerationRequest("", says("x")))[-1] == Finished(3, 4, "content_filter")


def test_cached_tokens_are_reported_as_scripted() -> None:
    script = load_script('turns = [{ say = "x", input_tokens = 100, output_tokens = 1, cached_tokens = 64 }]')

    assert generate(script, GenerationRequest("", says("x")))[-1] == Finished(100, 1, "stop", 64)


def shows(text: str, count: int) -> tuple[ContextItem, ...]:
    """A message of the user's with so many pictures."""
    return (ContextMessage("user", text, images=(ContextImage("data:image/png;base64,AA=="),) * count),)


def test_pictures_are_seen() -> None:
    script = load_script('turns = [{ say = "I see {pictures} of them." }]')

    assert ScriptedGenerator(Script()).capabilities.sees_images
    assert text_of(generate(script, GenerationRequest("", shows("what is this", 3)))) == "I see 3 of them."
    assert text_of(generate(Script(), GenerationRequest("", shows("", 1)))) == "Pictures: 1."
    assert text_of(generate(Script(), GenerationRequest("", shows("look", 2)))) == "You said: look Pictures: 2."


def test_the_echo_calls_a_tool_whose_name_was_said() -> None:
    request = GenerationRequest("", says("get weather now"), tools=(WEATHER,))

    call = generate(Script(), request)[0]

    assert isinstance(call, ToolCall)
    assert msgspec.json.decode(call.arguments) == {"city": "get weather now", "days": 1, "unit": "c"}


@pytest.mark.parametrize(
    ("choice", "calls"), [("auto", False), ("none", False), ("required", True), ("function:get_weather", True)]
)
def test_the_echo_respects_the_tool_choice(choice: str, calls: bool) -> None:
    request = GenerationRequest("", says("hello"), tools=(WEATHER,), tool_choice=choice)

    events = generate(Script(), request)

    assert isinstance(events[0], ToolCall) is calls


def test_the_instructions_may_carry_a_script_in_a_line() -> None:
    instructions = 'Be nice.\nvivavoce-script: {"turns": [{"say": "mine"}]}\nThank you.'

    assert answer(load_script('[[turns]]\nsay = "theirs"'), "x", instructions=instructions) == "mine"


def test_the_instructions_may_carry_a_script_in_a_block() -> None:
    instructions = 'Be nice.\n```vivavoce-script\n{"turns":\n [{"say": "mine"}]}\n```'

    assert answer(Script(), "x", instructions=instructions) == "mine"


def test_the_mere_name_of_the_model_is_no_script() -> None:
    assert answer(Script(), "x", instructions="vivavoce-scripted vivavoce-script " * 9_999) == "You said: x"


@pytest.mark.parametrize(
    ("script", "key"),
    [
        ('{"turns": [{"match": "(a+)+$"}]}', "turns[0].match"),
        ('{"turns": [{}, {"heard": "x"}]}', "turns[1].heard"),
        ('{"voice": {"pace": 1.2}}', "voice"),
        ('{"turns": [{"sey": "x"}]}', "sey"),
        ("{", "not valid"),
        ("[" * 100_000, "not valid"),
    ],
)
def test_a_bad_script_in_the_instructions_fails_with_its_key(script: str, key: str) -> None:
    with pytest.raises(EngineError, match="vivavoce-script") as caught:
        answer(Script(), "x", instructions=f"vivavoce-script: {script}")

    assert key in str(caught.value)


# Transcriber --------------------------------------------------------------------------------------------------


def test_the_default_script_hears_numbered_turns() -> None:
    utterances = Utterances(Script())

    texts = [result.text for _ in range(2) for result in utterances.hear() if isinstance(result, Final)]

    assert texts == ["scripted turn 1", "scripted turn 2"]


def test_partials_grow_with_the_audio_and_words_spread_over_it() -> None:
    results = Utterances(load_script('[[turns]]\nheard = "good day"')).hear()

    assert results[:2] == [Partial("", "good"), Partial("good", "good day")]
    assert results[2] == Final("good day", (Word("good", 0, 500, 1.0), Word("day", 500, 1000, 1.0)))


def test_partials_and_words_may_be_scripted() -> None:
    script = load_script(
        '[[turns]]\n[turns.heard]\ntext = "a b"\npartials = ['
        '{ text = "a", at_ms = 900 }, { text = "late", at_ms = 1001 }]'
        '\nwords = [{ text = "a", start_ms = 5, end_ms = 9 }]'
    )

    assert Utterances(script).hear() == [Partial("", "a"), Final("a b", (Word("a", 5, 9),))]


def test_a_prompt_may_carry_a_script() -> None:
    results = Utterances(Script()).hear(prompt='vivavoce-script: {"turns": [{"heard": "from the prompt"}]}')

    assert isinstance(results[-1], Final) and results[-1].text == "from the prompt"


def test_a_bad_script_in_the_prompt_fails_the_transcript() -> None:
    results = Utterances(Script()).hear(prompt='vivavoce-script: {"turns": [{"say": "x"}]}')

    assert [type(result) for result in results] == [EngineError]
    assert "turns[0].say" in str(results[0])


def test_a_scripted_transcript_may_fail() -> None:
    script = load_script('[[turns]]\nheard = { failure = { message = "no ears" } }')

    results = Utterances(script).hear()

    assert [str(result) for result in results] == ["no ears"]


def test_an_aborted_utterance_delivers_nothing() -> None:
    async def run() -> list[object]:
        delivered: list[object] = []
        stream = ScriptedTranscriber(Script()).open(TranscriptOptions(), delivered.append)
        stream.finish()
        stream.abort()
        stream.feed(SECOND_16K)
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(0, later.set)
        await later.wait()
        return delivered

    assert asyncio.run(run()) == []


# Synthesizer --------------------------------------------------------------------------------------------------


def test_every_word_is_a_tone_of_the_scripted_length() -> None:
    chunks = speak(Script(), "two words")

    assert sum(len(chunk.pcm) for chunk in chunks) == 500 * 48
    assert [word for chunk in chunks for word in chunk.words] == [Word("two", 0, 200), Word("words", 250, 450)]


def test_a_word_comes_with_the_chunk_it_starts_in() -> None:
    chunks = speak(Script(), "two words")

    assert [[word.text for word in chunk.words] for chunk in chunks] == [["two"], [], ["words"], [], []]


@pytest.mark.parametrize("sound", ["tone", "noise"])
def test_speech_is_audible_and_the_same_every_time(sound: str) -> None:
    script = load_script(f'[voice]\nsound = "{sound}"')

    pcm = b"".join(chunk.pcm for chunk in speak(script, "hello"))

    assert np.abs(np.frombuffer(pcm, "<i2")).max() > 5_000
    assert pcm == b"".join(chunk.pcm for chunk in speak(script, "hello"))
    assert pcm != b"".join(chunk.pcm for chunk in speak(script, "hello", voice="echo"))


def test_double_speed_halves_the_audio() -> None:
    assert sum(len(chunk.pcm) for chunk in speak(Script(), "a b", speed=2.0)) == 250 * 48


def test_text_without_words_has_no_audio() -> None:
    assert speak(Script(), " ") == []


def test_a_scripted_failure_comes_after_its_words() -> None:
    script = load_script('[voice]\nfailure = { message = "hoarse" }\nfails_after_words = 1')
    chunks: list[SpeechChunk] = []

    async def run() -> None:
        async for chunk in ScriptedSynthesizer(script).synthesize(SpeechRequest("one two", "alloy")):
            chunks.append(chunk)

    with pytest.raises(EngineError, match="hoarse"):
        asyncio.run(run())

    assert [word.text for chunk in chunks for word in chunk.words] == ["one"]


@pytest.mark.parametrize("toml", ["", '[voice]\nsound = "noise"\nchunk_ms = 33\nword_ms = 7\ngap_ms = 0'])
def test_the_synthesizer_does_what_all_synthesizers_do(toml: str) -> None:
    asyncio.run(check_synthesizer(lambda: ScriptedSynthesizer(load_script(toml))))


# Time ---------------------------------------------------------------------------------------------------------


def test_speech_is_made_at_the_scripted_pace() -> None:
    script = load_script("[voice]\npace = 1.25\ndelay_ms = 300")

    async def run() -> list[float]:
        clock = asyncio.get_running_loop().time
        return [clock() async for _ in ScriptedSynthesizer(script).synthesize(SpeechRequest("two words", "alloy"))]

    assert run_virtual(run()) == pytest.approx([0.38, 0.46, 0.54, 0.62, 0.70], abs=1e-6)


def test_pieces_and_calls_come_after_their_delays() -> None:
    script = load_script(
        '[[turns]]\nsay = ["a", { text = "b", delay_ms = 400 }]\ncalls = [{ name = "f", delay_ms = 100 }]'
    )

    async def run() -> list[float]:
        clock = asyncio.get_running_loop().time
        return [clock() async for _ in ScriptedGenerator(script).generate(GenerationRequest("", says("x")))]

    assert run_virtual(run()) == pytest.approx([0.0, 0.4, 0.5, 0.5], abs=1e-6)


def test_a_transcript_comes_after_its_delay() -> None:
    script = load_script('[[turns]]\nheard = { text = "late", delay_ms = 2500 }')

    async def run() -> float:
        done = asyncio.Event()
        stream = ScriptedTranscriber(script).open(TranscriptOptions(), lambda _: done.set())
        stream.finish()
        await done.wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) == pytest.approx(2.5, abs=1e-6)


# Detector -----------------------------------------------------------------------------------------------------


def detect(script: Script, *pieces: bytes) -> list[float]:
    scores: list[float] = []
    stream = ScriptedDetector(script).open(scores.extend)
    for piece in pieces:
        stream.feed(piece)
    return scores


def test_loud_windows_are_speech_and_quiet_ones_are_not() -> None:
    loud = np.full(512, 3_000, "<i2").tobytes()

    assert detect(Script(), bytes(1024) + loud + bytes(1024)) == [0.0, 1.0, 0.0]


def test_windows_are_the_same_however_the_audio_is_cut() -> None:
    audio = np.random.PCG64(1).random_raw(4_000).astype("<i2").tobytes()

    assert detect(Script(), *(audio[n : n + 7] for n in range(0, len(audio), 7))) == detect(Script(), audio)


def test_scores_may_be_scripted_by_sample() -> None:
    script = load_script(
        "[detector]\nscores = [{ from_sample = 512, probability = 0.9 }, { from_sample = 1024, probability = 0.1 }]"
    )

    assert detect(script, bytes(4 * 1024)) == [0.0, 0.9, 0.1, 0.1]


def test_a_closed_stream_scores_nothing() -> None:
    scores: list[float] = []
    stream = ScriptedDetector(Script()).open(scores.extend)

    stream.close()
    stream.feed(bytes(1024))

    assert scores == []
