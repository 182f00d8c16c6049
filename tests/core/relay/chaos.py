"""Random conversations through a relayed session whose upstreams fail: steps, and the rules that hold after them."""

import random
from collections.abc import Callable
from typing import Final

from tests.core.relay.relayed import TIME, Json, Relayed
from vivavoce.core.relay.journal import MAX_JOURNAL_BYTES
from vivavoce.core.relay.places import is_present
from vivavoce.core.relay.replay import replayable
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_objects import error_event
from vivavoce.testing.upstream_replies import Call, Reply, Say, Script

ROLLOVER_S: Final = 60.0
SAY: Final = Say("One two three.")
REPLIES: Final = (
    Reply(outputs=(SAY,)),
    Reply(outputs=(SAY,), hold_after=0),
    Reply(outputs=(SAY,), hold_after=2),
    Reply(outputs=(SAY, Call("look_up", '{"city":"Paris"}')), overlaps=True, hold_after=3),
    Reply(outputs=(Call("get_time"),), hold_after=1),
    Reply(outputs=(Call("get_time"), SAY), hold_after=3),
    Reply(outputs=(Call("get_time"), Call("look_up"))),
    Reply(outputs=(SAY, Call("get_time")), overlaps=True, hold_after=2),
    Reply(outputs=(SAY,), failure={"type": "server_error", "code": None, "message": "It failed."}),
)
VAD: Final = {"type": "server_vad"}
UPDATES: Final[tuple[Json, ...]] = (
    {"instructions": "Be brief."},
    {"audio": {"input": {"turn_detection": None}}},
    {"audio": {"input": {"turn_detection": VAD}}},
    {"audio": {"input": {"turn_detection": {**VAD, "create_response": False}}}},
    {"audio": {"input": {"turn_detection": {**VAD, "interrupt_response": False}}}},
    {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
    {"audio": {"input": {"transcription": None}}},
    {"output_modalities": ["text"]},
    {"output_modalities": ["audio"]},
    {"tools": [{"type": "function", "name": "look_up", "parameters": {"type": "object"}}]},
    {"vivavoce": {"cost": True}},
)
# What was to be cancelled may fail with its link; errors that are told here may come between a turn's events.
EXCUSED: Final[tuple[str, ...]] = ("response.cancel (entry", "was committed neither after")
# Responses that functions of the server cause are paired with requests of the client.
EXCUSED_OF_FUNCTIONS: Final = ("answers no response.create", "an error names event", "response.create (entry")
# A turn whose end was told before a loss, and that is committed after it, is not taken for the detector's.
EXCUSED_OF_LOSSES: Final = ("follows no detected turn", "an error names event")
CLOSE_CODES: Final = (1000, 1001, 1006, 1011, 1012, 1013)


class Chaos:
    """A conversation that goes any way. `choose` decides; the same seed goes the same way."""

    def __init__(self, choose: random.Random, *, has_functions: bool = False) -> None:
        self.choose = choose
        self.script = Script(chooses=lambda request: self.choose.choice(REPLIES))
        self.relayed = Relayed(
            script=self.script,
            targets=("upstream", "spare"),
            functions=(TIME,) * has_functions,
            rollover_s=ROLLOVER_S,
            retry_s=1e9,
        )
        self.returned = 0
        self._steps: tuple[tuple[int, Callable[[], None]], ...] = (
            (8, self._speak),
            (5, self._write),
            (5, self._ask),
            (2, lambda: self._say("response.cancel")),
            (2, lambda: self._say("input_audio_buffer.commit")),
            (1, lambda: self._say("input_audio_buffer.clear")),
            (3, self._update),
            (4, self._use_item),
            (1, self._answer_call),
            (30, self._move),
            (6, self.relayed.settle),
            (4, self._release),
            (3, self._return),
            (3, self._lose),
            (2, self._wait),
        )

    def step(self) -> None:
        """Take one step."""
        weights = [weight for weight, _ in self._steps]
        self.choose.choices([take for _, take in self._steps], weights)[0]()

    def end(self) -> None:
        """Let everything come to its end: faults are over, what is held is released, functions return."""
        self.script.holds_transcripts = False
        self.script.chooses = lambda request: Reply(outputs=(SAY,))
        self.relayed.faults.clear()
        for _ in range(12):
            self.relayed.settle()
            self._release_all()
            self._return_all()
            self.relayed.settle()
            self.relayed.advance(4.0)
        self.relayed.settle()

    # Steps of the client --------------------------------------------------------------------------------------

    def _speak(self) -> None:
        make = self.choose.choice((speech, silence))
        self.relayed.append(make(self.choose.choice((60, 100, 300, 500))))

    def _write(self) -> None:
        fields: Json = {}
        if self.choose.random() < 0.3:
            self.relayed.settle()  # a place is certain only while nothing else is being placed
            if self.relayed.session.takes_messages:
                fields["previous_item_id"] = self.choose.choice(["root", self._known_item()])
        if self.choose.random() < 0.2:
            fields["item"] = {"id": f"item_long_{'x' * 30}_{self.relayed.sent}"}
        self.relayed.write("hello", **fields)

    def _ask(self) -> None:
        response: Json = {}
        if self.choose.random() < 0.3:
            response = {"conversation": "none", "metadata": {"n": str(self.choose.randrange(3))}}
        self.relayed.say({"type": "response.create", "response": response})

    def _say(self, kind: str) -> None:
        self.relayed.say({"type": kind})

    def _update(self) -> None:
        update = self.choose.choice(UPDATES)
        if "vivavoce" in update:
            self.relayed.settle()  # it is answered here, at once
        self.relayed.say({"type": "session.update", "session": {"type": "realtime", **update}})

    def _use_item(self) -> None:
        self.relayed.settle()  # the mirror answers at once, before what is under way
        if not self.relayed.session.takes_messages:
            return
        item_id = self._known_item()
        match self.choose.randrange(3):
            case 0:
                self.relayed.say({"type": "conversation.item.retrieve", "item_id": item_id})
            case 1:
                self._release_all()  # a scripted upstream has no words for an item that is gone
                self.relayed.say({"type": "conversation.item.delete", "item_id": item_id})
            case _:
                cut = {"content_index": 0, "audio_end_ms": self.choose.choice((0, 100, 150, 10_000))}
                self.relayed.say({"type": "conversation.item.truncate", "item_id": item_id, **cut})

    def _answer_call(self) -> None:
        calls = [event["item"] for event in self.relayed.of_type("response.output_item.done")]
        ids = [item["call_id"] for item in calls if item["type"] == "function_call"]
        output = {"type": "function_call_output", "call_id": self.choose.choice(ids or ["call_none"]), "output": "1"}
        self.relayed.say({"type": "conversation.item.create", "item": output})

    def _known_item(self) -> str:
        ids = [event["item"]["id"] for event in self.relayed.of_type("conversation.item.done")]
        return str(self.choose.choice([*ids[-5:], "item_none"]))

    # Steps of the rest ----------------------------------------------------------------------------------------

    def _move(self) -> None:
        """Let a few messages come where they are going."""
        relayed = self.relayed
        for _ in range(self.choose.randrange(1, 12)):
            number = self.choose.choice(list(relayed.peers))
            match self.choose.randrange(3):
                case 0:
                    relayed.deliver(number)
                case 1:
                    relayed.hear(number)
                case _:
                    relayed.connect()

    def _release(self) -> None:
        self.script.holds_transcripts = self.choose.random() < 0.5
        self._release_all()

    def _release_all(self) -> None:
        for peer in self.relayed.peers.values():
            if not peer.is_gone:
                peer.session.release()
                peer.session.release_transcripts()

    def _return(self) -> None:
        if self.relayed.calls:
            self._return_one(self.choose.choice(list(self.relayed.calls)))

    def _return_all(self) -> None:
        for call_id in list(self.relayed.calls):
            self._return_one(call_id)

    def _return_one(self, call_id: str) -> None:
        del self.relayed.calls[call_id]
        self.returned += 1
        self.relayed.return_tool(call_id=call_id)

    def _lose(self) -> None:
        relayed = self.relayed
        match self.choose.randrange(6):
            case 0:
                relayed.fail_next(self.choose.choice(("refused", "timeout", "rate_limited")))
            case 1 if relayed.peer.is_open and not relayed.peer.is_gone:
                relayed.peer.emit(error_event("session_expired", "It is over."))
            case 2 if relayed.peer.is_open and not relayed.peer.is_gone:
                relayed.peer.to_relay.append(b"{garbage")
            case _ if any(peer.is_open and not peer.is_gone for peer in relayed.peers.values()):
                relayed.lose(self.choose.choice(CLOSE_CODES))
            case _:
                pass

    def _wait(self) -> None:
        self.relayed.advance(self.choose.choice((0.1, 1.0, 6.0, ROLLOVER_S, 200.0)))


def check_all(chaos: Chaos) -> None:
    """Check a conversation that has come to its end."""
    relayed = chaos.relayed
    excused = EXCUSED
    if relayed.setting.functions:
        excused += EXCUSED_OF_FUNCTIONS
    if len(relayed.peers) > 1:
        excused += EXCUSED_OF_LOSSES
    violations = [one for one in relayed.violations() if not any(known in one for known in excused)]
    assert not violations, violations
    check_asked(chaos)
    check_kept(relayed)
    relayed.disconnect()
    assert set(relayed.spending.begun.values()) <= {1}
    assert relayed.spending.charged == relayed.spending.begun


def check_asked(chaos: Chaos) -> None:
    """Only the client, and functions that have returned, cause responses; the first link is told nothing again."""
    for number in chaos.relayed.peers:
        asked = chaos.relayed.asked("response.create", number)
        assert sum(is_ours(event) for event in asked) <= chaos.returned
    for event in chaos.relayed.asked("conversation.item.create", 1):
        is_output = event["item"]["type"] == "function_call_output"
        assert is_output or not is_ours(event)


def is_ours(event: Json) -> bool:
    """Tell whether the relay, not the client, sent an event to an upstream."""
    return not str(event.get("event_id", "client_")).startswith("client_")


def check_kept(relayed: Relayed) -> None:
    """The upstream has the conversation that we have, in its order, and what is kept of requests has an end."""
    state = relayed.session._state  # what is kept is the subject
    assert state.journal.size_bytes <= MAX_JOURNAL_BYTES
    link = state.links.live
    assert link is not None
    known = [item for item in state.mirror if is_present(link, item)]
    assert [item["id"] for item in relayed.peers[link.number].session.items] == [
        link.real_id(item.id) for item in known
    ]
    missing = [item.id for item, _ in replayable(state.mirror) if item not in known]
    assert not missing, missing
    waiting = state.journal.waiting()
    assert waiting is None, waiting
    assert not state.client.held
    assert not state.utterance.owes_answer
    assert relayed.spending.expected == 0
