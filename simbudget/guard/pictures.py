"""Size of a picture, from the first bytes of its file, and an upper bound on its tokens.

The cost of a picture depends on pixels, not bytes: a PNG of 300 bytes can have a million of them.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

_CLAUDE_PATCH_PIXELS: Final = 28
_CLAUDE_MOST_TOKENS: Final = 4_784
"""Claude counts one token per patch of 28 × 28 pixels after scaling the picture down to the model's maximum, which is
4,784 tokens (1,568 before Claude Opus 4.7):
https://platform.claude.com/docs/en/build-with-claude/vision, read in 2026-11."""
_CLAUDE_PIXELS_PER_TOKEN: Final = 750
"""The page's earlier rule, width × height / 750, gives slightly more; the larger of the two is used."""
_CLAUDE_ALLOWANCE: Final = 1.1
"""Measured counts exceed the published ones by up to 2 %; the remainder is a safety margin."""

_OPENAI_PATCH_PIXELS: Final = 32
_OPENAI_DEAREST_PATCH: Final = 2.46
"""OpenAI counts patches of 32 × 32 pixels, times a factor of up to 2.46 by model, or tiles of 512 × 512:
https://platform.openai.com/docs/guides/images-vision."""
_OPENAI_MOST_IN_TILES: Final = 2_833 + 8 * 5_667
"""Of the models that count tiles, the most expensive (gpt-4o-mini) takes 2,833 tokens plus 5,667 per tile. A picture is
first scaled to at most 2,048 by 768 pixels, which are eight tiles."""

_JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of a JPEG file that begin a frame and state its size."""
_JPEG_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length field."""


def claude_picture_tokens(encoded: str) -> int:
    """Return an upper bound on the tokens that Claude counts for a picture in base64.

    A picture of unknown size counts as the largest one, to which any picture is scaled down.
    """
    size = picture_size(encoded)
    if size is None:
        return math.ceil(_CLAUDE_MOST_TOKENS * _CLAUDE_ALLOWANCE)
    width, height = size
    tokens = max(_patches(width, height, _CLAUDE_PATCH_PIXELS), width * height / _CLAUDE_PIXELS_PER_TOKEN)
    return math.ceil(min(tokens, _CLAUDE_MOST_TOKENS) * _CLAUDE_ALLOWANCE)


def openai_picture_tokens(encoded: str) -> int | None:
    """Return an upper bound on the tokens that an OpenAI model counts for a picture; None if its size is unknown."""
    size = picture_size(encoded)
    if size is None:
        return None
    patches = _patches(*size, _OPENAI_PATCH_PIXELS)
    return max(math.ceil(patches * _OPENAI_DEAREST_PATCH), _OPENAI_MOST_IN_TILES)


def picture_size(encoded: str) -> tuple[int, int] | None:
    """Return width and height in pixels of a PNG, JPEG or WebP in base64; None for anything else.

    A size of 0 counts as unknown: a JPEG may state its height after its image data. GIFs are not supported, as the
    size in their header may be smaller than their pictures.
    """
    try:
        data = base64.b64decode(encoded, validate=False)
    except (binascii.Error, ValueError):
        return None
    size = _stated_size(data)
    return size if size is not None and min(size) > 0 else None


def _stated_size(data: bytes) -> tuple[int, int] | None:
    """Return the size that a picture's header states; None for other formats and damaged headers."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            # Some decoders take the last header of several; what only looks like one makes the bound higher.
            headers = [found.end() for found in re.finditer(b"IHDR", data)]
            return _largest(struct.unpack(">II", data[at : at + 8]) for at in headers)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        return None
    return None


def data_of_url(part: Mapping[str, Any] | str) -> str | None:
    """Return the base64 content of a `data:` URL; None for an ordinary URL, whose content is elsewhere."""
    url = part.get("url") if isinstance(part, Mapping) else part
    if not isinstance(url, str) or not url.startswith("data:"):
        return None
    head, comma, data = url.partition(",")
    return data if comma and head.endswith(";base64") else None


def _patches(width: int, height: int, pixels: int) -> int:
    return math.ceil(width / pixels) * math.ceil(height / pixels)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return the size stated in a JPEG's frames, the largest if there are several."""
    found: list[tuple[int, int]] = []
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # decoders skip what is no marker, and may find a larger frame beyond it
            return None
        marker = data[at + 1]
        if marker == 0xFF or marker in _JPEG_ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:  # start of the image data
            break
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            found.append((width, height))
        at += 2 + length
    return _largest(found)


def _largest(sizes: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Return the size with the most pixels; None if there is none."""
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the size stated in a WebP's first chunk."""
    kind = data[12:16]
    if kind == b"VP8X":  # extended format: size of the canvas
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":  # lossless format: two numbers of 14 bits
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None
