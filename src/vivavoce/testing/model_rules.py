"""What must hold in every state of a session and on every way from one state to the next, by name."""

from typing import Final

RULES: Final[dict[str, str]] = {
    "no exception": "every input and every timer returns; a client's mistake becomes an error event",
    "session first": "session.created comes first and once",
    "announced": "an item id is announced before any other event uses it",
    "response once": "response.created is first, response.done last, one each, with nothing of the response outside",
    "one active": "at most one response at a time writes to the conversation",
    "item order": "output_item.added, conversation.item.added, parts, conversation.item.done, output_item.done",
    "part order": "content_part.added, deltas, dones that repeat them, content_part.done; then no delta or audio",
    "closed at done": "response.done lists what was sent, and all of it is closed",
    "turn in one piece": "committed, added and done of a turn follow each other",
    "stopped before commit": "speech_stopped directly precedes a detector's commit, never a client's",
    "transcript order": "deltas, then one completed or failed, never before the item",
    "one answer": "every client event has exactly one success event or one error",
    "refusal": "a refused client event sends its error and changes nothing",
    "uninvited": "no response but for response.create, a detected turn with create_response, or an idle timeout",
    "interruption": "speech that interrupts ends the active response at once and no other; otherwise all go on",
    "background": "engines work for a response out of band in the background, and for no other",
    "dead ids": "results for what was cancelled or has ended have no effect",
    "engine balance": "engines are asked once, in order, and each request is finished or cancelled with its response",
    "timers": "a deadline that was acted on does not remain",
    "pending": "an automatic response waits only for words that are still to come, beside no active response",
    "playout": "what is unheard of an item is positive and no more than was sent of it",
    "heard": "what counts as heard lies within the audio, its text is a prefix, no audio after a truncation is kept",
    "ended": "after Close or the end of the connection nothing is sent and no engine works",
    "quiescence": "when engines and timers have done all they can, no response, call or transcript is open",
}


class Broken(Exception):
    """A rule does not hold. `rule` is a key of `RULES`."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(f"{rule}: {sentence}")
        self.rule = rule
        self.sentence = sentence


def expect(is_true: bool, rule: str, sentence: str) -> None:
    """Raise `Broken` unless the rule holds; for places where the sentence costs nothing to make."""
    if not is_true:
        raise Broken(rule, sentence)
