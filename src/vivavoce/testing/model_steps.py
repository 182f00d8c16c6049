"""The steps from one state of the model to the next: what the client, the engines and the clock may do.

A step is a tuple of its name and plain arguments, so that a way through the model can be printed and taken again.
Engines do only what they were asked for; `late` gives results that nobody wants any more.
"""

from collections.abc import Callable, Iterable
from typing import Final

from vivavoce.core import vocabulary as core
from vivavoce.core.limits import SAMPLES_PER_MS, WINDOW_SAMPLES
from vivavoce.core.requests import Word
from vivavoce.core.session import LocalSession
from vivavoce.protocol import client_events as client
from vivavoce.protocol.extensions import ResponseExtension
from vivavoce.protocol.items import (
    FunctionCallOutput,
    InputText,
    McpApprovalResponse,
    McpListedTool,
    McpToolExecutionError,
    Message,
)
from vivavoce.protocol.responses import ResponseParams
from vivavoce.testing.model_rules import expect
from vivavoce.testing.model_world import World

Step = tuple[str | int | float, ...]
ClientEvents = tuple[client.ClientEvent, ...]

CHUNK_SAMPLES: Final = 2400  # 100 ms of speech
LEAP_SAMPLES: Final = 120_000  # 5 s of silence at once, scored as one window
_WINDOW: Final = client.InputAudioBufferAppend(audio=bytes(WINDOW_SAMPLES * 2))
_LEAP: Final = client.InputAudioBufferAppend(audio=bytes(LEAP_SAMPLES * 2))
_CHUNK: Final = bytes(CHUNK_SAMPLES * 2)
_FAULT: Final = core.EngineFault("model", "engine_unavailable", "it broke")
_TOOL: Final = McpListedTool(name="search", input_schema={"type": "object"})
_REMOTE_FAULT: Final = McpToolExecutionError(message="it broke")
_WORDS: Final = (Word("Yes.", 0, 60),)

TEXTS: Final = ("Yes. ", "Well")  # the first is a segment at once, the second waits for more
_HELLO: Final = Message(role="user", content=(InputText("hello"),))
_ASIDE: Final = ResponseParams(conversation="none", metadata={"topic": "aside"})
_BARE_ASIDE: Final = ResponseParams(conversation="none", input=())
_SAY: Final = ResponseParams(vivavoce=ResponseExtension(say="Yes. No."))
_SAY_ASIDE: Final = ResponseParams(conversation="none", vivavoce=ResponseExtension(say="Yes. No."))
EVENTS: Final[dict[str, client.ClientEvent]] = {
    "create": client.ResponseCreate(),
    "write": client.ResponseCreate(response=ResponseParams(output_modalities=("text",))),
    "limit": client.ResponseCreate(response=ResponseParams(max_output_tokens=1)),
    "aside": client.ResponseCreate(response=_ASIDE),
    "say": client.ResponseCreate(response=_SAY),
    "say aside": client.ResponseCreate(response=_SAY_ASIDE),
    "bare": client.ResponseCreate(response=_BARE_ASIDE),
    "cancel": client.ResponseCancel(),
    "commit": client.InputAudioBufferCommit(),
    "clear": client.InputAudioBufferClear(),
    "append": _WINDOW,
    "item": client.ConversationItemCreate(item=_HELLO),
}


def take(world: World, step: Step, updates: ClientEvents) -> None:
    """Take a step in place; raises `Broken` where a rule does not hold. A step without effect costs nothing."""
    name = str(step[0])
    world.has_changed = name != "late"
    count = world.left.get(name)
    if count:
        world.left[name] = count - 1
    if name in EVENTS:
        world.ask(EVENTS[name])
    elif name == "update":
        world.ask(updates[int(step[1])])
    else:
        _TAKERS[name](world, *step[1:])
    if count and not world.has_changed:
        world.left[name] = count


def _nth(keys: Iterable[str], index: int) -> str:
    return list(keys)[index]


def _cancel_by_id(world: World, index: int) -> None:
    response_id = list(world.responses.running)[index]
    world.ask(client.ResponseCancel(response_id=response_id))
    expect(response_id not in world.responses.running, "one answer", "another response was cancelled than asked for")


