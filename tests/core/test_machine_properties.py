"""Properties of single machines: legal or a client error, never an exception; created and done in balance."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.context import context_characters, context_items
from vivavoce.core.conversation import Conversation, Entry
from vivavoce.core.emitter import Emitter
from vivavoce.core.heard import SpokenSegment, heard_text
from vivavoce.core.limits import SAMPLES_PER_MS
from vivavoce.core.mcp import McpTarget
from vivavoce.core.planning import plan_response
from vivavoce.core.playout import Playing, Playout
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import Bucket, RateLimits
from vivavoce.core.requests import McpServer, Word
from vivavoce.core.response import TRANSITIONS, Response, ResponseState
from vivavoce.core.state import Profile, SessionState
from vivavoce.core.transcripts import Transcripts
from vivavoce.core.truncation import ContextTooLong, fit_context
from vivavoce.core.vocabulary import CallMcpTool, EngineFault, Output, Send
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import FunctionCall, FunctionCallOutput, InputText, McpToolExecutionError, Message
from vivavoce.protocol.session import RetentionRatio, Truncation
from vivavoce.testing.driver import plain_session

FAULT = EngineFault("scripted", "engine_unavailable", "it broke")


# Playout ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 48_000), st.floats(0, 3)), max_size=20))
def test_playout_never_holds_more_than_was_handed_out_and_always_runs_dry(
    pieces: list[tuple[str, int, float]],
) -> None:
    playout, now, sent = Playout(), 0.0, dict.fromkeys("abc", 0)

    for item_id, samples, pause_s in pieces:
        playout.play(item_id, samples, now)
        sent[item_id] += samples
        now += pause_s
        unheard = playout.unheard_by_item(now)
        assert all(0 < unheard[item] <= sent[item] for item in unheard)
        assert bool(unheard) == (playout.state(now) is Playing.PLAYING)

    assert playout.unheard_by_item(playout.ends_at + 0.001) == {}


# Conversation -------------------------------------------------------------------------------------------------


def entry(item_id: str) -> Entry:
    return Entry(item=Message(id=item_id, role="user", content=(InputText("x"),)))


operations = st.lists(
    st.tuples(
        st.sampled_from(["insert", "delete"]), st.sampled_from("abcdef"), st.sampled_from([None, "root", *"abcdef"])
    ),
    max_size=30,
)


@given(operations)
def test_a_conversation_is_an_ordered_list_of_unique_items(steps: list[tuple[str, str, str | None]]) -> None:
    conversation, model = Conversation("conv_1"), list[str]()

    for step, item_id, previous_id in steps:
        if step == "delete":
            if item_id in model:
                conversation.delete(item_id)
                model.remove(item_id)
            continue
        is_legal = item_id not in model and (previous_id in (None, "root") or previous_id in model)
        try:
            before = conversation.insert(entry(item_id), previous_id)
        except ClientError:
            assert not is_legal
            continue
        assert is_legal
        index = len(model) if previous_id is None else 0 if previous_id == "root" else model.index(previous_id) + 1
        model.insert(index, item_id)
        assert before == (model[index - 1] if index else None)

    assert list(conversation.ids()) == model
    assert [conversation.previous_id(item_id) for item_id in model] == [None, *model[:-1]][: len(model)]


# Heard text ---------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.integers(0, 7_000))
def test_more_audio_heard_is_never_less_text(lengths_ms: list[int], heard_ms: int) -> None:
    words, at_ms = list[Word](), 0
    for index, length_ms in enumerate(lengths_ms):
        words.append(Word(f"w{index}", at_ms, at_ms + length_ms))
        at_ms += length_ms
    text = " ".join(word.text for word in words)
    segment = SpokenSegment(text=text, start_sample=0, end_sample=at_ms * SAMPLES_PER_MS, words=words)

    less = heard_text([segment], heard_ms * SAMPLES_PER_MS)
    more = heard_text([segment], (heard_ms + 100) * SAMPLES_PER_MS)

    assert text.startswith(more) and more.startswith(less)
    assert heard_text([segment], segment.end_sample) == text


# Response -----------------------------------------------------------------------------------------------------

response_steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("write"), st.sampled_from(["Yes. ", "A rather long first clause, as it were, ", "", "x" * 300])
        ),
        st.tuples(st.just("call"), st.sampled_from(["look", "search", "buy"])),
        st.tuples(st.just("return"), st.sampled_from(["found", "broke"])),
        st.tuples(st.just("finish"), st.sampled_from(["stop", "max_output_tokens", "content_filter"])),
        st.tuples(st.just("play"), st.sampled_from(["0", "1", "2", "9"])),
        st.tuples(st.just("spoken"), st.sampled_from(["0", "1", "2", "9"])),
        st.tuples(st.just("cancel"), st.just("")),
        st.tuples(st.just("fail"), st.just("")),
    ),
    max_size=25,
)


def take(response: Response, out: Emitter, step: str, value: str) -> None:
    match step:
        case "write":
            response.write(out, value)
        case "call":
            response.call(out, value, "{}")
        case "return" if response.mcp.open:
            error = McpToolExecutionError(message="it broke") if value == "broke" else None
            response.take_mcp_result(out, next(iter(response.mcp.open)), None if error else value, error)
            if response.wants_round:
                response.begin(0, 0)
        case "finish":
            response.finish_generation(out, value)  # type: ignore[arg-type]  # drawn from the literal's values
        case "play":
            response.play(out, int(value), b"\0\0" * 24, 24, ())
        case "spoken":
            response.finish_segment(out, int(value))
        case "cancel" if response.is_live:
            response.cancel(out, "client_cancelled")
        case "fail" if response.is_live:
            response.fail(out, FAULT)


@given(st.booleans(), st.sampled_from([None, 3]), response_steps)
def test_whatever_happens_to_a_response_what_it_opens_it_closes(
    is_audio: bool, limit: int | None, steps: list[tuple[str, str]]
) -> None:
    out = Emitter(CountingIds())
    state = SessionState(plain_session(), Profile("realtime", SessionPolicy(), RateLimits(), ""), out)
    plan = plan_response(state, None, ())
    response = Response("resp_1", msgspec.structs.replace(plan, is_audio=is_audio, max_output_tokens=limit))
    server = McpServer("remote", "https://tools.example/mcp")
    response.mcp.targets = {name: McpTarget(server, name, needs_approval=name == "buy") for name in ("search", "buy")}
    response.begin(0, 0)

    for step, value in steps:
        take(response, out, step, value)
    if response.is_live:
        response.cancel(out, "client_cancelled")
    outputs = out.drain()
    kinds = [_kind(output) for output in outputs if isinstance(output, Send)]
    called = sum(isinstance(output, CallMcpTool) for output in outputs)
    response.write(out, "late")
    response.finish_generation(out, "stop")

    for what in ("OutputItem", "ContentPart"):
        assert kinds.count(f"Response{what}Added") == kinds.count(f"Response{what}Done")
    assert kinds.count("ConversationItemAdded") == kinds.count("ConversationItemDone") == len(response.output)
    assert kinds.count("ResponseMcpCallInProgress") == called
    assert kinds.count("ResponseMcpCallCompleted") + kinds.count("ResponseMcpCallFailed") == called
    assert not response.is_live and not response.mcp.open and out.drain() == []


def _kind(output: Output) -> str:
    assert isinstance(output, Send)
    return type(output.event).__name__


def test_the_transition_table_of_responses_is_complete_and_ends_are_final() -> None:
    assert set(TRANSITIONS) == set(ResponseState)
    assert [state for state in ResponseState if not TRANSITIONS[state]] == [
        ResponseState.COMPLETED,
        ResponseState.INCOMPLETE,
        ResponseState.CANCELLED,
        ResponseState.FAILED,
    ]


# Transcripts --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["open", "finish", "settle", "drop"]), st.sampled_from("abc")), max_size=30))
def test_a_transcript_is_awaited_until_it_is_settled_or_dropped(steps: list[tuple[str, str]]) -> None:
    transcripts, live, finishing = Transcripts(), set[str](), set[str]()

    for step, item_id in steps:
        if step == "open" and item_id not in live:
            transcripts.open(item_id, is_visible=True, is_announced=True)
            live.add(item_id)
        elif step == "finish" and item_id in live:
            transcripts.finish(item_id, deadline=1.0)
            finishing.add(item_id)
        elif step == "settle" and item_id in live:
            transcripts.settle(item_id)
            live.discard(item_id)
            finishing.discard(item_id)
        elif step == "drop":
            assert transcripts.drop(item_id) == (item_id in live)
            live.discard(item_id)
            finishing.discard(item_id)

        assert transcripts.awaited() == live
        assert set(transcripts.overdue(1.0)) == finishing
        assert transcripts.first_deadline() == (1.0 if finishing else None)


# What fits of a context ---------------------------------------------------------------------------------------

CALL = FunctionCall(id="call", name="look", call_id="call_1", arguments="{}")
RESULT = FunctionCallOutput(id="result", call_id="call_1", output="x" * 20)
RATIOS = [RetentionRatio(retention_ratio=ratio) for ratio in (0.0, 0.5, 1.0)]


@given(st.lists(st.integers(1, 300), max_size=8), st.booleans(), st.sampled_from(["auto", *RATIOS]))
def test_what_is_left_of_a_context_fits_and_ends_with_the_newest_item(
    lengths: list[int], has_call: bool, truncation: Truncation
) -> None:
    entries = [Entry(item=Message(id=f"m{n}", role="user", content=()), text="x" * n) for n in lengths]
    entries += [Entry(item=CALL), Entry(item=RESULT)] if has_call else []

    try:
        count, items = fit_context(entries, truncation, limit_tokens=100, fixed_tokens=10)
    except ContextTooLong:
        newest = entries[-2:] if has_call else entries[-1:]
        assert -(-context_characters(context_items(newest)) // 4) > 90
        return

    assert items == context_items(entries[count:])
    assert -(-context_characters(items) // 4) <= 90
    assert bool(items) == bool(entries)


# Rate limits --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 40)), max_size=20))
def test_a_bucket_tells_no_more_than_its_limit_and_is_full_when_it_says(spent: list[tuple[int, float]]) -> None:
    bucket, now = Bucket("tokens", 30), 0.0

    for units, pause_s in spent:
        bucket.spend(units, now)
        told = bucket.report(now)
        assert 0 <= told.remaining <= 30 and told.reset_seconds >= 0
        now += pause_s

    now += bucket.report(now).reset_seconds
    assert bucket.report(now + 0.01).remaining == 30
