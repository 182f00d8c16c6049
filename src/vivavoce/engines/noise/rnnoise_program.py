"""RNNoise 0.1 as a WebAssembly program, run by wasmtime: one instance and one memory for each stream.

The program is `rnnoise.wasm` of the npm package @jitsi/rnnoise-wasm, whose build shortens the names of its exports;
`EXPORTS` tells them as the `rnnoise.js` beside it does. It asks its host for two functions: growth of its memory, which
is refused, as 16 MiB are plenty, and a copy within its memory. The copy is a second small program, linked through a
table because the memory exists only after the program that wants the copy; in Python it would cost 50 µs per frame.
"""

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vivavoce.audio.pcm import FloatAudio
from vivavoce.engines.base import EngineError

if TYPE_CHECKING:
    import wasmtime

NAME: Final = "rnnoise"
FRAME_SAMPLES: Final = 480  # 10 ms at 48 kHz, as RNNoise takes them
FRAME_BYTES: Final = 4 * FRAME_SAMPLES
EXPORTS: Final = {"memory": "c", "constructors": "d", "create": "f", "malloc": "g", "process_frame": "j"}
IMPORTS: Final = """
(module
  (type $copy (func (param i32 i32 i32)))
  (table (export "copies") 1 funcref)
  (func (export "grow") (param i32) (result i32) i32.const 0)
  (func (export "copy") (type $copy)
    local.get 0 local.get 1 local.get 2 i32.const 0 call_indirect (type $copy)))
"""
COPY: Final = """
(module
  (import "program" "memory" (memory 0))
  (import "program" "copies" (table 1 funcref))
  (func $copy (param i32 i32 i32) local.get 0 local.get 1 local.get 2 memory.copy)
  (elem (i32.const 0) $copy))
"""


class RnnoiseProgram:
    """The program, compiled; opens any number of denoisers."""

    def __init__(self, path: Path) -> None:
        """Compile the program at `path`, 20 ms.

        Raises:
            EngineError: no wasmtime, no file, or not this program.
        """
        try:
            import wasmtime
        except ImportError as error:
            raise EngineError(NAME, "The Python package wasmtime is not installed.") from error
        try:
            self._engine = wasmtime.Engine()
            self._program = wasmtime.Module(self._engine, path.read_bytes())
            self._imports = wasmtime.Module(self._engine, IMPORTS)
            self._copy = wasmtime.Module(self._engine, COPY)
        except (OSError, wasmtime.WasmtimeError) as error:
            raise EngineError(NAME, f"RNNoise's WebAssembly program {str(path)!r} cannot be used: {error}") from error
        absent = {*EXPORTS.values()} - {export.name for export in self._program.exports}
        if absent:
            raise EngineError(NAME, f"{str(path)!r} is not RNNoise as pinned: it has no {', '.join(sorted(absent))}.")

    def open(self) -> "Denoiser":
        """Return a denoiser with a memory of its own; raises EngineError."""
        import wasmtime

        try:
            store = wasmtime.Store(self._engine)
            imports = wasmtime.Instance(store, self._imports, []).exports(store)
            program = wasmtime.Instance(store, self._program, [imports["grow"], imports["copy"]])
            wasmtime.Instance(store, self._copy, [program.exports(store)[EXPORTS["memory"]], imports["copies"]])
            return Denoiser(store, program)
        except wasmtime.WasmtimeError as error:
            raise EngineError(NAME, f"RNNoise cannot start: {error}") from error


class Denoiser:
    """One stream of frames through RNNoise. What comes out lags one frame behind what goes in."""

    def __init__(self, store: "wasmtime.Store", instance: "wasmtime.Instance") -> None:
        exports = instance.exports(store)
        # Any: exports are typed as a union of all that a program may have; the file is pinned by its sha256.
        program: dict[str, Any] = {name: exports[short] for name, short in EXPORTS.items()}
        self._store = store
        self._process_frame = program["process_frame"]
        program["constructors"](store)
        self._state = program["create"](store, 0)
        self._place = program["malloc"](store, FRAME_BYTES)
        if not self._state or not self._place:
            raise EngineError(NAME, "RNNoise has no memory for a stream.")
        base = ctypes.addressof(program["memory"].data_ptr(store).contents)  # stays: the memory never grows
        cells = (ctypes.c_float * FRAME_SAMPLES).from_address(base + self._place)
        self._frame: FloatAudio = np.ctypeslib.as_array(cells)

    def process(self, frame: FloatAudio) -> tuple[FloatAudio, float]:
        """Return the frame before this one without its noise, and the probability that this one has a voice.

        Args:
            frame: float32, shape (480,), range [-32768, 32767], 48 kHz.

        Raises:
            EngineError: the program failed; the denoiser is of no more use.
        """
        import wasmtime

        self._frame[:] = frame
        try:
            probability = self._process_frame(self._store, self._state, self._place, self._place)
        except wasmtime.WasmtimeError as error:
            raise EngineError(NAME, f"RNNoise failed: {error}") from error
        return self._frame.copy(), probability
