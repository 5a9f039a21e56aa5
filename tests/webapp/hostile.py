"""Small files that cost their decoder much, written by hand from the formats' descriptions."""

import struct
import zlib


def many_scans(scans: int, side: int = 64, start_of_frame: int = 0xC2) -> bytes:
    """A grey progressive JPEG whose scans, but for the first, say that nothing changes.

    Args:
        scans: How many there are.
        side: Width and height in pixels.
        start_of_frame: 0xC2 is progressive Huffman coding, 0xCA progressive arithmetic coding.
    """
    blocks = (side // 8) ** 2
    tables = _segment(0xDB, b"\0" + bytes([1] * 64))
    # One code, a zero bit: "no difference" for DC, "skip 2**14 blocks and more" for AC.
    tables += _segment(0xC4, b"\x00\x01" + bytes(15) + b"\0")
    tables += _segment(0xC4, b"\x10\x01" + bytes(15) + b"\xe0")
    frame = _segment(start_of_frame, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0))
    first = _segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(blocks // 8)
    skips = -(-blocks // 32767)
    idle = _segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\x7f\xfe" * skips
    return b"\xff\xd8" + tables + frame + first + idle * (scans - 1) + b"\xff\xd9"


def many_chunks(chunks: int) -> bytes:
    """A PNG of 8 x 8 pixels with as many chunks of nothing before its picture."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(8 * 25))
    idle = _chunk(b"prVt", b"") * chunks
    picture = _chunk(b"IHDR", header) + idle + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + picture


def strips_at_one_place(strips: int, behind: int) -> bytes:
    """A grey TIFF, 1000 pixels wide, of strips one pixel high that are all the same thousand bytes.

    Args:
        strips: How many there are.
        behind: How many bytes follow.
    """
    offsets = 8 + 2 + 9 * 12 + 4
    counts, pixels = offsets + 4 * strips, offsets + 8 * strips
    longs = {256: (1, 1000), 257: (1, strips), 273: (strips, offsets), 278: (1, 1)}
    longs[279] = (strips, counts)
    shorts = {258: 8, 259: 1, 262: 1, 277: 1}
    fields = {tag: struct.pack("<HHII", tag, 4, *field) for tag, field in longs.items()}
    fields |= {tag: struct.pack("<HHII", tag, 3, 1, value) for tag, value in shorts.items()}
    directory = struct.pack("<H", 9) + b"".join(fields[tag] for tag in sorted(fields)) + bytes(4)
    places = struct.pack("<I", pixels) * strips + struct.pack("<I", 1000) * strips
    return struct.pack("<2sHI", b"II", 42, 8) + directory + places + bytes(1000 + behind)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
