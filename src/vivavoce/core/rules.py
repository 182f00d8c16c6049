"""The joint rules of the machines: what one machine's change asks of the others, run to a fixed point.

- The user begins to speak, with `interrupt_response`: a pending automatic response is dropped, the active response
  is cancelled, playout is cut and what was heard is estimated. Without it a pending response is created first.
- The user's turn ends: `speech_stopped`, the commit and the item; the final transcript is asked for.
- An utterance is committed, with `create_response` and no active response: an automatic response is pending.
- A transcript is settled: the pending response is created (unless there are no words); waiting ones may begin.
- The client approves an MCP call: a response makes it and goes on with the result, once a user who may interrupt is
  silent.
- The user stays idle: the silence becomes an item and, with `create_response`, a response is created.
"""

from typing import assert_never

from vivavoce.core.answering import announce_response, answer_unasked, begin_when_ready, cancel_response, fail_response
from vivavoce.core.detection import detection_of
from vivavoce.core.hearing import begin_detected_turn, commit_detected_turn, commit_silence
from vivavoce.core.lifecycle import Lifecycle
from vivavoce.core.limits import TRANSCRIPT_WAIT_S
from vivavoce.core.planning import plan_response
from vivavoce.core.state import (
    Pending,
    SessionState,
    SpeechBegan,
    SpeechEnded,
    TranscriptSettled,
    UserIdle,
    UtteranceCommitted,
)
from vivavoce.core.transcript_results import send_completed
from vivavoce.core.turn import Turn
from vivavoce.core.vocabulary import ClearPlayout, EngineFault


def settle(state: SessionState, now: float) -> None:
    """Act on facts until none is left."""
    while state.facts:
        match state.facts.popleft():
            case SpeechBegan(onset_sample=onset_sample):
                _begin_turn(state, onset_sample, now)
            case SpeechEnded(end_sample=end_sample):
                commit_detected_turn(state, end_sample, now)
            case UtteranceCommitted() as committed:
                _await_answer(state, committed, now)
            case TranscriptSettled() as settled:
                _answer_settled(state, settled, now)
            case UserIdle(end_sample=end_sample):
                _prompt_idle_user(state, end_sample, now)
            case never:
                assert_never(never)
    _make_approved_calls(state, now)


def answer_pending(state: SessionState, now: float) -> None:
    """Create the automatic response that has waited long enough for its transcript."""
    pending = state.responding.pending
    assert pending is not None, "a response is pending"
    state.responding.pending = None
    _answer(state, pending.item_id, now)


def note_heard(state: SessionState, now: float) -> None:
    """Estimate what the listener heard of each item whose audio is cut now."""
    for item_id, unheard_samples in state.playout.unheard_by_item(now).items():
        entry = state.conversation.get(item_id)
        if entry is not None and (entry.heard_samples is None or entry.is_estimate):
            entry.heard_samples = max(0, entry.samples - unheard_samples)
            entry.is_estimate = True
    state.playout.clear(now)


def _make_approved_calls(state: SessionState, now: float) -> None:
    """Calls that the client has approved are made by a response, as soon as one may write to the conversation."""
    is_free = state.responding.active is None and state.responding.pending is None
    if state.tools.mcp.approved and is_free and state.lifecycle is Lifecycle.ACTIVE and not _is_interrupting(state):
        if answer_unasked(state, plan_response(state, None, tuple(state.conversation)), now) is None:
            for call in state.tools.mcp.take_approved():  # the client may approve once more
                state.tools.mcp.ask(call)


def _is_interrupting(state: SessionState) -> bool:
    """Tell whether the user speaks and is not to be spoken over."""
    detection = detection_of(state)
    is_speaking = state.listening.turn.state is not Turn.IDLE
    return is_speaking and detection is not None and detection.interrupts_response


def _begin_turn(state: SessionState, onset_sample: int, now: float) -> None:
    detection = detection_of(state)
    interrupts = detection is not None and detection.interrupts_response
    if interrupts:
        state.responding.pending = None
    elif state.responding.pending is not None:
        answer_pending(state, now)  # before anything of another turn
    begin_detected_turn(state, onset_sample)
    if interrupts:
        _interrupt(state, now)


def _interrupt(state: SessionState, now: float) -> None:
    active = state.responding.active
    audible = state.playout.audible_responses(now)
    note_heard(state, now)
    for response_id in audible:
        state.out.put(ClearPlayout(response_id))
    if active is None:
        return
    if active.id not in audible:
        state.out.put(ClearPlayout(active.id))  # the estimate may be behind what a paced track still holds
    cancel_response(state, active, "turn_detected", now)


def _await_answer(state: SessionState, committed: UtteranceCommitted, now: float) -> None:
    if committed.wants_answer and state.responding.active is None:
        state.responding.pending = Pending(committed.item_id, now + TRANSCRIPT_WAIT_S)


def _answer_settled(state: SessionState, settled: TranscriptSettled, now: float) -> None:
    responding = state.responding
    pending = responding.pending
    if pending is not None and pending.item_id == settled.item_id:
        responding.pending = None
        if settled.text:
            _answer(state, settled.item_id, now)
        elif settled.fault is not None and not state.tools.mcp.approved:
            _refuse_answer(state, settled.item_id, settled.fault, now)
    for response in list(responding.live.values()):
        answers = response.plan.answers_item_id == settled.item_id and not response.mcp.approved
        if settled.fault is not None and answers:
            fail_response(state, response, settled.fault, now)
        else:
            begin_when_ready(state, response, now)


def _answer(state: SessionState, item_id: str, now: float) -> None:
    if state.responding.active is None:
        answer_unasked(state, plan_response(state, None, tuple(state.conversation), item_id), now)


def _refuse_answer(state: SessionState, item_id: str, fault: EngineFault, now: float) -> None:
    """Say that nothing can be answered: the words are not known."""
    if state.responding.active is None:
        plan = plan_response(state, None, tuple(state.conversation), item_id)
        fail_response(state, announce_response(state, plan), fault, now)


def _prompt_idle_user(state: SessionState, end_sample: int, now: float) -> None:
    entry = commit_silence(state, end_sample)
    if state.session.audio.input.transcription is not None:
        send_completed(state, entry.item.id, "", entry.samples)
    detection = detection_of(state)
    if detection is not None and detection.creates_response:
        answer_unasked(state, plan_response(state, None, tuple(state.conversation)), now)
