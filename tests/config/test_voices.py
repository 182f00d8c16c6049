"""The table of voices: what it holds and what it refuses."""

import pytest

from vivavoce.config.voices import Voice, VoicesError, load_voices, parse_voices

ONE = '[nova]\ndescription = "x"\nspeaker = "slt"\n'


def test_the_package_has_the_ten_voices_of_the_api() -> None:
    assert set(load_voices()) == {
        "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
    }  # fmt: skip


def test_every_voice_has_a_recipe_of_its_own_and_a_description() -> None:
    voices = list(load_voices().values())

    assert len({(v.speaker, v.formant_ratio, v.pitch_hz, v.pace) for v in voices}) == len(voices)
    assert len({v.description for v in voices}) == len(voices)
    assert all(v.description for v in voices)


def test_what_is_left_out_is_the_speakers_own() -> None:
    assert parse_voices(ONE) == {"nova": Voice("x", "slt", formant_ratio=1.0, pitch_hz=None, pace=1.0, gain_db=0.0)}


def test_voices_keep_the_order_of_the_table() -> None:
    text = ONE + ONE.replace("nova", "fable") + ONE.replace("nova", "abel")

    assert list(parse_voices(text)) == ["nova", "fable", "abel"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table of voices is empty, expected at least one voice"),
        ("[nova", "the voices are not valid TOML: "),
        ("nova = 3", "voices: 'nova' must be a table such as \\[nova\\], got 3"),
        (ONE + "pich_hz = 100.0", "voices.nova: unknown key 'pich_hz'; the nearest known key is 'pitch_hz'"),
        (ONE + "zzz = 1", "voices.nova: unknown key 'zzz'$"),
        (ONE.replace('"slt"', '"bob"'), r"voices.nova: Invalid enum value 'bob' - at `\$.speaker`"),
        (ONE + "pace = 9.0", r"voices.nova: Expected `float` <= 2.0 - at `\$.pace`"),
        (ONE + 'pitch_hz = "high"', r"voices.nova: Expected `float \| null`, got `str` - at `\$.pitch_hz`"),
        ('[nova]\nspeaker = "slt"', "voices.nova: Object missing required field `description`"),
        (ONE.replace("slt", "rms") + "pitch_hz = 90.0", "voices.nova: the speaker 'rms' has a fixed pitch"),
    ],
)
def test_a_bad_table_is_refused_with_the_place_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(VoicesError, match=message):
        parse_voices(text)
