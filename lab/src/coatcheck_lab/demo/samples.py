"""The documents that the vault holds at first: a text, a PDF and a picture, made here."""

from __future__ import annotations

import struct
import zlib

TEXT = """Cloakroom rules

1. Hand in your coat, keep the tag.
2. The tag says nothing about the coat.
3. We give a coat out once for each tag.
4. A lost tag can be blocked at any moment. Ask at the counter.
"""

STAGE = (
    "BT /F1 26 Tf 60 760 Td (Opening night) Tj",
    "/F1 13 Tf 0 -40 Td (Doors 19:00. The cloakroom opens at 18:30.) Tj",
    "0 -22 Td (Coats by tag. Umbrellas by ticket.) Tj",
    "0 -22 Td (Every ticket admits once.) Tj ET",
)


def pdf(lines: tuple[str, ...] = STAGE) -> bytes:
    """A PDF of one A4 page with these drawing operators."""
    stream = "\n".join(lines).encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def png(size: int = 256) -> bytes:
    """A PNG of stripes, as on a coat's lining."""
    colours = (b"\x0f\x5c\x5c", b"\xf3\xe9\xd8", b"\xc6\x5d\x3b")
    rows = (b"\0" + b"".join(colours[(x + y) // 32 % len(colours)] for x in range(size)) for y in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def documents() -> list[tuple[str, str, str, bytes]]:
    """File name, media type, title and content of each."""
    return [
        ("cloakroom-rules.txt", "text/plain; charset=utf-8", "Cloakroom rules", TEXT.encode()),
        ("opening-night.pdf", "application/pdf", "Opening night", pdf()),
        ("lining.png", "image/png", "Lining of the lost coat", png()),
    ]
