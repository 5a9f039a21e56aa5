"""Small files that are expensive to decode, written by hand from the formats' descriptions."""

import io
import struct
import zlib
from functools import cache

from PIL import Image


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


def with_segments(photo: bytes, segments: int, marker: int, content: bytes = b"") -> bytes:
    """A JPEG with as many equal segments before its own."""
    return photo[:2] + _segment(marker, content) * segments + photo[2:]


@cache
def slow_picture() -> bytes:
    """A good picture of 6 kB that takes its decoder about a second: 49 megapixels of one colour."""
    file = io.BytesIO()
    Image.new("P", (7000, 7000)).save(file, "PNG", transparency=0)
    return file.getvalue()


def long_comment(blocks: int, length: int = 255) -> bytes:
    """A GIF with a comment of as many blocks before its picture."""
    file = io.BytesIO()
    Image.new("P", (8, 8), 1).save(file, "GIF")
    plain = file.getvalue()
    start = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    comment = b"\x21\xfe" + (bytes([length]) + b"x" * length) * blocks + b"\0"
    return plain[:start] + comment + plain[start:]


def large_chunks(picture: bytes, size: int) -> bytes:
    """A PNG with a colour profile and a text that open to as many bytes each."""
    profile = _chunk(b"iCCP", b"big\0\0" + zlib.compress(bytes(size)))
    text = _chunk(b"zTXt", b"big\0\0" + zlib.compress(bytes(size)))
    # Behind the signature and the header.
    return picture[:33] + profile + text + picture[33:]


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


def many_fields(fields: int) -> bytes:
    """A BigTIFF of as many fields, each of a type that there is not, and no picture."""
    field = struct.pack("<HHQQ", 50_000, 99, 1, 1)
    return struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, fields) + field * fields + bytes(8)


def run_lengths(side: int, runs: bytes) -> bytes:
    """A BMP of 256 colours that is compressed by run lengths (BI_RLE8)."""
    start = 14 + 40 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    colours = b"".join(bytes((n, n, n, 0)) for n in range(256))
    return struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start) + header + colours + runs


def grid_heic(tile: bytes, columns: int, rows: int, size: tuple[int, int]) -> bytes:
    """A HEIC as phones write it, of tiles that are all the same (ISO 23008-12, section 6.6.2.3).

    Args:
        tile: A HEIC of one picture, as `specimen.heic` is.
        columns: How many tiles lie side by side.
        rows: How many lie one below the other.
        size: Width and height of a tile.
    """
    coded = tile[tile.index(b"hvcC") - 4 :][: int.from_bytes(tile[tile.index(b"hvcC") - 4 :][:4])]
    pixels = tile[tile.index(b"mdat") + 4 :]
    count, whole = columns * rows, (size[0] * columns, size[1] * rows)
    tiles = range(2, count + 2)
    infos = [_full_box(b"infe", 2, struct.pack(">HH4sB", 1, 0, b"grid", 0))]
    infos += [_full_box(b"infe", 2, struct.pack(">HH4sB", n, 0, b"hvc1", 0)) for n in tiles]
    ispe = [_full_box(b"ispe", 0, struct.pack(">II", *each)) for each in (size, whole)]
    # Of each item: how many properties, which of them.
    owned = struct.pack(">HBB", 1, 1, 3) + b"".join(struct.pack(">HBBB", n, 2, 1, 2) for n in tiles)
    shared = (
        _full_box(b"hdlr", 0, struct.pack(">I4s12xB", 0, b"pict", 0)),
        _full_box(b"pitm", 0, struct.pack(">H", 1)),
        _full_box(b"iinf", 0, struct.pack(">H", count + 1) + b"".join(infos)),
        _full_box(b"iref", 0, _box(b"dimg", struct.pack(f">HH{count}H", 1, count, *tiles))),
        _box(
            b"iprp",
            _box(b"ipco", coded + b"".join(ispe))
            + _full_box(b"ipma", 0, struct.pack(">I", count + 1) + owned),
        ),
        _box(b"idat", struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *whole)),
    )
    start = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")

    def place(offset: int) -> bytes:
        entry = ">HHHHII"
        items = struct.pack(entry, 1, 1, 0, 1, 0, 8)
        items += b"".join(struct.pack(entry, n, 0, 0, 1, offset, len(pixels)) for n in tiles)
        return _full_box(b"iloc", 1, struct.pack(">HH", 0x4400, count + 1) + items)

    def meta(offset: int) -> bytes:
        return _full_box(b"meta", 0, b"".join(shared) + place(offset))

    return start + meta(len(start) + len(meta(0)) + 8) + _box(b"mdat", pixels)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _full_box(kind: bytes, version: int, content: bytes) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]) + content)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
