"""Text of engines on its way into a session: whatever is no Unicode text could not be sent to the client."""


def whole_text(text: str) -> str:
    """Return the text with halves of characters joined, and those that have no other half replaced by U+FFFD.

    JSON may hold half of a surrogate pair, and streams may cut between the two.
    """
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
