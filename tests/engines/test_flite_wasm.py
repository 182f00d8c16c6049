"""The WebAssembly build: word times out of phones, the compiled program kept, what cannot be used."""

import shutil
from pathlib import Path

import pytest

from tests.engines.flite_builds import wasm_path
from vivavoce.engines.base import EngineError
from vivavoce.engines.tts.flite_build import Prosody, Timeline
from vivavoce.engines.tts.flite_wasm import FliteWasm, phone_spans


class Heard:
    """A listener that wants so many pieces."""

    def __init__(self, pieces: int) -> None:
        self.pieces: list[bytes] = []
        self.timeline: Timeline | None = None
        self._wanted = pieces

    def begin(self, timeline: Timeline) -> None:
        self.timeline = timeline

    def hear(self, pcm: bytes) -> bool:
        self.pieces.append(pcm)
        return len(self.pieces) < self._wanted


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of the program in a folder of its own."""
    return Path(shutil.copy2(wasm_path(), tmp_path / "flite.wasm"))


def test_words_end_where_their_last_phone_ends() -> None:
    timed = [("pau", 0.2), ("hh", 0.3), ("ay", 0.5), ("pau", 0.6), ("dh", 0.7), ("eh", 0.8), ("r", 1.0), ("pau", 1.2)]

    assert phone_spans([("hh", "ay"), ("dh", "eh", "r")], timed) == ((0.2, 0.5), (0.6, 1.0))


def test_a_word_with_other_phones_in_context_lies_between_its_neighbours() -> None:
    alone = [("dh", "ax"), ("ae", "p", "ax", "l"), ("z",)]
    timed = [("pau", 0.1), ("dh", 0.2), ("iy", 0.3), ("y", 0.4), ("ae", 0.5), ("p", 0.6), ("l", 0.7), ("z", 0.8)]

    spans = phone_spans(alone, timed)

    assert spans[0][0] == 0.1
    assert spans[0][1] <= spans[1][0]
    assert spans[1][1] == spans[2][0] == 0.7
    assert spans[2][1] == 0.8


def test_a_word_without_phones_has_no_length() -> None:
    assert phone_spans([("b",), (), ("d",)], [("b", 0.1), ("d", 0.2)]) == ((0.0, 0.1), (0.1, 0.1), (0.1, 0.2))


def test_words_of_a_silent_clause_have_no_length() -> None:
    assert phone_spans([("b",), ("d",)], [("pau", 0.5)]) == ((0.0, 0.0), (0.0, 0.0))


def test_the_compiled_program_is_kept_and_used_by_the_next(program: Path) -> None:
    FliteWasm(program).close()
    compiled = [path for path in program.parent.iterdir() if path != program]
    assert len(compiled) == 1
    written = compiled[0].stat().st_mtime_ns

    second = FliteWasm(program)

    heard = Heard(1000)
    second.speak(["hello"], Prosody("kal16"), heard)
    assert sum(map(len, heard.pieces)) > 16_000
    assert compiled[0].stat().st_mtime_ns == written
    second.close()


def test_a_damaged_compiled_program_is_compiled_anew(program: Path) -> None:
    FliteWasm(program).close()
    compiled = next(path for path in program.parent.iterdir() if path != program)
    compiled.write_bytes(b"\x7fELF damaged")

    FliteWasm(program).close()

    assert compiled.stat().st_size > 1_000_000


def test_a_compiled_program_that_cannot_be_kept_costs_only_time(program: Path) -> None:
    FliteWasm(program).close()
    compiled = next(path for path in program.parent.iterdir() if path != program)
    compiled.unlink()
    (compiled / "in the way").mkdir(parents=True)

    FliteWasm(program).close()

    assert sorted(program.parent.iterdir()) == sorted([program, compiled])


def test_the_listener_can_end_a_clause_early(program: Path) -> None:
    build, heard = FliteWasm(program), Heard(2)

    build.speak(["one", "two", "three", "four"], Prosody("kal16"), heard)

    assert len(heard.pieces) == 2
    assert heard.timeline is not None and len(heard.timeline.spans) == 4
    build.close()


@pytest.mark.parametrize("content", [None, b"", b"no program"])
def test_what_is_no_program_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "flite.wasm"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(EngineError, match=r"Flite's WebAssembly program '.*flite\.wasm' cannot be used: "):
        FliteWasm(path)


def test_a_program_that_is_not_flite_fails_with_an_engine_error(tmp_path: Path) -> None:
    path = tmp_path / "flite.wasm"
    path.write_bytes(b"\0asm\x01\0\0\0")  # the empty module: it has no function _start

    build = FliteWasm(path)

    with pytest.raises(EngineError):
        build.speak(["one"], Prosody("slt"), Heard(1))
    build.close()
