"""What tests measure of a voice: pitch, formants, level, audible parts. Audio is float, [-1, 1], mono, 24 kHz."""

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float64]

RATE_HZ = 24_000
FRAME = RATE_HZ // 20  # 50 ms: three periods of 60 Hz
HOP = RATE_HZ // 100
LPC_RATE_HZ = 12_000
LPC_ORDER = 14


def as_sound(pcm: bytes) -> Sound:
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32768


def frames(sound: Sound, length: int = FRAME, hop: int = HOP) -> Sound:
    """Return overlapping frames, shape (frames, length)."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, length)
    chosen: Sound = windows[::hop]
    return chosen


def levels_db(sound: Sound, length: int = HOP) -> Sound:
    """Return the level of consecutive frames of 10 ms in dBFS."""
    power = (sound[: sound.size // length * length].reshape(-1, length) ** 2).mean(axis=1)
    levels: Sound = 10 * np.log10(power + 1e-10)
    return levels


def speech_level_db(sound: Sound) -> float:
    """Return the RMS level in dBFS of the 10 ms frames that are not pauses (above -45 dBFS)."""
    levels = levels_db(sound)
    return float(10 * np.log10(np.mean(10 ** (levels[levels > -45] / 10))))


def peak_db(sound: Sound) -> float:
    """Return the largest sample in dBFS."""
    return float(20 * np.log10(np.abs(sound).max() + 1e-5))


def median_pitch_hz(sound: Sound, lowest_hz: float = 65, highest_hz: float = 400) -> float:
    """Return the median F0 of the voiced frames, by autocorrelation."""
    pitches = [pitch for frame in frames(sound) if (pitch := _pitch_hz(frame, lowest_hz, highest_hz))]
    return float(np.median(pitches))


def _pitch_hz(frame: Sound, lowest_hz: float, highest_hz: float) -> float | None:
    frame = frame - frame.mean()
    if np.sqrt(np.mean(frame**2)) < 0.02:
        return None
    spectrum = np.fft.rfft(frame * np.hanning(frame.size), 2 * frame.size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: frame.size]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(frame.size), 2 * frame.size)) ** 2)[: frame.size]
    first, last = int(RATE_HZ / highest_hz), int(RATE_HZ / lowest_hz)
    normal = correlation[: last + 1] / correlation[0] / (window[: last + 1] / window[0])
    peak = float(normal[first:].max())
    if peak < 0.6:
        return None
    lag = first + int(np.flatnonzero(normal[first:] > 0.92 * peak)[0])  # the first high peak: no octave too low
    while lag < last and normal[lag + 1] > normal[lag]:
        lag += 1
    return RATE_HZ / lag


def formants_hz(sound: Sound) -> tuple[float, float, float]:
    """Return the medians of F1, F2 and F3 over voiced frames, by linear prediction at 12 kHz."""
    half = np.convolve(sound, _HALF_BAND, "same")[::2]
    found = []
    for frame in frames(half, LPC_RATE_HZ // 40, LPC_RATE_HZ // 100):
        if np.sqrt(np.mean(frame**2)) > 0.05 and len(resonances := _resonances_hz(frame)) >= 3:
            found.append(resonances[:3])
    first, second, third = np.median(np.array(found), axis=0)
    return float(first), float(second), float(third)


_TAPS = np.arange(-32, 33)
_HALF_BAND = np.sinc(_TAPS / 2) / 2 * np.hamming(65)


def _resonances_hz(frame: Sound) -> list[float]:
    emphasised = np.append(frame[0], frame[1:] - 0.95 * frame[:-1]) * np.hamming(frame.size)
    full = np.correlate(emphasised, emphasised, "full")[frame.size - 1 : frame.size + LPC_ORDER]
    matrix = full[np.abs(np.subtract.outer(np.arange(LPC_ORDER), np.arange(LPC_ORDER)))]
    coefficients = np.linalg.solve(matrix + 1e-9 * full[0] * np.eye(LPC_ORDER), full[1:])
    roots = np.roots(np.concatenate(([1.0], -coefficients)))
    roots = roots[roots.imag > 0.01]
    pitches = np.angle(roots) * LPC_RATE_HZ / (2 * np.pi)
    bandwidths = -np.log(np.abs(roots)) * LPC_RATE_HZ / np.pi
    return sorted(float(p) for p, b in zip(pitches, bandwidths, strict=True) if 200 < p < 5500 and b < 500)


def audible_ms(sound: Sound, threshold_db: float = -40) -> tuple[float, float]:
    """Return when the first and the last sample above the threshold occur."""
    loud = np.flatnonzero(np.abs(sound) > 10 ** (threshold_db / 20))
    return loud[0] * 1000 / RATE_HZ, loud[-1] * 1000 / RATE_HZ