def _truncate(world: World, share: int) -> None:
    item_id = world.known.spoken_id
    assert item_id is not None and isinstance(world.session, LocalSession), "only what was spoken is cut"
    entry = world.session._state.conversation.get(item_id)
    audio_ms = 0 if entry is None else entry.samples // SAMPLES_PER_MS
    world.ask(client.ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=audio_ms * share // 2))


def _output(world: World) -> None:
    call_id = world.known.call_id
    assert call_id is not None, "an output answers a call"
    world.ask(client.ConversationItemCreate(item=FunctionCallOutput(call_id=call_id, output="{}")))


def _delete(world: World, index: int) -> None:
    world.ask(client.ConversationItemDelete(item_id=_nth(world.turns.items, index)))


def _late(world: World) -> None:
    """Give results for the last ids of each kind that died; nothing may come of them."""
    response_id = world.peers.dead.get("generate")
    item_id = world.peers.dead.get("transcribe")
    results: list[core.Input] = []
    if response_id is not None:
        results += [core.TextGenerated(response_id, "Late."), core.ToolCallGenerated(response_id, "look", "{}")]
        results += [core.GenerationFinished(response_id), core.GenerationFailed(response_id, _FAULT)]
        results += [core.SpeechSynthesized(response_id, 0, _CHUNK, CHUNK_SAMPLES)]
        results += [core.SynthesisFinished(response_id, 0), core.SynthesisFailed(response_id, 0, _FAULT)]
    if item_id is not None and item_id not in world.peers.transcribers:
        results += [core.TranscriptRevised(item_id, "late", "late"), core.TranscriptFinalized(item_id, "late")]
        results += [core.TranscriptFailed(item_id, _FAULT)]
    call_id = world.peers.dead.get("call")
    if call_id is not None:
        results += [core.McpCallReturned(call_id, "late"), core.McpCallFailed(call_id, _REMOTE_FAULT)]
    for result in results:
        expect(not world.post(result), "dead ids", f"{type(result).__name__} of a dead id has an effect")


def _text(world: World, index: int, kind: int) -> None:
    world.post(core.TextGenerated(_nth(world.peers.generators, index), TEXTS[kind]))


def _call(world: World, index: int) -> None:
    world.post(core.ToolCallGenerated(_nth(world.peers.generators, index), "look", "{}"))


def _search(world: World, index: int) -> None:
    world.post(core.ToolCallGenerated(_nth(world.peers.generators, index), "search", "{}"))


def _list(world: World, index: int, is_listed: int) -> None:
    item_id = _nth(world.peers.listings, index)
    del world.peers.listings[item_id]
    if is_listed:
        world.post(core.McpToolsListed(item_id, (_TOOL,)))
    else:
        _spend_fault(world)
        world.post(core.McpListingFailed(item_id, _REMOTE_FAULT))


def _return(world: World, index: int, is_returned: int) -> None:
    item_id = _nth(world.peers.calls, index)
    world.peers.return_call(item_id)
    if is_returned:
        world.post(core.McpCallReturned(item_id, "found"))
    else:
        _spend_fault(world)
        world.post(core.McpCallFailed(item_id, _REMOTE_FAULT))


def _approve(world: World, is_approved: int) -> None:
    request_id = world.known.approval_id
    assert request_id is not None, "an approval was asked for"
    before = world.known.is_approved
    world.known.is_approved = before or bool(is_approved)
    approval = McpApprovalResponse(approval_request_id=request_id, approve=bool(is_approved))
    world.ask(client.ConversationItemCreate(item=approval))
    if not world.has_changed:
        world.known.is_approved = before


def _finish(world: World, index: int) -> None:
    response_id = _nth(world.peers.generators, index)
    del world.peers.generators[response_id]
    world.post(core.GenerationFinished(response_id))


def _overlong(world: World, index: int) -> None:
    response_id = _nth(world.peers.generators, index)
    del world.peers.generators[response_id]
    world.post(core.GenerationFinished(response_id, reason="max_output_tokens"))


def _fail(world: World, index: int) -> None:
    _spend_fault(world)
    response_id = _nth(world.peers.generators, index)
    del world.peers.generators[response_id]
    world.post(core.GenerationFailed(response_id, _FAULT))


def _revise(world: World, index: int) -> None:
    world.post(core.TranscriptRevised(_nth(world.peers.transcribers, index), "he", "hello"))


def _final(world: World, index: int) -> None:
    item_id = _nth(world.peers.transcribers, index)
    del world.peers.transcribers[item_id]
    world.peers.dead["transcribe"] = item_id
    world.post(core.TranscriptFinalized(item_id, "hello"))


def _empty(world: World, index: int) -> None:
    item_id = _nth(world.peers.transcribers, index)
    del world.peers.transcribers[item_id]
    world.post(core.TranscriptFinalized(item_id, ""))


def _mishear(world: World, index: int) -> None:
    _spend_fault(world)
    item_id = _nth(world.peers.transcribers, index)
    del world.peers.transcribers[item_id]
    world.post(core.TranscriptFailed(item_id, _FAULT))


def _chunk(world: World, index: int) -> None:
    response_id = _nth(world.peers.voices, index)
    segment = world.peers.voices[response_id][0]
    world.post(core.SpeechSynthesized(response_id, segment, _CHUNK, CHUNK_SAMPLES, _WORDS))


def _spoken(world: World, index: int) -> None:
    response_id = _nth(world.peers.voices, index)
    segment = world.peers.voices[response_id][0]
    world.peers.finish_segment(response_id)
    world.post(core.SynthesisFinished(response_id, segment))


def _mute(world: World, index: int) -> None:
    _spend_fault(world)
    response_id = _nth(world.peers.voices, index)
    segment = world.peers.voices[response_id][0]
    world.peers.finish_segment(response_id)
    world.post(core.SynthesisFailed(response_id, segment, _FAULT))


def _spend_fault(world: World) -> None:
    world.left["fault"] -= 1


def _hear(world: World, is_speech: int) -> None:
    world.ask(_WINDOW)
    if world.peers.detector.has_window:
        _score(world, is_speech)


def _score(world: World, is_speech: int) -> None:
    detector = world.peers.detector
    detector.scored_sample += WINDOW_SAMPLES
    world.post(core.SpeechScored(detector.id, detector.scored_sample, float(is_speech)))


def _leap(world: World) -> None:
    world.ask(_LEAP)
    detector = world.peers.detector
    detector.scored_sample = detector.appended_sample
    world.post(core.SpeechScored(detector.id, detector.scored_sample, 0.0))


def _deafen(world: World) -> None:
    world.post(core.DetectionFailed(max(world.peers.detector.id, 1), _FAULT))


def _judge(world: World, index: int, is_complete: int) -> None:
    item_id = _nth(world.peers.scorers, index)
    end_sample = world.peers.scorers.pop(item_id)
    world.post(core.TurnScored(item_id, end_sample, 0.95 if is_complete else 0.05))


def _tick(world: World) -> None:
    deadline = world.session.next_deadline()
    assert deadline is not None, "there is a deadline"
    world.wait(max(0.0, deadline.at - world.now))


def unheard_s(world: World) -> float:
    """Return how long what was handed out to the listener will still play."""
    assert isinstance(world.session, LocalSession), "the playout is looked at from within"
    return world.session._state.playout.ends_at - world.now


def _hush(world: World) -> None:
    world.wait(unheard_s(world))


def _pause(world: World) -> None:
    world.wait(unheard_s(world) / 2)


def _drain(world: World) -> None:
    world.post(core.Draining())


def _kill(world: World) -> None:
    world.post(core.Draining(is_final=True))


def _disconnect(world: World) -> None:
    world.post(core.Disconnected())
    outputs = world.session.handle(core.FromClient(EVENTS["create"]), world.now)
    expect(not outputs, "ended", "an event has an effect after the end")
    expect(world.session.next_deadline() is None, "ended", "a deadline remains after the end")


_TAKERS: Final[dict[str, Callable[..., None]]] = {
    "cancel_id": _cancel_by_id,
    "truncate": _truncate,
    "output": _output,
    "delete": _delete,
    "late": _late,
    "text": _text,
    "call": _call,
    "search": _search,
    "list": _list,
    "return": _return,
    "approve": _approve,
    "finish": _finish,
    "overlong": _overlong,
    "fail": _fail,
    "revise": _revise,
    "final": _final,
    "empty": _empty,
    "mishear": _mishear,
    "chunk": _chunk,
    "spoken": _spoken,
    "mute": _mute,
    "hear": _hear,
    "score": _score,
    "leap": _leap,
    "deafen": _deafen,
    "judge": _judge,
    "tick": _tick,
    "hush": _hush,
    "pause": _pause,
    "drain": _drain,
    "kill": _kill,
    "disconnect": _disconnect,
}
