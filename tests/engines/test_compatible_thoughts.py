"""What a model thinks aloud is left out of its answers, wherever the stream is cut."""

import pytest

from vivavoce.engines.llm.thoughts import ThoughtFilter

ANSWERS = [
    ("Hello.", "Hello."),
    ("<think>The user greets.</think>Hello.", "Hello."),
    ("<think>\nIt is 3 < 4, so\n</think>\n\nHello.", "Hello."),
    ("<think></think>Hello.", "Hello."),
    (" <THINK>x</Think> Hello.", "Hello."),
    ("<thinking>x</thinking>Hello.", "Hello."),
    ("<thought>x</thought>Hello.", "Hello."),
    ("[THINK]x[/THINK]Hello.", "Hello."),
    ("First. <think>wait</think>Second.", "First. Second."),
    ("<think>a</think>One <think>b</think>two", "One two"),
    ("<think>a <think> b</think>Hello.", "Hello."),
    ("<think>[/THINK]</thinking> b</think>Hello.", "Hello."),
    ("<think>never closed", ""),
    ("Hello. <think>never closed</thin", "Hello. "),
    ("Three < four, <b>bold</b>, a[0], <thin> and <", "Three < four, <b>bold</b>, a[0], <thin> and <"),
    ("  \nHello.", "  \nHello."),
    ("", ""),
]


@pytest.mark.parametrize(("written", "spoken"), ANSWERS)
def test_thoughts_are_left_out_of_a_whole_answer_and_nothing_else(written: str, spoken: str) -> None:
    thoughts = ThoughtFilter()

    assert thoughts.feed(written) + thoughts.finish() == spoken


@pytest.mark.parametrize(("written", "spoken"), ANSWERS)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_thoughts_are_left_out_however_the_stream_is_cut(written: str, spoken: str, size: int) -> None:
    thoughts = ThoughtFilter()

    passed = [thoughts.feed(written[start : start + size]) for start in range(0, len(written), size)]

    assert "".join(passed) + thoughts.finish() == spoken


@pytest.mark.parametrize(("written", "spoken"), ANSWERS)
def test_thoughts_are_left_out_wherever_the_stream_is_cut_once(written: str, spoken: str) -> None:
    for cut in range(1, len(written)):
        thoughts = ThoughtFilter()

        passed = thoughts.feed(written[:cut]) + thoughts.feed(written[cut:]) + thoughts.finish()

        assert passed == spoken, written[:cut]


def test_a_thought_that_the_template_began_is_left_out_as_long_as_nothing_was_passed_on() -> None:
    thoughts = ThoughtFilter()

    assert thoughts.feed("\nIt greets me.</think>\n\nHello.") == "Hello."


def test_a_closing_tag_alone_is_left_out() -> None:
    thoughts = ThoughtFilter()

    assert thoughts.feed("Hello. ") + thoughts.feed("</think>More.") == "Hello. More."


def test_text_that_cannot_be_a_tag_is_not_held_back() -> None:
    thoughts = ThoughtFilter()

    assert [thoughts.feed(part) for part in ("a <", "b", " <th", "ird", "[")] == ["a ", "<b", " ", "<third", ""]
    assert thoughts.finish() == "["
