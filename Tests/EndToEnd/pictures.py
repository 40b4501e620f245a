"""Images and audio of the fake vendor and of tests: made, recognised by their first bytes, and PNG read pixel by
pixel."""

import hashlib
import struct
import zlib

IMAGE_STARTS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8", "image/webp": b"RIFF"}
AUDIO_STARTS = {
    "mp3": b"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00", "opus": b"OggS\x00\x02" + bytes(22) + b"OpusHead",
    "aac": (b"\xff\xf1\x50\x80\x03\x1f\xfc" + bytes(17)) * 200, "flac": b"fLaC\x00\x00\x00\x22\x10\x00\x10\x00",
    "wav": b"RIFF\x00\x75\x00\x00WAVEfmt ", "pcm": b"\x00\x00\x01\x00\xfe\xff\x02\x00\x00\x00\x00\x00",
}  # fmt: skip

RECORDINGS = {name: AUDIO_STARTS[name] for name in ("mp3", "opus", "flac", "wav")} | {
    "ogg": b"OggS\x00\x02" + bytes(22) + b"\x01vorbis", "webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81",
    "m4a": b"\x00\x00\x00\x1cftypM4A \x00\x00\x00\x00", "mp4": b"\x00\x00\x00\x1cftypisom\x00\x00\x00\x00",
}  # fmt: skip
STARTS = {
    kind: [IMAGE_STARTS[kind]] for kind in IMAGE_STARTS
} | {
    "audio/mpeg": [b"ID3", b"\xff"], "audio/wav": [b"RIFF"], "audio/flac": [b"fLaC"], "audio/ogg": [b"OggS"],
    "audio/webm": [b"\x1a\x45\xdf\xa3"], "audio/mp4": [RECORDINGS["m4a"][:11]], "video/mp4": [b"\x00\x00\x00\x1cftyp"],
}  # fmt: skip
"""How content of a type may begin."""


def png(width: int, height: int, rows: list[bytes], color: int = 2) -> bytes:
    """Returns a PNG of 8 bits per channel; `color`: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def picture(seed: str, width: int = 8, height: int = 8) -> bytes:
    """Returns a PNG in one colour, which depends on `seed`."""
    return png(width, height, [hashlib.sha256(seed.encode()).digest()[:3] * width] * height)


def image(seed: str, kind: str = "png") -> bytes:
    """Returns bytes of an image; only those of a PNG are a real one."""
    if kind == "png":
        return picture(seed)
    digest = hashlib.sha256(seed.encode()).digest()
    if kind in ("jpeg", "jpg"):
        return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + digest + b"\xff\xd9"
    return b"RIFF\x40\x00\x00\x00WEBPVP8 " + digest


def audio(seed: str, kind: str = "mp3", size: int = 30_000) -> bytes:
    """Returns bytes that begin like audio of `kind`."""
    digest = hashlib.sha256(seed.encode()).digest()
    return ((AUDIO_STARTS | RECORDINGS)[kind] + digest * (size // 32 + 1))[:size]


def size_of(data: bytes) -> tuple[int, int] | None:
    """Returns width and height of a PNG."""
    if not data.startswith(IMAGE_STARTS["image/png"]):
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def pixels(data: bytes) -> list[tuple[int, ...]]:
    """Returns the pixels of a PNG of 1 or 8 bits per channel that is not interlaced: grey, RGB, with or without alpha,
    palette."""
    at, content, palette = 8, b"", b""
    width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    if interlace or depth not in (1, 8) or (depth == 1 and color not in (0, 3)):
        raise ValueError("a PNG of another kind")
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        content += body if name == b"IDAT" else b""
        palette = body if name == b"PLTE" else palette
        at += 12 + length
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    line_bytes, raw = (width * channels * depth + 7) // 8, zlib.decompress(content)
    out: list[tuple[int, ...]] = []
    before = bytearray(line_bytes)
    for row in range(height):
        start = row * (line_bytes + 1)
        before = unfiltered(raw[start], raw[start + 1 : start + 1 + line_bytes], before, max(1, channels * depth // 8))
        values = list(before)
        if depth == 1:
            values = [(byte >> (7 - bit) & 1) * (255 if color == 0 else 1) for byte in before for bit in range(8)]
        for column in range(width):
            value = tuple(values[column * channels : (column + 1) * channels])
            out.append(tuple(palette[3 * value[0] : 3 * value[0] + 3]) if color == 3 else value)
    return out


def unfiltered(kind: int, line: bytes, before: bytearray, step: int) -> bytearray:
    """Returns one line of a PNG without its filter."""
    out = bytearray(line)
    for at in range(len(out)):
        left = out[at - step] if at >= step else 0
        up, corner = before[at], before[at - step] if at >= step else 0
        if kind == 4:
            guess = left + up - corner
            near = min((abs(guess - value), order, value) for order, value in enumerate((left, up, corner)))[2]
        else:
            near = (0, left, up, (left + up) // 2)[kind]
        out[at] = (out[at] + near) & 255
    return out


def is_black_and_white(data: bytes) -> bool:
    """Returns whether each pixel of a PNG is black or white, and none is transparent."""
    for pixel in pixels(data):
        alpha = pixel[-1] if len(pixel) in (2, 4) else 255
        if alpha != 255 or pixel[: 1 if len(pixel) <= 2 else 3] not in ((0,), (255,), (0, 0, 0), (255, 255, 255)):
            return False
    return True
