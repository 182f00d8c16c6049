"""G.711 mu-law and A-law, bit exact to ITU-T G.711, by table.

pcm16le on one side, one byte per sample on the other. Codes are as sent on the wire: mu-law inverted, A-law with
even bits inverted (xor 0x55).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from vivavoce.audio import pcm as pcm_audio
from vivavoce.audio.pcm import IntAudio

MULAW_BIAS: Final = 33  # G.711 table 2, in units of the 14-bit uniform code
MULAW_CLIP: Final = 8158
MULAW_SILENCE: Final = 0xFF
ALAW_SILENCE: Final = 0xD5

ByteTable = npt.NDArray[np.uint8]


def decode_mulaw(codes: bytes) -> bytes:
    """Return pcm16le for mu-law codes; the loudest is 32124."""
    return _MULAW_TO_PCM[np.frombuffer(codes, np.uint8)].tobytes()


def decode_alaw(codes: bytes) -> bytes:
    """Return pcm16le for A-law codes; the loudest is 32256."""
    return _ALAW_TO_PCM[np.frombuffer(codes, np.uint8)].tobytes()


def encode_mulaw(pcm: bytes) -> bytes:
    """Return mu-law codes for pcm16le; raises ValueError for an odd number of bytes."""
    return _PCM_TO_MULAW[pcm_audio.to_int16(pcm).view(np.uint16)].tobytes()


def encode_alaw(pcm: bytes) -> bytes:
    """Return A-law codes for pcm16le; raises ValueError for an odd number of bytes."""
    return _PCM_TO_ALAW[pcm_audio.to_int16(pcm).view(np.uint16)].tobytes()


def _mulaw_decoder() -> IntAudio:
    """16-bit value of each mu-law code: segment s, step q give (2q + 33) * 2^s - 33 on the 14-bit scale."""
    code = 255 - np.arange(256)
    segment, step = code >> 4 & 7, code & 15
    magnitude = (((step << 1) + MULAW_BIAS) << segment) - MULAW_BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) << 2).astype("<i2")


def _alaw_decoder() -> IntAudio:
    """16-bit value of each A-law code: on the 13-bit scale 2q + 1 in segment 0, (2q + 33) * 2^(s-1) above."""
    code = np.arange(256) ^ 0x55
    segment, step = code >> 4 & 7, code & 15
    magnitude = np.where(segment == 0, (step << 1) + 1, ((step << 1) + 33) << np.maximum(segment - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) << 3).astype("<i2")


def _mulaw_encoder() -> ByteTable:
    """Code of each 16-bit value, indexed by its unsigned bit pattern."""
    value = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    is_negative = value < 0
    magnitude = np.minimum(np.where(is_negative, -value, value), MULAW_CLIP) + MULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    code = segment << 4 | (magnitude >> segment + 1 & 15)
    return np.asarray(np.where(is_negative, 0x7F, 0xFF) ^ code, np.uint8)


def _alaw_encoder() -> ByteTable:
    """Code of each 16-bit value, indexed by its unsigned bit pattern."""
    value = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 3
    is_negative = value < 0
    magnitude = np.where(is_negative, -value - 1, value)  # one's complement: -1 and 0 are the two smallest steps
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    code = segment << 4 | (magnitude >> np.maximum(segment, 1) & 15)
    return np.asarray(np.where(is_negative, 0x55, 0xD5) ^ code, np.uint8)


_MULAW_TO_PCM: Final = _mulaw_decoder()
_ALAW_TO_PCM: Final = _alaw_decoder()
_PCM_TO_MULAW: Final = _mulaw_encoder()
_PCM_TO_ALAW: Final = _alaw_encoder()
