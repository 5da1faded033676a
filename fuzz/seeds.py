#!/usr/bin/env python3
"""Writes the first inputs of every target into `corpus/`, from the published vectors and from DICOM files.

    python3 fuzz/seeds.py [FOLDER-WITH-DICOM-FILES]

Needs nothing but Python. Inputs are named by their hash, so it may be run again.
"""

import base64
import hashlib
import io
import json
import pathlib
import re
import struct
import sys
import zipfile

FUZZ = pathlib.Path(__file__).resolve().parent
VECTORS = FUZZ.parent / "keys" / "vectors"

# Larger files make slow inputs; none of them says anything that a small one does not.
FILE_BYTES_MAX = 96 * 1024


def seed(target, data):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:24]).write_bytes(data)


def vector(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def unbase64(value):
    """Bytes as the vectors write them (keys/format.md 13)."""
    if isinstance(value, list):
        start, byte, times, end = value
        return base64.b64decode(start) + bytes([byte]) * times + base64.b64decode(end)
    return base64.b64decode(value)


def piece(data):
    """A part of an input, led by its length (`Parts::piece`)."""
    return struct.pack("<H", len(data)) + data if len(data) < 65536 else b""


def cbor(value):
    """The types that messages are made of; a dictionary is a record."""
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def head(kind, number):
    for size, (limit, code) in enumerate([(24, ""), (1 << 8, "B"), (1 << 16, ">H"), (1 << 32, ">I"), (1 << 64, ">Q")]):
        if number < limit:
            return bytes([kind << 5 | (23 + size if size else number)]) + (struct.pack(code, number) if code else b"")


def skip(data, at):
    """Where the item that begins at `at` ends, and what it is: kind, number, where its content starts."""
    kind, info = data[at] >> 5, data[at] & 31
    size = 1 << (info - 24) if info >= 24 else 0
    number = int.from_bytes(data[at + 1 : at + 1 + size], "big") if size else info
    start = at + 1 + size
    if kind in (2, 3):
        return start + number, kind, number, start
    end = start
    for _ in range(number * {4: 1, 5: 2}.get(kind, 0)):
        end = skip(data, end)[0]
    return end, kind, number, start


def fields(data):
    """The fields of a record, as bytes."""
    _, _, number, at = skip(data, 0)
    found = {}
    for _ in range(number):
        value = skip(data, at)[0]
        end = skip(data, value)[0]
        found[data[at]] = data[value:end]
        at = end
    return found


def string(item):
    return item[skip(item, 0)[3] :]


def people():
    for each in vector("card")["good"] + vector("card")["bad"]:
        seed("card", unbase64(each["bytes"]))
        if "text" in each:
            seed("card", each["text"].encode())
    for each in vector("card")["bad_texts"]:
        text = each["text"]
        seed("card", text.encode() if isinstance(text, str) else unbase64(text))
    for each in vector("vault")["good"] + vector("vault")["bad"]:
        file = unbase64(each["file"])
        seed("vault", file)
        seed("vault", file[8:-32])
    pairing = vector("pairing")
    for state, message in enumerate(pairing["messages"]):
        seed("pairing", bytes([min(state, 5)]) + unbase64(message["bytes"]))
    for each in pairing["bad_hello"]:
        seed("pairing", b"\0" + unbase64(each["bytes"]))


def cases():
    case = vector("case")
    accesses = []
    entries = case["entries"] + case["bad"] + case["alone"] + vector("rights")["histories"][0]["entries"]
    for each in entries:
        data = unbase64(each["bytes"])
        seed("entry", data)
        try:
            wire = fields(data)
            header, body = string(wire[0]), string(wire[1])
            seed("entry", header + body)
            accesses += [fields(fields(body)[0])[0]]
        except (KeyError, IndexError, struct.error):
            continue  # refused ones may have no such parts
    for each in vector("content")["good"] + vector("content")["bad"] + vector("content")["unknown"]:
        data = unbase64(each["bytes"])
        seed("content", data)
        seed("case", bytes([0, 0]) + piece(data) + bytes([1, 0]) + piece(data))
    for first, second in zip(accesses, accesses[1:]):
        seed("case", bytes([8, 0]) + piece(first) + bytes([0x0D, 2]) + piece(second))


def live():
    for each in vector("live")["good"]:
        seed("live", unbase64(each["content"]))
    for each in vector("live")["good"] + vector("live")["bad"]:
        seed("live", unbase64(each["bytes"]))


CASE, PEER, CHUNK = b"\xca" * 32, b"\x02" * 32, b"\x03" * 32


def messages():
    one = [PEER, [[9, b"\x29" * 32]]]
    request = {0: CASE, 1: 4, 2: [CHUNK, b"\x04" * 32]}
    chunks = {0: CASE, 1: [CHUNK]}
    return [
        [0, [{0: 1, 1: 0}]],
        [1, [[{0: CASE, 1: b"\x05" * 32, 2: True}]]],
        [2, [{0: CASE, 1: b"\x05" * 32, 2: [b"\x06" * 8, b"\x07" * 8]}]],
        [3, [{0: CASE, 1: b"\x00", 2: [one]}]],
        [4, [{0: CASE, 1: PEER, 2: [[9, b"\x29" * 32], [5, b"\x25" * 32]]}]],
        [5, [{0: CASE, 1: PEER, 2: b"\x29" * 32, 3: b"\x25" * 32}]],
        [6, [{0: CASE, 1: [b"entry", b"entry"]}]],
        [7, [{0: CASE, 1: [one], 2: 1, 3: True, 4: False}]],
        [8, [request]],
        [9, [{0: CASE, 1: hashlib.sha256(b"").digest(), 2: b"chunk"}]],
        [10, [chunks]],
        [11, [chunks]],
        [12, [chunks]],
        [13, [{0: CASE, 1: 1, 2: b"live"}]],
        [14, [[b"card"]]],
        [15, [CASE]],
        [16, [{0: CASE, 1: [one]}]],
        [17, [request]],
    ]


def lines():
    said = [cbor(message) for message in messages()]
    hello = b"\x0c" + piece(said[0])
    for message in said:
        seed("message", message)
        seed("machine", hello + b"\x0c" + piece(message) + b"\x07")
    seed("machine", b"\x27".join(b"\x0c" + piece(message) for message in said))
    seed("frames", b"".join(struct.pack(">I", len(message)) + message for message in said))
    tcp = bytes([4, 192, 0, 2, 1, 6, 0x0F, 0xA1])
    quic = bytes([4, 192, 0, 2, 1, 0x91, 2, 0x0F, 0xA1, 0xCD, 3])
    tcp6 = bytes([41]) + bytes(15) + bytes([1, 6, 0, 80])
    seed("beacon", b"".join(bytes([len(address)]) + address for address in (tcp, quic, tcp6)))
    seed("beacon", b"\x01" + bytes(16) + bytes(8 * 8))

    bundle = vector("bundle")
    head_bytes = unbase64(bundle["head"])
    segments = b"".join(map(unbase64, bundle["segments"]))
    seed("bundle", b"\0" + head_bytes + segments + head_bytes)
    seed("bundle", b"\1" + segments + head_bytes)
    case = bytes.fromhex(bundle["cases"][0]["case"])
    for message in messages():
        message = cbor(json_case(message, case))
        seed("bundle", b"\2" + bytes(11) + b"\2" + piece(message) + b"\2" + piece(message))
        seed("bundle", b"\2\1\0\1" + bytes(8) + b"\2" + piece(message))
    for each in bundle["bad"]:
        for change in each.get("with", []):
            seed("bundle", b"\1" + unbase64(change) if isinstance(change, str) else b"\1")


def json_case(message, case):
    """The same message about another case."""
    if isinstance(message, list):
        return [json_case(item, case) for item in message]
    if isinstance(message, dict):
        return {key: json_case(item, case) for key, item in message.items()}
    return case if message == CASE else message


def studies():
    study = vector("study")
    seed("manifest", unbase64(study["head"]))
    page = unbase64(study["page"]["bytes"])
    seed("manifest", b"\0" + page)
    seed("manifest", b"\3" + page)
    for each in [study["object"], study["page"]]:
        chunk = unbase64(next(iter(each["chunks"].values())))
        named = each["object"]
        reference = {
            0: bytes.fromhex(named["packed_hash"]),
            1: named["packed_bytes"],
            2: list(map(bytes.fromhex, named["chunks"])),
        }
        seed("manifest", b"\2" + piece(chunk) + cbor(reference))
    for each in vector("packing")["good"] + vector("packing")["bad"]:
        packed = unbase64(each["packed"])
        seed("packing", packed)
        seed("manifest", b"\1" + packed)
    seed("packing", bytes([0x45, 16, 0, 8, 0]) + piece(b"before") + piece(b"after") + bytes(range(256)) * 3)


def typed():
    words = vector("words")
    for each in words["recovery"] + words["bad_recovery"]:
        seed("typed", each["words"].encode())
    texts = [
        "47-crane-velvet-honey",
        "1. twin 2. input minor, fury; divide excess",
        words["cases"][0]["id"],
        "2026-11-24T10:00:00+02:00",
        "4h",
        "400/40",
        "file:2",
        "192.0.2.7:4001",
        "[2001:db8::7]:4001",
        "/ip4/192.0.2.7/udp/4001/quic-v1",
        "20040119",
        "20040119120000.123456+0200",
        "045Y",
    ]
    for text in texts:
        seed("typed", text.encode())
    for text in [
        "Known HCC since 19.01.2004, segment VII 12/14/20 mm, Dr Müller, tel. +43 1 234 56 78",
        "born 23 July 1954, PAT-0815/7, a.b@example.org, 山田太郎, 20040119, 4/5/6",
    ]:
        seed("text", text.encode())
    seed("toml", b'name = "clinic"\n[options]\ndescriptors = true\nsafe_private = false\n')
    seed(
        "toml",
        b'impression = "Old"\nagreement = "partly"\nconfidence = 90\nfindings = """\na\n"""\n'
        b'[critical]\nfinding = "f"\ncalled = "c"\nat = "a"\ntaken_by = "t"\n',
    )
    for request in [
        '"status"',
        '{"say": {"case": "amber falcon", "text": "hello", "text_checked": false}}',
        '{"card_verify": {"who": "Anna", "heard": null}}',
        '{"study_include": {"study": "s-abcd", "series": ["1"]}}',
        '{"confirm": {"yes": true}}',
    ]:
        envelope = f'{{"request": {request}, "passphrase": "x", "request_id": null, "wait_seconds": 3}}'
        seed("control", envelope.encode())


def archives(samples):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("IMAGES/1", b"one" * 50)
            archive.writestr("../2", b"two")
        seed("zip", file.getvalue())
    for path in samples:
        if path.suffix == ".zip":
            seed("zip", path.read_bytes()[:FILE_BYTES_MAX])


# The syntaxes of each target, in its order.
CODECS = {
    "jpeg": ["4.50", "4.51", "4.53", "4.55", "4.57", "4.70"],
    "jpeg_ls": ["4.80", "4.81"],
    "jpeg_2000": ["4.90", "4.91", "4.201"],
    "jpeg_xl": ["4.110", "4.112"],
    "rle": ["5", "8.1", "1.98"],
}


def images(samples):
    for path in samples:
        data = path.read_bytes()
        if len(data) <= FILE_BYTES_MAX:
            seed("import", data)
            seed("pixels", bytes([5, 4]) + struct.pack("<8d", 8, 2, 8, 12, 3, 8, 12, 8) + data)
            seed("pixels", bytes([0, 1]) + struct.pack("<2d", 3, 4) + data)
        codestream(data)


def codestream(data):
    """The first fragment of an encapsulated image, with its layout as `Pixels::read` takes it."""
    syntax = re.search(rb"\x02\x00\x10\x00UI..1\.2\.840\.10008\.1\.2\.([0-9.]+)", data, re.S)
    start = data.rfind(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff")
    if not syntax or start < 0:
        return
    rows, columns, samples = [image_attribute(data, element) for element in (0x0010, 0x0011, 0x0002)]
    first = start + 12 + 8 + int.from_bytes(data[start + 16 : start + 20], "little")
    length = int.from_bytes(data[first + 4 : first + 8], "little")
    if max(rows, columns) > 512 or length > FILE_BYTES_MAX:
        return
    width = {8: 0, 16: 1, 32: 2, 1: 3, 12: 4}.get(image_attribute(data, 0x0100), 0)
    colour = 0 if samples == 1 else 2 if b"YBR" in data else 1
    stored, signed = image_attribute(data, 0x0101), image_attribute(data, 0x0103)
    layout = struct.pack("<HHBBBB", rows, columns, width | colour << 3, stored, 1, signed)
    for target, syntaxes in CODECS.items():
        for index, name in enumerate(syntaxes):
            if syntax[1].decode().rstrip("\0") == name:
                seed(target, bytes([index]) + layout + data[first + 8 : first + 8 + length])


def image_attribute(data, element):
    """An attribute of group 0028 with VR US, the last one in the file: the first may be an icon's."""
    place = re.escape(struct.pack("<HH", 0x0028, element) + b"US\x02\0")
    found = re.findall(place + b"(..)", data, re.S)
    return int.from_bytes(found[-1], "little") if found else 0


def main():
    folders = [pathlib.Path(folder) for folder in sys.argv[1:]]
    samples = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    people()
    cases()
    live()
    lines()
    studies()
    typed()
    archives(samples)
    images(samples)
    for folder in sorted((FUZZ / "corpus").iterdir()):
        print(f"{folder.name}: {len(list(folder.iterdir()))}")


main()
