"""What a generator is asked in a round of a response: the context that fits, the tools, and the choice among them."""

import msgspec

from vivavoce.core.context import context_characters, context_items, text_tokens
from vivavoce.core.conversation import Entry
from vivavoce.core.limits import MAX_MCP_ROUNDS
from vivavoce.core.mcp import offered
from vivavoce.core.mcp_calls import McpCallOutput, McpRounds
from vivavoce.core.output_items import MessageOutput
from vivavoce.core.planning import check_forced_server
from vivavoce.core.requests import ContextItem, ContextMessage, FunctionSpec, GenerationRequest
from vivavoce.core.response import Response, ResponsePlan
from vivavoce.core.state import SessionState
from vivavoce.core.truncation import fit_context
from vivavoce.protocol.errors import bad_response
from vivavoce.protocol.tools import ToolChoice, ToolChoiceFunction, ToolChoiceMcp

Asked = tuple[GenerationRequest, tuple[Entry, ...]]


def request_of(state: SessionState, response: Response, now: float) -> Asked:
    """Return what to ask for the next round of a response, and the entries of its context that were kept.

    The tools of the first round are those of all: a server that is replaced meanwhile is not called.

    Raises:
        ClientError: a tool is forced that cannot be offered.
        ContextTooLong: the context does not fit, and nothing more may be left out.
    """
    plan, rounds = response.plan, response.mcp
    if rounds.count == 0:
        _offer(state, plan, rounds)
    choice, specs = _choice(plan.tool_choice, rounds)
    rounds.may_call = choice != "none"
    characters = len(plan.instructions) + sum(map(_characters, specs))
    own = _own_items(response)
    entries, items = _context(state, plan, text_tokens(characters), own)
    request = GenerationRequest(
        instructions=plan.instructions,
        items=(*items, *own),
        tools=specs,
        tool_choice=choice,
        is_spoken=plan.is_audio,
        elapsed_s=now - state.span.opened_at,
        model=state.session.model,
    )
    return request, entries


def _offer(state: SessionState, plan: ResponsePlan, rounds: McpRounds) -> None:
    if not rounds.has_called:
        check_forced_server(state, plan.tools, plan.tool_choice)
    rounds.specs, rounds.targets = offered(
        state.tools.mcp, plan.tools, state.profile.functions, can_ask=plan.conversation is not None
    )


def _characters(spec: FunctionSpec) -> int:
    return len(spec.name) + len(spec.description) + len(msgspec.json.encode(spec.parameters))


def _context(
    state: SessionState, plan: ResponsePlan, fixed_tokens: int, own: tuple[ContextItem, ...]
) -> tuple[tuple[Entry, ...], tuple[ContextItem, ...]]:
    """Return what fits of the context; what a default response leaves out is left out from then on."""
    dropped = state.conversation.dropped
    entries = plan.context
    if dropped and not plan.has_own_input:
        entries = tuple(entry for entry in entries if entry.item.id not in dropped)
    limit = state.profile.policy.context_tokens
    own_tokens = text_tokens(context_characters(own))
    count, items = fit_context(entries, state.session.truncation, limit, fixed_tokens, own_tokens)
    if not plan.has_own_input and plan.conversation is not None:
        dropped.update(entry.item.id for entry in entries[:count])
    return entries[count:], items


def _own_items(response: Response) -> tuple[ContextItem, ...]:
    """What the response itself has said and found out in earlier rounds."""
    items: list[ContextItem] = []
    for index, output in enumerate(response.items):
        items.extend(response.hidden.context_at(index))
        if isinstance(output, MessageOutput):
            items.append(ContextMessage("assistant", response.text_of(output)))
        elif isinstance(output, McpCallOutput):
            items.extend(context_items((output.entry,)))
    return (*items, *response.hidden.context_at(len(response.items)))


def _choice(choice: ToolChoice, rounds: McpRounds) -> tuple[str, tuple[FunctionSpec, ...]]:
    """Return the choice in the generator's terms, and the tools that it leaves. It forces the first round only."""
    if choice == "none" or rounds.count >= MAX_MCP_ROUNDS - 1:
        return "none", rounds.specs
    if choice == "auto" or rounds.count > 0 or rounds.has_called:
        return "auto", rounds.specs
    return _forced(choice, rounds)


def _forced(choice: ToolChoice, rounds: McpRounds) -> tuple[str, tuple[FunctionSpec, ...]]:
    if isinstance(choice, ToolChoiceFunction):
        return f"function:{choice.name}", rounds.specs
    if not isinstance(choice, ToolChoiceMcp):
        return "required", _some(rounds.specs)
    own = {target.name: name for name, target in rounds.targets.items() if target.server.label == choice.server_label}
    if not isinstance(choice.name, str):
        return "required", _some(tuple(spec for spec in rounds.specs if spec.name in own.values()))
    (spec,) = _some(tuple(spec for spec in rounds.specs if spec.name == own.get(str(choice.name))))
    return f"function:{spec.name}", rounds.specs


def _some(specs: tuple[FunctionSpec, ...]) -> tuple[FunctionSpec, ...]:
    if not specs:
        text = "No tool can be called as the choice demands: they could not be listed, or need an approval out of band."
        raise bad_response(text, "response.tool_choice")
    return specs
