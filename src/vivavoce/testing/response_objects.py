"""What the response objects of `response.created` and `response.done` must hold (shape rules, number 0)."""

from collections.abc import Mapping
from typing import Any, Final

from vivavoce.testing.findings import SHAPE, Event, Findings

# Status -> the reasons that its details may give; strict clients refuse others.
REASONS: Final[dict[str, tuple[str, ...]]] = {
    "cancelled": ("turn_detected", "client_cancelled"),
    "incomplete": ("max_output_tokens", "content_filter"),
}
USED: Final = ("completed", "incomplete")  # a response that ran to its end tells its usage


def check_created(response: Event, findings: Findings) -> None:
    """Check the object of a response that begins: in progress, with nothing in it."""
    name = f"response.created of '{response.get('id')}'"
    findings.expect(
        response.get("status") == "in_progress",
        SHAPE,
        f"{name} has status {response.get('status')!r}, expected 'in_progress'",
    )
    findings.expect(not response.get("output"), SHAPE, f"{name} has output already")
    findings.expect("conversation_id" in response, SHAPE, f"{name} has no conversation_id")
    findings.expect(response.get("usage") is None, SHAPE, f"{name} has usage already")


def check_done(created: Event, response: Event, findings: Findings) -> None:
    """Check the object of a response that ends against the one it began with."""
    name = f"response.done of '{response.get('id')}'"
    for key in ("conversation_id", "metadata"):
        is_same = key in response and response[key] == created.get(key)
        findings.expect(is_same, SHAPE, f"{name} has {key} {response.get(key)!r}, created had {created.get(key)!r}")
    _check_details(name, response, findings)
    usage = response.get("usage")
    if usage is not None:
        _check_usage(name, usage, findings)
    else:
        findings.expect(response.get("status") not in USED, SHAPE, f"{name} tells no usage")
    for item in response.get("output", ()):
        fits = response.get("status") != "completed" or item.get("status") in ("completed", None)
        findings.expect(fits, SHAPE, f"{name} is completed, its item '{item.get('id')}' is {item.get('status')!r}")


def _check_details(name: str, response: Event, findings: Findings) -> None:
    status, details = str(response.get("status")), response.get("status_details")
    if status in ("completed", "in_progress"):
        findings.expect(details is None, SHAPE, f"{name} is {status} and has status_details {details!r}")
        return
    is_object = isinstance(details, Mapping) and details.get("type") == status
    findings.expect(is_object, SHAPE, f"{name} is {status}, its status_details are {details!r}")
    if not isinstance(details, Mapping):
        return
    allowed = REASONS.get(status)
    if allowed is not None:
        reason = details.get("reason")
        findings.expect(reason in allowed, SHAPE, f"{name} is {status} for {reason!r}, expected one of {allowed}")
    elif status == "failed":
        error = details.get("error")
        is_told = isinstance(error, Mapping) and isinstance(error.get("type"), str) and "code" in error
        findings.expect(is_told, SHAPE, f"{name} is failed, its error is {error!r}")


def _check_usage(name: str, usage: Event, findings: Findings) -> None:
    total = usage["input_tokens"] + usage["output_tokens"]
    findings.expect(usage["total_tokens"] == total, SHAPE, f"{name} totals {usage['total_tokens']} tokens, not {total}")
    for side, kinds in (("input", ("text", "audio", "image")), ("output", ("text", "audio"))):
        details: Mapping[str, Any] = usage.get(f"{side}_token_details") or {}  # JSON boundary
        parts = [details.get(f"{kind}_tokens") or 0 for kind in kinds]
        is_sum = not details or sum(parts) == usage[f"{side}_tokens"]
        findings.expect(
            is_sum, SHAPE, f"{name}: {side} tokens are {usage[f'{side}_tokens']}, their kinds add to {parts}"
        )
        cached = details.get("cached_tokens") or 0
        findings.expect(cached <= usage[f"{side}_tokens"], SHAPE, f"{name}: more {side} tokens are cached than used")
