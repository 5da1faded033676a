#!/usr/bin/env python3
"""An independent reader of Overread's format 1.

Written from keys/format.md and keys/bundles.md; it shares no code with the program. It checks every known-answer
vector:

    python3 overread_reader.py keys/vectors

The last line says how many checks were made; the exit status is 1 if one failed. Needs the packages blake3,
zstandard and cryptography. What an old `cryptography` cannot do (ML-KEM, Argon2id) is left out loudly.
"""

import base64
import hashlib
import hmac
import json
import math
import pathlib
import struct
import sys
import unicodedata

import blake3
import zstandard
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

try:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
except ImportError:
    Argon2id = None
try:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
except ImportError:
    MLKEM768PrivateKey = None


class Refused(Exception):
    """The bytes break a rule; the text is the vectors' word for the rule."""


def need(condition, refusal):
    if not condition:
        raise Refused(refusal)


# --- Section 1: encoding ---------------------------------------------------------------------------------------------


def decode(data, limit):
    """Deterministic CBOR of at most `limit` bytes."""
    need(len(data) <= limit, "too-long")
    try:
        value, end = decode_item(data, 0, 0)
    except (IndexError, UnicodeDecodeError):
        raise Refused("encoding")
    need(end == len(data), "encoding")
    return value


def decode_item(data, at, depth):
    need(depth < 32, "encoding")
    major, argument = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        if argument in (20, 21):
            return argument == 21, at
        need(argument == 27 and at + 8 <= len(data), "encoding")  # no null, no tag, floats in eight bytes
        return struct.unpack(">d", data[at : at + 8])[0], at + 8
    if argument >= 24:
        need(argument <= 27, "encoding")
        size = 1 << (argument - 24)
        need(at + size <= len(data), "encoding")
        argument = int.from_bytes(data[at : at + size], "big")
        at += size
        need(argument >= (24 if size == 1 else 1 << (4 * size)), "encoding")
    if major == 0:
        return argument, at
    if major == 1:
        return -1 - argument, at
    if major in (2, 3):
        need(at + argument <= len(data), "encoding")
        piece = data[at : at + argument]
        return (bytes(piece) if major == 2 else piece.decode("utf-8")), at + argument
    need(major in (4, 5) and argument <= len(data), "encoding")
    if major == 4:
        items = []
        for _ in range(argument):
            item, at = decode_item(data, at, depth + 1)
            items.append(item)
        return items, at
    pairs, before = {}, None
    for _ in range(argument):
        start = at
        key, at = decode_item(data, at, depth + 1)
        need(before is None or before < data[start:at], "encoding")
        before = data[start:at]
        pairs[key], at = decode_item(data, at, depth + 1)
    return pairs, at


def head(major, argument):
    for size, code in ((0, argument), (1, 24), (2, 25), (4, 26), (8, 27)):
        if size == 0 and argument < 24:
            return bytes([major << 5 | argument])
        if size and argument < 1 << (8 * size):
            return bytes([major << 5 | code]) + argument.to_bytes(size, "big")
    raise ValueError(argument)


def encode(value):
    if value is True or value is False:
        return bytes([0xF5 if value else 0xF4])
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode("utf-8")
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    return b"\xfb" + struct.pack(">d", value)


# Shapes: each is a function that refuses a value of another shape.


def number(low, high):
    return lambda value: need(type(value) is int and low <= value <= high, "encoding")


U32, U64, I64, I32 = number(0, 2**32 - 1), number(0, 2**64 - 1), number(-(2**63), 2**63 - 1), number(-(2**31), 2**31 - 1)


def of(kind):
    return lambda value: need(type(value) is kind, "encoding")


TEXT, BOOL, F64, BLOB = of(str), of(bool), of(float), of(bytes)


def bytes_of(length):
    return lambda value: need(type(value) is bytes and len(value) == length, "encoding")


ID = bytes_of(32)
SIGNATURE = bytes_of(64)


def list_of(shape):
    def check(value):
        need(type(value) is list, "encoding")
        for item in value:
            shape(item)

    return check


def record(required, optional=None):
    optional = optional or {}

    def check(value):
        need(type(value) is dict, "encoding")
        need(all(field in value for field in required), "encoding")
        for field, item in value.items():
            shape = required.get(field) or optional.get(field)
            need(shape is not None, "encoding")
            shape(item)

    return check


def choice(variants):
    """`[number, [fields]]`; fields marked with a tuple may be absent at the end."""

    def check(value):
        need(type(value) is list and len(value) == 2 and type(value[0]) is int, "encoding")
        fields = variants.get(value[0])
        need(fields is not None and type(value[1]) is list, "encoding")
        least = len([field for field in fields if not isinstance(field, tuple)])
        need(least <= len(value[1]) <= len(fields), "encoding")
        for field, item in zip(fields, value[1]):
            (field[0] if isinstance(field, tuple) else field)(item)

    return check


def read(data, limit, shape):
    value = decode(data, limit)
    shape(value)
    return value


def claimed_format(data, maps):
    """The number that stands first in the innermost of so many maps, before anything else is judged."""
    at = 0
    for _ in range(maps):
        if data[at : at + 1] not in [bytes([0xA0 | n]) for n in range(1, 24)] or data[at + 1 : at + 2] != b"\0":
            return None
        at += 2
    try:
        return decode_item(data, at, 0)[0]
    except (IndexError, Refused):
        return None


def shown(text):
    """Without control, bidirectional and invisible characters."""

    def unsafe(c):
        ranges = ((0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F))
        ranges += ((0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xE0000, 0xE007F))
        return unicodedata.category(c) == "Cc" or any(low <= ord(c) <= high for low, high in ranges)

    return "".join(" " if c in "\n\t" else "" if unsafe(c) else c for c in text)


def base32(data):
    return base64.b32encode(data).decode().rstrip("=").lower()


# --- Section 2: signatures and keys ----------------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point(key):
    """The point of a compressed key, or None."""
    y = int.from_bytes(key, "little") & (2**255 - 1)
    sign = key[31] >> 7
    if y >= P:
        return None
    ratio = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(ratio, (P + 3) // 8, P)
    if x * x % P != ratio:
        x = x * ROOT % P
    if x * x % P != ratio or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x, y)


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P
    return x, y


def times(scalar, a):
    total = (0, 1)
    while scalar:
        if scalar & 1:
            total = add(total, a)
        a = add(a, a)
        scalar >>= 1
    return total


def compressed(a):
    return (a[1] | (a[0] & 1) << 255).to_bytes(32, "little")


def strict_key(key):
    a = point(key)
    need(a is not None and times(8, a) != (0, 1), "weak-key")


def verify(key, label, message, signature):
    try:
        strict_key(key)
    except Refused:
        raise Refused("signature")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, label.encode() + b"\0" + message)
    except (InvalidSignature, ValueError):
        raise Refused("signature")


def public_of(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def hkdf(secret, label, *context):
    """HKDF-SHA256 without salt, 32 bytes; info = label, 0, context."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, label.encode() + b"\0" + b"".join(context) + b"\1", "sha256")


def open_sealed(key, counter, aad, sealed, refusal="sealed"):
    need(len(sealed) >= 16, refusal)
    try:
        return AESGCM(key).decrypt(counter.to_bytes(12, "big"), sealed, aad)
    except InvalidTag:
        raise Refused(refusal)


def seal(key, counter, aad, plain):
    return AESGCM(key).encrypt(counter.to_bytes(12, "big"), plain, aad)


# HPKE (RFC 9180), base mode, one message.


def labeled_extract(suite, label, ikm):
    return hmac.digest(bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def labeled_expand(suite, secret, label, info, length):
    info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(secret, block + info + bytes([n]), "sha256")
        out += block
        n += 1
    return out[:length]


def hpke_open(kem, shared, info, sealed):
    suite = b"HPKE" + kem + bytes([0, 1, 0, 2])
    none = labeled_extract(suite, b"psk_id_hash", b"")
    context = b"\0" + none + labeled_extract(suite, b"info_hash", info)
    secret = hmac.digest(shared, b"HPKE-v1" + suite + b"secret", "sha256")
    key = labeled_expand(suite, secret, b"key", context, 32)
    nonce = labeled_expand(suite, secret, b"base_nonce", context, 12)
    try:
        return AESGCM(key).decrypt(nonce, sealed, b"")
    except InvalidTag:
        raise Refused("sealed")


def notice_keys(seed):
    suite = b"KEM\0\x20"
    secret = labeled_expand(suite, labeled_extract(suite, b"dkp_prk", seed), b"sk", b"", 32)
    private = X25519PrivateKey.from_private_bytes(secret)
    return private, private.public_key().public_bytes_raw()


def open_notice(seed, case, salt, device, sealed):
    private, public = notice_keys(seed)
    encapsulation = sealed[:32]
    dh = private.exchange(X25519PublicKey.from_public_bytes(encapsulation))
    suite = b"KEM\0\x20"
    extracted = labeled_extract(suite, b"eae_prk", dh)
    shared = labeled_expand(suite, extracted, b"shared_secret", encapsulation + public, 32)
    info = b"overread/1/seal/notice\0" + case + salt + device
    return hpke_open(b"\0\x20", shared, info, sealed[32:])[0]


def xwing_keys(seed):
    """Private ML-KEM key, private X25519 key, public key of 1,216 bytes."""
    derive = seed + b"HPKE-v1" + b"KEM\x64\x7a" + b"\0\x0dDeriveKeyPair" + b"\0\x20"
    expanded = hashlib.shake_256(hashlib.shake_256(derive).digest(32)).digest(96)
    kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = X25519PrivateKey.from_private_bytes(expanded[64:])
    return kem, curve, kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def open_xwing(sealing_seed, info, seal):
    kem, curve, public = xwing_keys(sealing_seed)
    ciphertext, ephemeral = seal[:1088], seal[1088:1120]
    secrets = kem.decapsulate(ciphertext) + curve.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    shared = hashlib.sha3_256(secrets + ephemeral + public[1184:] + b"\\.//^\\").digest()
    return hpke_open(b"\x64\x7a", shared, info, seal[1120:])


def open_epoch(sealing_seed, case, commitment, device, seal):
    secret = open_xwing(sealing_seed, b"overread/1/seal/epoch\0" + case + commitment + device, seal)
    need(hkdf(secret, "overread/1/derive/epoch-commitment") == commitment, "sealed")
    return secret


def unwrap_epoch(later, epoch, wrapped, commitment):
    secret = open_sealed(hkdf(later, "overread/1/derive/epoch-wrap", epoch), 0, epoch, wrapped)
    need(hkdf(secret, "overread/1/derive/epoch-commitment") == commitment, "sealed")
    return secret


# --- Section 3: certificates and cards -------------------------------------------------------------------------------

STATEMENT = record({0: ID, 1: ID, 2: ID, 3: bytes_of(1216), 4: ID, 5: I64})
CERTIFICATE = record({0: STATEMENT, 1: SIGNATURE, 2: SIGNATURE})


def check_certificate(certificate):
    statement = certificate[0]
    for field in (0, 1, 2):
        strict_key(statement[field])
    encapsulation = int.from_bytes(statement[3][:1152], "little")
    need(all((encapsulation >> (12 * i)) & 0xFFF < 3329 for i in range(768)), "unusable-key")
    message = encode(statement)
    verify(statement[0], "overread/1/sign/device-certificate", message, certificate[1])
    verify(statement[1], "overread/1/sign/device-certificate", message, certificate[2])


CARD_STATEMENT = record(
    {0: U32, 1: ID, 2: U64, 3: TEXT, 4: TEXT, 5: list_of(TEXT), 7: list_of(TEXT), 8: list_of(CERTIFICATE)}
    | {9: list_of(ID), 10: I64, 11: I64, 12: BOOL},
    {6: TEXT},
)


def read_card(data):
    need(len(data) <= 16 * 1024, "too-long")
    need(claimed_format(data, 2) in (None, 1), "version")
    card = read(data, 16 * 1024, record({0: CARD_STATEMENT, 1: SIGNATURE}))
    statement = card[0]

    def most(length, limit):
        need(length <= limit, "limit")

    most(len(statement[8]), 6)
    most(len(statement[9]), 64)
    most(len(statement[5]), 8)
    most(len(statement[7]), 16)
    for field, limit in ((3, 128), (4, 128), (6, 64)):
        most(len(statement.get(field, "").encode()), limit)
    for specialty in statement[5]:
        most(len(specialty.encode()), 64)
    for field in (3, 4):
        need(shown(statement[field]).strip(), "empty")
    for address in statement[7]:
        most(len(address.encode()), 256)
        need(address.startswith("/") and all(33 <= ord(c) <= 126 for c in address), "address")
    need(statement[8], "empty")
    devices = [certificate[0][1] for certificate in statement[8]]
    transports = [certificate[0][2] for certificate in statement[8]]
    ascending = lambda keys: all(a < b for a, b in zip(keys, keys[1:]))
    need(ascending(devices) and ascending(statement[9]) and len(set(transports)) == len(transports), "device-order")
    need(not set(devices) & set(statement[9]), "revoked-device")
    for certificate in statement[8]:
        need(certificate[0][0] == statement[1], "foreign-device")
        try:
            check_certificate(certificate)
        except Refused:
            raise Refused("certificate")
    verify(statement[1], "overread/1/sign/card", encode(statement), card[1])
    return statement


BEGIN, END = "-----BEGIN OVERREAD CARD-----", "-----END OVERREAD CARD-----"


def read_card_text(text):
    need(len(text.encode()) <= 64 * 1024, "too-long")
    lines = [line.strip() for line in text.splitlines()]
    need(BEGIN in lines, "no-card")
    lines = lines[lines.index(BEGIN) + 1 :]
    need(END in lines, "cut-off")
    body, after = lines[: lines.index(END)], lines[lines.index(END) :]
    need(BEGIN not in after, "several-cards")
    try:
        data = base64.b64decode("".join(body), validate=True)
    except ValueError:
        raise Refused("not-base64")
    return read_card(data)


def fingerprint(identity):
    text = base32(blake3.blake3(identity).digest()[:15])
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


# --- Section 4: words ------------------------------------------------------------------------------------------------

WORDS = []


def words_of_bits(data, count):
    bits = "".join(f"{byte:08b}" for byte in data)
    return " ".join(WORDS[int(bits[i * 11 : i * 11 + 11].ljust(11, "0"), 2)] for i in range(count))


def argon2id(secret, salt, memory_kib, passes, lanes):
    return Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib).derive(secret)


def recovery_seed(text):
    typed = text.split()
    for word in typed:
        need(word in WORDS, "not-a-word")
    need(len(typed) == 24, "count")
    bits = "".join(f"{WORDS.index(word):011b}" for word in typed)
    data = int(bits, 2).to_bytes(33, "big")
    need(hashlib.sha256(data[:32]).digest()[0] == data[32], "checksum")
    return data[:32]


def spoken_name(case):
    digest = blake3.blake3(case, derive_key_context="overread/1/spoken-name").digest()
    return " ".join(WORDS[int.from_bytes(digest[i : i + 2], "big") % 2048] for i in (0, 2))


# --- Section 5: the vault --------------------------------------------------------------------------------------------

COST = record({0: U32, 1: U32, 2: U32})
WRAP = record({0: COST, 1: bytes_of(16), 2: bytes_of(48)})
VAULT = record({0: U32, 1: WRAP, 2: WRAP, 3: BLOB})
VAULT_BODY = record({0: ID, 1: ID, 2: ID, 3: ID, 4: ID, 5: ID, 6: CERTIFICATE})


def open_vault(file, passphrase=None, recovery=None):
    need(len(file) <= 16 * 1024, "damaged")
    need(file[:8] == b"ORVAULT\n", "no-vault")
    need(len(file) >= 40 and blake3.blake3(file[:-32]).digest() == file[-32:], "damaged")
    contents = file[8:-32]
    need(claimed_format(contents, 1) in (None, 1), "version")
    try:
        vault = read(contents, 16 * 1024, VAULT)
    except Refused:
        raise Refused("damaged")
    if recovery is None:
        wrap, label, secret = vault[1], b"overread/1/vault/passphrase", unicodedata.normalize("NFC", passphrase).encode()
    else:
        wrap, label, secret = vault[2], b"overread/1/vault/recovery", recovery
    cost = wrap[0]
    need(cost[0] <= 512 * 1024 and cost[1] <= 10 and cost[2] <= 4, "too-costly")
    need(cost[1] >= 1 and cost[2] >= 1 and cost[0] >= 8 * cost[2], "unusable-cost")
    stretched = argon2id(secret, wrap[1], cost[0], cost[1], cost[2])
    version = bytes([0, 0, 0, 1])
    refusal = "wrong-passphrase" if recovery is None else "wrong-recovery-code"
    key = open_sealed(stretched, 0, label + b"\0" + version + encode(cost) + wrap[1], wrap[2], refusal)
    body = open_sealed(key, 0, b"overread/1/vault/body\0" + version, vault[3], "damaged")
    try:
        body = read(body, 16 * 1024, VAULT_BODY)
        check_certificate(body[6])
    except Refused:
        raise Refused("damaged")
    statement = body[6][0]
    need((public_of(body[0]), public_of(body[2]), public_of(body[1])) == tuple(statement[i] for i in (0, 1, 2)), "damaged")
    need(notice_keys(body[4])[1] == statement[4], "damaged")
    if MLKEM768PrivateKey:
        need(xwing_keys(body[3])[2] == statement[3], "damaged")
    return body


# --- Sections 7 and 8: entries and access ----------------------------------------------------------------------------

DEVICE_SEAL = record({0: ID, 1: bytes_of(1168)})
ROLE = number(0, 4)
CHANGE = choice(
    {
        0: [ID, ROLE, list_of(CERTIFICATE), BOOL],
        1: [ID],
        2: [ID, ROLE],
        3: [ID, ID],
        4: [(ID,)],
        5: [ID],
        6: [],
    }
)
MEMBERS = record(
    {0: list_of(CHANGE), 1: ID, 2: list_of(DEVICE_SEAL), 3: list_of(record({0: ID, 1: bytes_of(48)}))}
)
ACCESS = choice({0: [MEMBERS], 1: [CERTIFICATE], 2: [list_of(record({0: ID, 1: DEVICE_SEAL}))]})
HEADER = record({0: U32, 2: ID, 3: U64, 5: list_of(ID), 6: I64, 8: ID, 9: ID, 10: ID}, {1: ID, 4: ID, 7: ID})
BODY = record({}, {0: record({1: list_of(record({0: ID, 1: bytes_of(49)}))}, {0: ACCESS}), 1: BLOB})
WIRE = record({0: BLOB, 1: BLOB, 2: SIGNATURE})
ENTRY_MAX, ACCESS_ENTRY_MAX = 64 * 1024, 256 * 1024
MEMBERS_KIND, DEVICE_KIND, KEYS_KIND = 0, 1, 2


class Entry:
    def __init__(self, data):
        wire = read(data, ACCESS_ENTRY_MAX, WIRE)
        self.header = header = read(wire[0], ENTRY_MAX, HEADER)
        need(header[0] == 1, "version")
        need(blake3.blake3(wire[1]).digest() == header[10], "body-hash")
        self.body = body = read(wire[1], ACCESS_ENTRY_MAX, BODY)
        clear = body.get(0, {})
        self.access = clear.get(0)
        self.notices = clear.get(1, [])
        self.sealed = body.get(1)
        self.id = blake3.blake3(wire[0]).digest()
        self.device, self.sequence = header[2], header[3]
        self.case, self.previous, self.parents, self.epoch = header.get(1), header.get(4), header[5], header.get(7)
        kind = self.access and self.access[0]
        need(len(data) <= ENTRY_MAX or kind in (MEMBERS_KIND, KEYS_KIND), "too-long")
        self.check_shape(kind)
        verify(self.device, "overread/1/sign/entry", wire[0], wire[2])
        for certificate in self.certificates():
            try:
                check_certificate(certificate)
            except Refused:
                raise Refused("certificate")

    def check_shape(self, kind):
        first = self.case is None
        rules = [
            len(self.parents) <= 128,
            all(a < b for a, b in zip(self.parents, self.parents[1:])),
            (self.previous is not None) == (self.sequence > 0),
            len(self.notices) <= 128,
            (self.sealed is None) == (self.header[9] == bytes(32)),
        ]
        if kind == MEMBERS_KIND:
            members = self.access[1][0]
            rules += [len(members[0]) <= 64, len(members[2]) <= 128, len(members[3]) <= 128]
            for change, fields in members[0]:
                if change == 0:
                    rules += [len(fields[2]) <= 6, all(c[0][0] == fields[0] for c in fields[2])]
            rules += [self.sealed is not None, (self.epoch is None) == first]
        else:
            rules.append((self.sealed is None) == (self.epoch is None))
        if kind == KEYS_KIND:
            rules.append(1 <= len(self.access[1][0]) <= 128)
        if first:
            rules.append(kind == MEMBERS_KIND and self.sequence == 0 and not self.parents)
        else:
            rules += [self.previous is not None or self.parents, self.sealed is not None or self.access is not None]
        need(all(rules), "shape")

    def certificates(self):
        if self.access is None or self.access[0] == KEYS_KIND:
            return []
        if self.access[0] == DEVICE_KIND:
            return [self.access[1][0]]
        return [c for change, fields in self.access[1][0][0] if change == 0 for c in fields[2]]

    def added(self):
        if self.access is None or self.access[0] != MEMBERS_KIND:
            return []
        return [fields[0] for change, fields in self.access[1][0][0] if change == 0]

    def sealing_case(self):
        return self.case or bytes(32)

    def aad(self):
        return encode(self.header | {10: bytes(32)})


class History:
    """Accepted entries of one case (section 7.4)."""

    def __init__(self, first):
        need(first.case is None, "not-first")
        self.case, self.entries, self.past, self.lamport, self.author = first.id, {}, {}, {}, {}
        identity = [c[0][0] for c in first.certificates() if c[0][1] == first.device]
        need(identity, "unknown-device")
        self.insert(first, identity[0])

    def accept(self, entry):
        if entry.id in self.entries:
            return
        need(entry.case == self.case, "other-case")
        causes = entry.parents + ([entry.previous] if entry.previous else [])
        need(all(cause in self.entries for cause in causes), "missing-cause")
        for i, parent in enumerate(entry.parents):
            need(not any(i != j and parent in self.past[other] for j, other in enumerate(causes)), "redundant-parent")
        if entry.previous:
            before = self.entries[entry.previous]
            need(before.device == entry.device and before.sequence + 1 == entry.sequence, "wrong-previous")
        past = set().union(*(self.past[cause] for cause in causes))
        if entry.epoch:
            starts = entry.epoch in past and self.entries[entry.epoch].access
            need(starts and starts[0] == MEMBERS_KIND, "unknown-epoch")
        self.insert(entry, self.author_of(entry, past))

    def author_of(self, entry, past):
        named = [
            (self.order(id), certificate[0][0])
            for id in past
            for certificate in self.entries[id].certificates()
            if certificate[0][1] == entry.device
        ]
        own = entry.access[1][0][0] if entry.access and entry.access[0] == DEVICE_KIND else None
        if named:
            identity = min(named)[1]
            need(own is None or own[0] == identity, "foreign-device")
            return identity
        need(own is not None and own[1] == entry.device, "unknown-device")
        need(any(own[0] in self.entries[id].added() for id in past), "unknown-device")
        return own[0]

    def insert(self, entry, author):
        causes = entry.parents + ([entry.previous] if entry.previous else [])
        self.entries[entry.id] = entry
        self.past[entry.id] = set().union({entry.id}, *(self.past[cause] for cause in causes))
        self.lamport[entry.id] = 1 + max((self.lamport[cause] for cause in causes), default=0)
        self.author[entry.id] = author

    def order(self, id):
        entry = self.entries[id]
        return self.lamport[id], entry.device, entry.sequence, id

    def heads(self):
        causes = {c for e in self.entries.values() for c in e.parents + ([e.previous] if e.previous else [])}
        return sorted(id for id in self.entries if id not in causes)

    def commitment(self, epoch):
        return self.entries[epoch].access[1][0][1]

    def forks(self):
        places = {}
        for id, entry in self.entries.items():
            places.setdefault((entry.device, entry.sequence), []).append(id)
        found = {}
        for (device, sequence), ids in sorted(places.items()):
            if len(ids) > 1 and device not in found:
                found[device] = sorted(ids)[:2]
        return found


def open_entry(entry, secrets):
    """The content's bytes."""
    starts = entry.access is not None and entry.access[0] == MEMBERS_KIND
    secret = secrets[entry.id if starts else entry.epoch]
    key = hkdf(secret, "overread/1/derive/entry-key", entry.sealing_case(), entry.device, entry.header[8])
    need(hkdf(key, "overread/1/derive/entry-commitment") == entry.header[9], "sealed")
    return open_sealed(key, 0, entry.aad(), entry.sealed)

# --- Section 8.3: rights ---------------------------------------------------------------------------------------------

ADD, REMOVE, SET_ROLE, REVOKE, SET_HEIR, TRANSFER, TAKE_OVER = range(7)
COURIER, OBSERVER, READER, ADMIN, OWNER = range(5)
GONE = -1


class View:
    """What a set of effective acts amounts to."""

    def __init__(self):
        self.roles, self.devices, self.unverified, self.revoked = {}, {}, {}, set()
        self.owner = self.heir = None

    def role(self, identity):
        """A role, or None for somebody who is not in the case."""
        if self.owner is not None and self.owner == identity:
            return OWNER
        lowest = min((role for _, role in self.roles.get(identity, [])), default=GONE)
        return None if lowest == GONE else min(lowest, ADMIN)

    def name(self, act, identity, device):
        self.devices.setdefault(identity, {}).setdefault(device, []).append(act)

    def standing(self, identity):
        acts = self.roles.get(identity, [])
        if self.owner == identity:
            for act, role in acts:
                if role == OWNER:
                    return act
        return min(acts, key=lambda pair: (pair[1], pair[0]))[0] if acts else None

    def rank(self, identity):
        role = self.role(identity)
        return (0, 0) if role == OWNER else (1, self.standing(identity)) if role == ADMIN else (2, 0)

    def reads(self, identity):
        return (self.role(identity) or COURIER) > COURIER


class Rights:
    def __init__(self, history):
        self.history, self.acts = history, []
        for id in sorted(history.entries, key=history.order):
            entry = history.entries[id]
            if entry.access is None or entry.access[0] == KEYS_KIND:
                continue
            if entry.access[0] == DEVICE_KIND:
                kinds = [("device", entry.access[1][0])]
            else:
                changes = [("change", change) for change in entry.access[1][0][0]]
                kinds = changes + [("epoch", None)] if entry.case is None else [("epoch", None)] + changes
            self.acts += [(entry, kind, what) for kind, what in kinds]
        self.judged = []
        for act in range(len(self.acts)):
            self.judged.append(self.judge(act, self.view(self.effective([b for b in range(act) if self.knows(act, b)]))))
        self.now = self.effective(range(len(self.acts)))
        self.current = self.view(self.now)

    def knows(self, act, before):
        a, b = self.acts[act][0], self.acts[before][0]
        return before < act if a is b else b.id in self.history.past[a.id]

    def concurrent(self, a, b):
        return a != b and not self.knows(a, b) and not self.knows(b, a)

    def author(self, act):
        return self.history.author[self.acts[act][0].id]

    def effective(self, acts):
        found = set()
        for act in sorted(acts, key=lambda act: (self.judged[act]["strength"], act)):
            standing = self.judged[act]["standing"]
            stands = self.judged[act]["allowed"] and (standing is None or standing in found)
            if stands and not any(self.concurrent(other, act) and self.voids(other, act) for other in found):
                found.add(act)
        return found

    def view(self, effective):
        view = View()
        for act in sorted(effective):
            entry, kind, what = self.acts[act]
            if kind == "device":
                view.name(act, what[0][0], what[0][1])
            if kind != "change":
                continue
            change, fields = what
            if change == ADD:
                self.set_role(view, act, fields[0], fields[1])
                view.unverified[fields[0]] = fields[3]
                for certificate in fields[2]:
                    view.name(act, fields[0], certificate[0][1])
                if entry.case is None and fields[1] == OWNER:
                    view.owner = fields[0]
            elif change == REMOVE:
                self.set_role(view, act, fields[0], GONE)
                named = view.devices.get(fields[0], {}).items()
                kept = {device: [b for b in acts if not self.knows(act, b)] for device, acts in named}
                view.devices[fields[0]] = {device: acts for device, acts in kept.items() if acts}
            elif change == SET_ROLE:
                self.set_role(view, act, fields[0], fields[1])
            elif change == REVOKE:
                view.revoked.add(fields[1])
            elif change == SET_HEIR:
                view.heir = fields[0] if fields else None
            else:
                owner = fields[0] if change == TRANSFER else self.author(act)
                if view.owner not in (None, owner):
                    self.set_role(view, act, view.owner, ADMIN)
                view.owner, view.heir = owner, None
                self.set_role(view, act, owner, OWNER)
        return view

    def set_role(self, view, act, identity, role):
        kept = [pair for pair in view.roles.get(identity, []) if not self.knows(act, pair[0])]
        view.roles[identity] = kept + [(act, role)]

    def judge(self, act, view):
        entry, kind, what = self.acts[act]
        author, first = self.author(act), entry.case is None
        role, standing = view.role(author), view.standing(author)
        if kind == "change" and first:
            strength = (0, 0)
        elif kind == "change" and what[0] == TAKE_OVER:
            strength = (1, 0)
        elif role == OWNER:
            strength = (0, 0)
        else:
            strength = (2, standing) if role == ADMIN else (3, 0)
        if standing is not None:
            strength = max(strength, self.judged[standing]["strength"])
        has_device = entry.device in view.devices.get(author, ()) and entry.device not in view.revoked
        stands = has_device and not self.knows_fork(entry)
        if kind == "change" and first:
            allowed = self.founding(what, view)
        elif kind == "device":
            certified = what[0][1]
            allowed = role is not None and (stands or certified == entry.device) and certified not in view.revoked
        elif kind == "epoch":
            allowed = stands and view.reads(author)
        else:
            allowed = stands and self.allowed(what, author, view)
        displaces = view.owner if kind == "change" and what[0] in (TRANSFER, TAKE_OVER) else None
        return {"allowed": allowed, "strength": strength, "standing": standing, "displaces": displaces}

    def knows_fork(self, entry):
        places = [e.sequence for e in map(self.history.entries.get, self.history.past[entry.id]) if e.device == entry.device]
        return len(places) != len(set(places))

    def founding(self, change, view):
        number, fields = change
        if number == ADD:
            return view.role(fields[0]) is None and (fields[1] == OWNER) == (view.owner is None)
        return number == SET_HEIR and bool(fields) and view.reads(fields[0])

    def allowed(self, change, author, view):
        number, fields = change
        role = view.role(author)
        if role is None:
            return False
        about = fields[0] if fields else None
        member = about is not None and view.role(about) is not None
        over = about is not None and role >= ADMIN and view.rank(author) < view.rank(about)
        gives = lambda given: given < ADMIN and role >= ADMIN or given == ADMIN and role == OWNER
        if number == ADD:
            return gives(fields[1]) and not member
        if number == REMOVE:
            return member and (role != OWNER if about == author else over)
        if number == SET_ROLE:
            return about != author and member and over and gives(fields[1])
        if number == REVOKE:
            return fields[1] in view.devices.get(about, ()) and (about == author or over)
        if number == SET_HEIR:
            return role == OWNER and (about is None or about != author and view.reads(about))
        if number == TRANSFER:
            return role == OWNER and about != author and view.reads(about)
        return view.heir == author and role != OWNER

    def needs(self, act):
        entry, kind, what = self.acts[act]
        if kind == "device" or kind == "change" and entry.case is None:
            return COURIER
        if kind == "epoch":
            return OBSERVER
        number, fields = what
        if number in (SET_HEIR, TRANSFER) or number in (ADD, SET_ROLE) and fields[1] == ADMIN:
            return OWNER
        if number == TAKE_OVER or number in (REMOVE, REVOKE) and fields[0] == self.author(act):
            return COURIER
        return ADMIN

    def cuts_off(self, act, author, device, needed):
        _, kind, what = self.acts[act]
        if kind != "change":
            return False
        number, fields = what
        if number == REMOVE:
            return fields[0] == author
        if number == SET_ROLE:
            return fields[0] == author and fields[1] < needed
        if number == REVOKE:
            return fields[1] == device
        return number in (TRANSFER, TAKE_OVER) and self.judged[act]["displaces"] == author and needed == OWNER

    def voids(self, stronger, act):
        entry, kind, what = self.acts[act]
        if self.cuts_off(stronger, self.author(act), entry.device, self.needs(act)):
            return True
        if self.acts[stronger][1] != "change":
            return False
        number, fields = self.acts[stronger][2]
        other = what[0] if kind == "change" else None
        about = what[1][0] if kind == "change" and what[1] else what[0][0] if kind == "device" else None
        if number == REMOVE:
            return about == fields[0]
        if number == SET_HEIR:
            return other == TAKE_OVER and (fields[0] if fields else None) != self.author(act)
        if number == TRANSFER:
            return other in (TAKE_OVER, TRANSFER) or other in (REMOVE, SET_ROLE) and about == fields[0]
        return number == TAKE_OVER and other in (REMOVE, SET_ROLE) and about == self.author(stronger)

    def verdict(self, entry, needed):
        if self.knows_fork(entry):
            return "after-fork"
        past = self.history.past[entry.id]
        view = self.view({a for a in self.now if self.acts[a][0] is not entry and self.acts[a][0].id in past})
        author = self.history.author[entry.id]
        role = view.role(author)
        has_device = entry.device in view.devices.get(author, ()) and entry.device not in view.revoked
        if not has_device or role is None or role < needed:
            return "rightless"
        for act in self.now:
            at = self.acts[act][0]
            concurrent = at.id not in past and entry.id not in self.history.past[at.id]
            if concurrent and self.cuts_off(act, author, entry.device, needed):
                return "cut-off"
        return "counts"

    def took_effect(self, entry):
        return all(act in self.now for act in range(len(self.acts)) if self.acts[act][0] is entry)

    def members(self):
        """`{identity: (role, devices)}` as it is now."""
        gone = self.current.revoked | set(self.history.forks())
        roles = {identity: self.current.role(identity) for identity in self.current.roles}
        here = sorted(identity for identity, role in roles.items() if role is not None)
        return {i: (roles[i], sorted(set(self.current.devices.get(i, {})) - gone)) for i in here}

    def heir(self):
        heir = self.current.heir
        return heir if heir is not None and self.current.role(heir) is not None else None


# --- Section 9: content ----------------------------------------------------------------------------------------------

OBJECT = record({0: ID, 1: U64, 2: list_of(ID)})
GAPS = record({0: U32, 1: U32})
SERIES = record(
    {0: TEXT, 1: TEXT, 2: TEXT, 4: TEXT, 5: U32, 6: U32, 7: GAPS, 8: U64, 9: list_of(OBJECT)}, {3: I32}
)
STUDY_HEAD = record({0: TEXT, 1: TEXT, 2: TEXT, 3: list_of(TEXT), 4: list_of(TEXT), 6: U32, 7: list_of(SERIES)}, {5: I32})
IMAGE = record({0: ID, 1: TEXT, 2: U32})
POINT = record({0: F64, 1: F64})
MEASURED = record({0: F64, 1: TEXT, 2: TEXT})
CALL = record({0: TEXT, 1: TEXT, 2: TEXT})
SERIES_BASIS = record({0: ID, 1: TEXT, 2: U32, 3: U32}, {4: U32, 5: F64, 6: TEXT, 7: U32})
BASIS = record({0: ID, 1: list_of(ID), 2: list_of(SERIES_BASIS), 3: BOOL})
WINDOW = choice({0: [], 1: [], 2: [U32], 3: [TEXT], 4: [F64, F64]})
SHOWN = record({0: IMAGE, 1: TEXT, 2: WINDOW, 3: U32, 4: BOOL, 5: BOOL}, {6: record({0: F64, 1: POINT})})
VIEW = record({0: U32, 1: U32, 2: U32, 3: list_of(record({}, {0: SHOWN}))})
CONTENT = {
    0: record({0: list_of(record({0: ID, 1: TEXT, 2: TEXT}))}, {1: TEXT}),
    1: record({}, {0: TEXT, 1: TEXT, 2: TEXT, 3: number(0, 2), 4: I64, 5: number(0, 1)}),
    2: record({0: ID, 1: choice({0: [], 1: [U32]}), 2: ID, 3: STUDY_HEAD}),
    3: record({0: ID}, {1: TEXT}),
    4: record({1: IMAGE, 2: number(0, 9), 3: list_of(POINT)}, {0: ID, 4: TEXT, 5: MEASURED, 6: TEXT}),
    5: record({0: ID}),
    6: record({0: TEXT, 1: number(0, 2), 5: BASIS}, {2: TEXT, 3: TEXT, 4: U32, 6: CALL}),
    7: record({0: ID, 1: TEXT}),
    8: record({0: TEXT}, {1: VIEW, 2: ID}),
    9: record({0: TEXT}, {1: CALL, 2: ID}),
    10: record({0: list_of(ID), 1: list_of(ID), 2: list_of(ID)}),
}
TEXT_MAX, LINE_MAX = 32 * 1024, 1024


def check_view(view):
    rows, columns, active, viewports = (view[field] for field in range(4))
    need(len(viewports) <= 9, "limit")
    need(1 <= rows <= 3 and 1 <= columns <= 3 and len(viewports) == rows * columns and active < len(viewports), "range")
    for shown_image in (viewport[0] for viewport in viewports if 0 in viewport):
        image, series, (kind, window) = shown_image[0], shown_image[1], shown_image[2]
        need(len(image[1].encode()) <= LINE_MAX and len(series.encode()) <= LINE_MAX, "limit")
        need(image[2] > 0 and shown_image[3] <= 3, "range")
        need(kind != 2 or window[0] > 0, "range")
        need(kind != 3 or len(window[0].encode()) <= 64, "limit")
        need(kind != 4 or (0 < window[0] <= 1e9 and abs(window[1]) <= 1e9), "range")
        if 6 in shown_image:
            span, centre = shown_image[6][0], shown_image[6][1]
            need(1e-3 <= span <= 1e7 and abs(centre[0]) <= 1e6 and abs(centre[1]) <= 1e6, "range")


def read_content(data):
    """`(kind, fields)`; the fields of an unknown kind are None."""
    value = decode(data, ENTRY_MAX)
    need(type(value) is list and len(value) == 2, "encoding")
    kind, fields = value
    U32(kind)
    if kind > 10:
        return kind, None
    CONTENT[kind](fields)

    def most(text, limit):
        need(len(text.encode()) <= limit, "limit")

    texts = {0: [1], 1: [0, 1, 2], 3: [1], 6: [0, 2, 3], 7: [1], 8: [0], 9: [0]}
    for field in texts.get(kind, []):
        most(fields.get(field, ""), TEXT_MAX)
    if kind == 0:
        need(len(fields[0]) <= 64, "limit")
        for person in fields[0]:
            most(person[1], LINE_MAX)
            most(person[2], LINE_MAX)
    if kind == 2:
        need(len(encode(fields[3])) <= 56 * 1024, "range")
    if kind == 4:
        need(len(fields[3]) <= 512, "limit")
        finite = all(math.isfinite(p[0]) and math.isfinite(p[1]) for p in fields[3])
        need(fields[3] and fields[1][2] > 0 and finite, "range")
        need(5 not in fields or math.isfinite(fields[5][0]), "range")
        most(fields[1][1], LINE_MAX)
        most(fields.get(4, ""), LINE_MAX)
    if kind == 6:
        need(fields[0].strip() and fields.get(4, 0) <= 100, "range")
        need(len(fields[5][1]) <= 256 and len(fields[5][2]) <= 256, "limit")
    if kind == 8 and 1 in fields:
        check_view(fields[1])
    if kind == 10:
        need(all(len(fields[i]) <= 512 for i in range(3)), "limit")
    return kind, fields


# --- Section 14: live messages ---------------------------------------------------------------------------------------

LIVE_MAX = 16 * 1024
STATEMENT = record({0: U32, 1: ID, 2: ID, 3: ID, 4: U64, 5: U64, 6: ID, 7: BLOB})
PENCIL = record({0: IMAGE, 1: number(0, 9), 2: list_of(POINT)})
LIVE = {0: record({0: BOOL}), 1: record({}, {0: PENCIL})}
LIVE_NEEDS = {0: 1, 1: 2}


def read_live_content(data):
    """`(kind, fields)`; the fields of an unknown kind are None."""
    value = decode(data, LIVE_MAX)
    need(type(value) is list and len(value) == 2, "encoding")
    kind, fields = value
    number(0, 7)(kind)
    if kind not in LIVE:
        return kind, None
    LIVE[kind](fields)
    if kind == 1 and 0 in fields:
        image, points = fields[0][0], fields[0][2]
        need(len(points) <= 512, "limit")
        finite = all(math.isfinite(p[0]) and math.isfinite(p[1]) for p in points)
        need(points and image[2] > 0 and finite, "range")
        need(len(image[1].encode()) <= LINE_MAX, "limit")
    return kind, fields


class Heard:
    """What a receiver that knows the epoch takes (14.3)."""

    def __init__(self, case, epoch, secret, members):
        self.case, self.epoch, self.secret, self.members = case, epoch, secret, members
        self.sessions, self.counters = {}, {}

    def hear(self, sender, slot, data):
        wire = read(data, LIVE_MAX, record({0: BLOB, 1: SIGNATURE}))
        need(claimed_format(wire[0], 1) in (None, 1), "version")
        statement = read(wire[0], LIVE_MAX, STATEMENT)
        case, device, epoch, session, counter, salt = (statement[field] for field in range(1, 7))
        need(case == self.case, "other-case")
        need(device == sender, "forwarded")
        need(self.members.get(device, 0) > 0, "stranger")
        need(epoch == self.epoch, "epoch")
        verify(device, "overread/1/sign/live", wire[0], wire[1])
        key = hkdf(self.secret, "overread/1/derive/live-key", case, device, salt)
        opened = open_sealed(key, 0, encode({**statement, 7: b""}), statement[7])
        kind, fields = read_live_content(opened)
        need(self.members[device] >= LIVE_NEEDS.get(kind, 1), "rightless")
        need(kind == slot, "other-kind")
        newest = self.sessions.get(device, session)
        need(session >= newest, "old")
        if session > newest:
            self.counters = {of: number for of, number in self.counters.items() if of[0] != device}
        need(counter > self.counters.get((device, kind), -1), "old")
        self.sessions[device], self.counters[device, kind] = session, counter
        return session, counter, opened, fields


# --- Section 10: studies ---------------------------------------------------------------------------------------------

PIECE = 256 * 1024 - 16
BAND = 512 * 1024


def inflate(data, length):
    """Exactly `length` bytes; memory never grows beyond one more."""
    try:
        out = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(length + 1)
    except zstandard.ZstdError:
        raise Refused("damaged")
    need(len(out) == length, "damaged")
    return out


def unpack(packed, limit):
    need(packed, "truncated")
    need(packed[0] == 1, "version")
    need(len(packed) >= 76, "truncated")
    u32 = lambda at: int.from_bytes(packed[at : at + 4], "little")
    u64 = lambda at: int.from_bytes(packed[at : at + 8], "little")
    sample, interleaved, flags, columns, rows = packed[1], packed[2], packed[3], u32(4), u32(8)
    before, pixels, after, outer_packed = u64(12), u64(20), u64(28), u64(36)
    row = 0
    if sample:
        row = columns * interleaved * sample
        need(sample in (1, 2) and 1 <= interleaved <= 4 and rows > 0 and 1 <= row <= BAND, "damaged")
    need(before + pixels + after <= limit and before + after <= 256 * 1024 * 1024, "too-long")
    at = 76

    def take(count):
        nonlocal at
        need(at + count <= len(packed), "truncated")
        at += count
        return packed[at - count : at]

    outer = inflate(take(outer_packed), before + after)
    out = bytearray()
    predictor = Predictor(sample, interleaved, flags, columns, rows) if sample else None
    whole_rows = pixels // row if row else 0
    plain = pixels - whole_rows * row
    while whole_rows or plain:
        count = min(whole_rows, BAND // row) if whole_rows else 0
        length = count * row or min(plain, BAND)
        whole_rows -= count
        plain -= 0 if count else length
        method = take(1)[0]
        squeezed = take(int.from_bytes(take(4), "little"))
        if method == 0:
            need(len(squeezed) == length, "damaged")
            band = bytes(squeezed)
        elif method == 1 or (method == 2 and count):
            band = inflate(squeezed, length)
        else:
            raise Refused("damaged")
        if method == 2:
            band = predictor.rebuild(band, count)
        elif count:
            predictor.remember(band, count)
        out += band
    need(at == len(packed), "damaged")
    file = outer[:before] + bytes(out) + outer[before:]
    need(blake3.blake3(file).digest() == packed[44:76], "other-bytes")
    return file


class Predictor:
    """MED there and back again: only back."""

    def __init__(self, sample, interleaved, flags, columns, rows):
        self.size, self.parts, self.columns, self.rows = sample, interleaved, columns, rows
        self.big, self.flip = bool(flags & 1), 0 if sample == 1 or flags & 2 else 0x8000
        self.mask = (1 << 8 * sample) - 1
        self.last = [[0] * columns for _ in range(interleaved)]
        self.done = 0

    def ordered(self, bits):
        """A sample as the predictor compares it: bytes as they are, words as signed numbers."""
        return bits - 0x10000 if self.size == 2 and bits & 0x8000 else bits

    def stored(self, value):
        bits = (value & self.mask) ^ self.flip
        return bits.to_bytes(self.size, "big" if self.big else "little")

    def rebuild(self, planes, count):
        columns, size, parts = self.columns, self.size, self.parts
        band = bytearray(len(planes))
        high = len(planes) // size
        for part in range(parts):
            last = self.last[part]
            for y in range(count):
                if (self.done + y) % self.rows == 0:
                    last = [0] * columns
                place = (part * count + y) * columns
                left = corner = 0
                here = []
                for x in range(columns):
                    z = planes[place + x] | (planes[high + place + x] << 8 if size == 2 else 0)
                    distance = (z >> 1) ^ -(z & 1)
                    low, top = min(left, last[x]), max(left, last[x])
                    foretold = low + top - min(max(corner, low), top)
                    left = self.ordered((foretold + distance) & self.mask)
                    corner = last[x]
                    here.append(left)
                    at = ((y * columns + x) * parts + part) * size
                    band[at : at + size] = self.stored(left)
                last = here
            self.last[part] = last
        self.done += count
        return bytes(band)

    def remember(self, band, count):
        row = band[-self.columns * self.parts * self.size :]
        for part in range(self.parts):
            for x in range(self.columns):
                at = (x * self.parts + part) * self.size
                bits = int.from_bytes(row[at : at + self.size], "big" if self.big else "little")
                self.last[part][x] = self.ordered(bits ^ self.flip)
        self.done += count


def chunk_key(study_key, packed_hash):
    return hkdf(study_key, "overread/1/derive/object-key", packed_hash)


def place(index, count):
    return index.to_bytes(4, "big") + count.to_bytes(4, "big")


def open_object(study_key, reference, chunks):
    packed_hash, length, names = unhex(reference["packed_hash"]), reference["packed_bytes"], reference["chunks"]
    count = -(-length // PIECE)
    need(len(names) <= 16385 and len(names) == count, "count")
    key, packed = chunk_key(study_key, packed_hash), b""
    for index, name in enumerate(names):
        need(name in chunks, "missing")
        sealed = b64(chunks[name])
        need(blake3.blake3(sealed).hexdigest() == name, "damaged")
        packed += open_sealed(key, index, place(index, count), sealed, "damaged")
    need(len(packed) == length and blake3.blake3(packed).digest() == packed_hash, "other-bytes")
    return packed


GEOMETRY = record({0: TEXT, 1: TEXT, 2: TEXT, 3: TEXT})
INSTANCE = record(
    {0: TEXT, 1: TEXT, 3: TEXT, 4: U32, 5: U32, 6: U32, 8: ID, 9: U64, 10: OBJECT}, {2: I32, 7: GEOMETRY}
)
PAGE = record({0: TEXT, 1: U32, 2: list_of(INSTANCE)})
PAGE_MAX = 2 * 1024 * 1024


def read_page(packed):
    data = unpack(packed, PAGE_MAX)
    page = read(data, PAGE_MAX, PAGE)
    need(1 <= len(page[2]) <= 500, "page-count")
    return data, page

# --- Section 11: the fold --------------------------------------------------------------------------------------------

NEEDS = {0: OBSERVER, 1: ADMIN, 8: OBSERVER, 10: OBSERVER}


class State:
    """What a case says; `secrets` must hold every epoch's."""

    def __init__(self, history, secrets):
        self.history, self.rights, self.outcomes = history, Rights(history), {}
        self.order = sorted(history.entries, key=history.order)
        self.unknown, self.malformed, self.versions, self.names = set(), set(), {}, {}
        self.studies, self.withdrawals, self.marks, self.drawn, self.deleted = [], [], [], {}, {}
        self.opinions, self.addenda, self.messages, self.criticals = [], [], [], []
        self.receipts, self.deletions, self.questions = {}, {}, []
        for id in self.order:
            self.outcomes[id] = self.open(history.entries[id], secrets)

    def open(self, entry, secrets):
        if entry.sealed is None:
            if entry.access[0] == DEVICE_KIND and self.rights.took_effect(entry):
                return "counts"
            return self.rights.verdict(entry, COURIER)
        try:
            kind, fields = read_content(open_entry(entry, secrets))
        except Refused:
            self.malformed.add(entry.id)
            return "malformed"
        if fields is None:
            self.unknown.add(entry.id)
            return "unknown"
        needed = OWNER if kind == 1 and 5 in fields else NEEDS.get(kind, READER)
        verdict = self.rights.verdict(entry, needed)
        if verdict == "rightless" and entry.case is None:
            verdict = "counts"
        if verdict != "counts":
            return verdict
        return "counts" if self.take(entry, kind, fields) else "void"

    def hers(self, other, entry):
        """Whether the same person wrote `other`, and this entry knows it."""
        author = self.history.author
        return other is not None and author[other] == author[entry.id] and other in self.history.past[entry.id]

    def take(self, entry, kind, fields):
        id, author = entry.id, self.history.author[entry.id]
        if kind == 0:
            if entry.access is None or entry.access[0] != MEMBERS_KIND or not self.rights.took_effect(entry):
                return False
            added = {change[1][0] for change in entry.access[1][0][0] if change[0] == ADD}
            self.names.update({p[0]: {0: p[1], 1: p[2]} for p in fields[0] if p[0] in added})
        elif kind == 1:
            for field, value in fields.items():
                number = self.versions[field][4] + 1 if field in self.versions else 1
                self.versions[field] = {0: value, 1: id, 2: author, 3: entry.header[6], 4: number}
            if 0 in fields:
                self.questions.append(id)
        elif kind == 2:
            if hkdf(fields[2], "overread/1/derive/study-name") != fields[0]:
                return False
            self.studies.append((id, fields))
        elif kind == 3:
            added = any(s[0] == fields[0] and self.history.author[at] == author for at, s in self.studies)
            if not added and self.rights.verdict(entry, OWNER) != "counts":
                return False
            self.withdrawals.append((id, fields[0]))
        elif kind == 4:
            if 0 in fields and not self.hers(self.drawn.get(fields[0]), entry):
                return False
            if 0 not in fields:
                self.drawn[id] = id
            self.marks.append((id, fields))
        elif kind == 5:
            if not self.hers(self.drawn.get(fields[0]), entry):
                return False
            self.deleted.setdefault(fields[0], []).append(id)
        elif kind == 6:
            self.opinions.append((id, fields))
        elif kind == 7:
            if fields[0] not in [at for at, _ in self.opinions] or not self.hers(fields[0], entry):
                return False
            self.addenda.append((id, fields))
        elif kind == 8:
            self.messages.append((id, fields))
        elif kind == 9:
            self.criticals.append((id, fields))
        else:
            for field in (0, 1):
                for read_ in fields[field]:
                    self.receipts.setdefault(read_, (set(), set()))[field].add(author)
            for study_ in fields[2]:
                self.deletions.setdefault(study_, set()).add(author)
        return True

    def stamp(self, id, may_be_late=True):
        entry, history = self.history.entries[id], self.history
        causes = entry.parents + ([entry.previous] if entry.previous else [])
        closing = self.versions.get(5)
        late = may_be_late and closing is not None and closing[0] == 1 and id not in history.past[closing[1]]
        contradicts = any(history.entries[cause].header[6] > entry.header[6] + 120_000 for cause in causes)
        flags = {0: late, 1: entry.device in history.forks(), 2: contradicts}
        return {0: id, 1: history.author[id], 2: entry.device, 3: entry.header[6], 4: flags}

    def said(self, list_):
        return [{0: self.stamp(id), 1: fields} for id, fields in list_]

    def study_states(self):
        states = []
        for study_ in {fields[0] for _, fields in self.studies}:
            added = [pair for pair in self.studies if pair[1][0] == study_]
            gone = [id for id, withdrawn in self.withdrawals if withdrawn == study_]
            standing = [pair for pair in added if all(id in self.history.past[pair[0]] for id in gone)]
            id, fields = (standing or added[-1:])[0]
            state = {0: study_, 1: fields[1], 2: fields[3], 3: self.stamp(id)}
            if not standing:
                state[4] = self.stamp(gone[0], may_be_late=False)
            states.append((fields[1][0], fields[1][1], self.history.order(id), state))
        return [state for *_, state in sorted(states, key=lambda state: state[:3])]

    def mark_states(self):
        latest = {}
        for id, fields in self.marks:
            mark = fields.get(0, id)
            if not any(id in self.history.past[deletion] for deletion in self.deleted.get(mark, [])):
                latest[mark] = (id, fields)
        states = sorted(latest.items(), key=lambda item: self.history.order(item[1][0]))
        return [{0: mark, 1: self.stamp(id), 2: fields} for mark, (id, fields) in states]

    def opinion_states(self):
        added = sorted([id for id, _ in self.studies] + self.questions, key=self.history.order)
        return [
            {
                0: id,
                1: self.stamp(id),
                2: fields,
                3: self.said([pair for pair in self.addenda if pair[1][0] == id]),
                4: [other for other in added if other not in self.history.past[id]],
            }
            for id, fields in self.opinions
        ]

    def shared(self):
        rights, history = self.rights, self.history
        unverified = rights.current.unverified
        members = {i: {0: r, 1: d, 2: unverified.get(i, False)} for i, (r, d) in rights.members().items()}
        state = {0: members}
        if rights.heir() is not None:
            state[1] = rights.heir()
        state |= {2 + field: version for field, version in sorted(self.versions.items())}
        state |= {8: self.study_states(), 9: self.mark_states(), 10: self.opinion_states()}
        state |= {11: self.said(self.messages), 12: self.said(self.criticals)}
        state[13] = {id: {0: sorted(o), 1: sorted(r)} for id, (o, r) in sorted(self.receipts.items())}
        state[14] = {id: sorted(people) for id, people in sorted(self.deletions.items())}
        state[15] = [
            {0: device, 1: history.author[proof[0]], 2: proof[0], 3: proof[1]}
            for device, proof in sorted(history.forks().items())
        ]
        state |= {16: sorted(self.unknown), 17: sorted(self.malformed), 18: dict(sorted(self.names.items()))}
        return encode(state)


# --- Section 6: pairing ----------------------------------------------------------------------------------------------

POINT_33 = bytes_of(33)
HELLO = record({0: U32, 1: number(0, 65535), 2: POINT_33})
PAIRING = choice({0: [HELLO], 1: [POINT_33], 2: [ID], 3: [ID, BLOB], 4: [BLOB], 5: [BLOB], 6: [number(0, 4)]})
M = bytes.fromhex("15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312")
N = bytes.fromhex("f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3")
BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
OPENER, JOINER = b"overread/1 opener", b"overread/1 joiner"


def password_scalar(code):
    extracted = hmac.digest(bytes(32), code.encode(), "sha256")
    out = labeled = hmac.digest(extracted, b"SPAKE2 pw\1", "sha256")
    out += hmac.digest(extracted, labeled + b"SPAKE2 pw\2", "sha256")
    return int.from_bytes(out[:48], "big") % ORDER


def read_hello(data, code):
    kind, fields = read(data, 32 * 1024, PAIRING)
    need(kind != 0 or fields[0][0] == 1, "version")
    need(kind == 0, "unexpected")
    need(fields[0][1] == int(code.split("-")[0]), "wrong-nameplate")
    element = fields[0][2]
    need(element[:1] == b"B" and point(element[1:]) is not None, "wrong-code")
    return fields[0]


class Pairing:
    """The joiner's side, with the random number it drew."""

    def __init__(self, code, randomness, answer):
        sha = lambda data: hashlib.sha256(data).digest()
        secret, password = int.from_bytes(randomness, "little") % ORDER, password_scalar(code)
        own = compressed(add(times(secret, BASE), times(password, point(N))))
        theirs = point(answer[1:])
        unblinded = add(theirs, times((ORDER - password) % ORDER, point(M)))
        shared = compressed(times(secret, unblinded))
        transcript = [sha(code.encode()), sha(OPENER), sha(JOINER), answer[1:], own, shared]
        self.element = b"B" + own
        self.key = sha(b"".join(transcript))
        number = int(code.split("-")[0])
        self.context = bytes([0, 0, 0, 1]) + number.to_bytes(2, "big") + answer + self.element

    def confirmation(self, role):
        return hkdf(self.key, "overread/1/derive/pairing-confirm", b"key", role, self.context)

    def open(self, role, number, aad, sealed):
        return open_sealed(hkdf(self.key, "overread/1/derive/pairing-seal", role, self.context), number, aad, sealed)

    def transcript(self, opener_card, joiner_card):
        cards = [blake3.blake3(card).digest() for card in (opener_card, joiner_card)]
        return hkdf(self.key, "overread/1/derive/pairing-confirm", b"cards", self.context, *cards)


# --- Bundles (keys/bundles.md) ---------------------------------------------------------------------------------------

MAGIC, VERSION = bytes.fromhex("6f766572726561642062756e646c650a"), bytes([0, 0, 0, 1])
BUCKETS, SEAL = (8, 16, 32, 64, 128), 1168
SEGMENT, PAYLOAD, NO_RECORD = 65_536, 65_517, 0xFFFF
FRAME_MAX, OPENING_MAX, CLOSING_MAX = 2_097_152, 83_968, 158_720
OPENING, MESSAGE, CLOSING = 1, 2, 3


def array(*shapes):
    def check(value):
        need(type(value) is list and len(value) == len(shapes), "encoding")
        for shape, item in zip(shapes, value):
            shape(item)

    return check


BUNDLED_CASE = record({0: ID, 1: ID})
OPENING_STATEMENT = record({0: U32, 1: bytes_of(16), 2: ID, 3: ID, 4: CERTIFICATE, 5: I64, 6: list_of(BUNDLED_CASE)})
OPENING_FRAME = record({0: OPENING_STATEMENT, 1: SIGNATURE})
CLOSING_STATEMENT = record({0: ID, 1: ID, 2: U64, 3: list_of(record({0: ID, 1: U64, 2: U64, 3: U64}))})
CLOSING_FRAME = record({0: BLOB, 1: CLOSING_STATEMENT, 2: SIGNATURE})
FRONTIER = list_of(array(ID, list_of(array(U64, ID))))
ENTRIES_MESSAGE, CHUNK_MESSAGE, CARDS_MESSAGE, FRONTIER_MESSAGE = 6, 9, 14, 16
MESSAGES = {
    ENTRIES_MESSAGE: record({0: ID, 1: list_of(BLOB)}),
    CHUNK_MESSAGE: record({0: ID, 1: ID, 2: BLOB}),
    CARDS_MESSAGE: list_of(BLOB),
    FRONTIER_MESSAGE: record({0: ID, 1: FRONTIER}),
}


def is_ascending(items):
    return all(a < b for a, b in zip(items, items[1:]))


def hashed(data):
    return blake3.blake3(data).digest()


def head_bytes(seals):
    return 38 + SEAL * seals + 32


def read_head(data):
    """The head that `data` starts with."""
    need(len(data) >= 38 and data[:16] == MAGIC, "no-bundle")
    need(data[16:20] == VERSION, "version")
    seals = int.from_bytes(data[36:38], "big")
    need(seals in BUCKETS and len(data) >= head_bytes(seals), "damaged")
    found = data[: head_bytes(seals)]
    need(hashed(found[:-32]) == found[-32:], "damaged")
    return found


def find_head(file):
    """A head, and which of its two places hold it."""

    def at_end(length):
        try:
            found = read_head(file[-length:]) if len(file) >= 2 * length else None
            return found if found is not None and len(found) == length else None
        except Refused:
            return None

    try:
        first = read_head(file)
    except Refused:
        copies = [copy for copy in map(at_end, map(head_bytes, BUCKETS)) if copy is not None]
        if not copies:
            raise
        return copies[0], False, True
    return first, True, at_end(len(first)) == first


def seals_of(head):
    return [head[at : at + SEAL] for at in range(38, len(head) - 32, SEAL)]


def open_bundle_seal(sealing_seed, device, serial, seal):
    return open_xwing(sealing_seed, b"overread/1/seal/bundle\0" + serial + device, seal)


def bundle_key(head, device, sealing_seed):
    for seal in seals_of(head):
        try:
            return open_bundle_seal(sealing_seed, device, head[20:36], seal)
        except Refused:
            pass
    raise Refused("not-for-this-device")


def segment_key(key, head_hash):
    return hkdf(key, "overread/1/derive/bundle-key", head_hash)


def bundle_commitment(key):
    return hkdf(key, "overread/1/derive/bundle-commitment")


def open_segment(key, number_, sealed):
    """`(last, first, payload)`; None: it is lost."""
    try:
        opened = open_sealed(key, number_, b"", sealed)
    except Refused:
        return None
    first = int.from_bytes(opened[1:3], "big")
    if len(opened) != SEGMENT - 16 or opened[0] > 1 or PAYLOAD <= first < NO_RECORD:
        return None
    return opened[0] == 1, first, opened[3:]


class Bundle:
    """What a reader takes out of a file whose key it has, and what it says about the rest."""

    def __init__(self, file, key):
        self.head, first, copy = find_head(file)
        self.said = [word for word, there in (("first-head", first), ("second-head", copy)) if not there]
        self.serial, self.head_hash, self.key = self.head[20:36], self.head[-32:], key
        self.file, self.start = file, len(self.head)
        end = len(file) - (len(self.head) if copy else 0)
        sealing = segment_key(key, self.head_hash)
        # What fills no whole segment is none.
        places = range(self.start, end - SEGMENT + 1, SEGMENT)
        self.segments = [open_segment(sealing, i, file[at : at + SEGMENT]) for i, at in enumerate(places)]
        self.out, self.lost, self.trailing, self.whole, self.counts = [], [], 0, False, None
        found = list(self.cut())
        self.opening = self.find_opening(found)
        if self.opening is None:
            self.said.append("sender-unknown")
        self.cases = {case[0]: case[1] for case in self.opening[6]} if self.opening else None
        self.judge(found, copy)

    def cut(self):
        """Each record as `(segment, (kind, frame), what follows it in the segment)`. Where something is lost, None
        (the segment does not open) or a word stands for the record."""
        running = b""  # the bytes of a record that is not complete; None while nobody knows where one starts
        for i, segment in enumerate(self.segments):
            if segment is None:
                yield i, None, b""
                running = None
                continue
            last, first, payload = segment
            at, starts_here = 0, False
            if running is None and first != NO_RECORD:
                running, at = b"", first
            while running is not None and at < PAYLOAD:
                if not running:
                    if last and not any(payload[at : at + 5]):
                        return
                    if not starts_here and first != at:
                        yield i, "boundary", b""
                        running = None
                        break
                    starts_here = True
                head = (running + payload[at : at + 5 - min(5, len(running))])[:5]
                length = int.from_bytes(head[:4], "big")
                if len(head) == 5 and length > FRAME_MAX:
                    yield i, "too-long", b""
                    running = None
                    break
                wanted = 5 + (length if len(head) == 5 else 0) - len(running)
                running, at = running + payload[at : at + wanted], at + wanted
                if len(head) == 5 and len(running) == 5 + length:
                    yield i, (running[4], running[5:]), payload[at:]
                    running = b""
            if running is not None and not starts_here and first != NO_RECORD:
                yield i, "boundary", b""
                running = None
            if last:
                return

    def find_opening(self, found):
        """The statement of the opening; None if it is lost, and its copy too."""
        need(found or not self.ends(), "opening")
        if found and found[0][1] is not None:
            first = found[0][1]
            need(first[0] == OPENING, "opening")
            return self.read_opening(first[1])
        for _, closing, _ in found:
            if closing is not None and closing[0] == CLOSING:
                try:
                    frame = read(closing[1], CLOSING_MAX, CLOSING_FRAME)[0]
                except Refused:
                    return None
                return self.read_opening(frame)
        return None

    def read_opening(self, frame):
        need(claimed_format(frame, 2) in (None, 1), "version")
        try:
            opening = read(frame, OPENING_MAX, OPENING_FRAME)
            statement = opening[0]
            belongs = [self.serial, self.head_hash, bundle_commitment(self.key)]
            need([statement[1], statement[2], statement[3]] == belongs, "opening")
            need(len(statement[6]) <= 1024 and is_ascending([case[0] for case in statement[6]]), "opening")
            check_certificate(statement[4])
            verify(statement[4][0][1], "overread/1/sign/bundle", encode(statement), opening[1])
        except Refused:
            raise Refused("opening")
        self.opening_frame = frame
        return statement

    def ends(self):
        """Whether a segment opens that calls itself the last."""
        return any(segment is not None and segment[0] for segment in self.segments)

    def judge(self, found, copy):
        records, read_through, gaps = [], False, False
        for i, what, rest in found:
            if what is None or type(what) is str:
                self.lost += [i] if what is None else []
                self.said += [what] if what else []
                gaps = True
                continue
            kind, frame = what
            if kind == CLOSING:
                self.judge_closing(frame, records, gaps)
                if not self.segments[i][0] or any(rest):
                    self.said.append("misplaced")
                self.trailing = max(0, len(self.file) - len(self.head) - (self.start + (i + 1) * SEGMENT))
                read_through = True
                break
            if kind == OPENING:
                # Only the first one is one; `find_opening` read it.
                self.said += ["misplaced"] if records or gaps else []
            elif kind == MESSAGE:
                try:
                    self.out.append((frame, self.read_message(frame)))
                except Refused as refused:
                    self.said.append(str(refused))
            else:
                self.said.append("kind")
            records.append(what)
        if read_through:
            return
        lost_at_copy = copy and self.segments and self.segments[-1] is None
        if not self.ends() and not lost_at_copy:
            self.said.append("truncated")
        elif not gaps:
            self.said.append("changed")

    def judge_closing(self, frame, records, gaps):
        try:
            closing = read(frame, CLOSING_MAX, CLOSING_FRAME)
            need(len(closing[1][3]) <= 1024, "malformed")
        except Refused:
            self.said.append("malformed")
            return
        if self.opening is None:
            return
        statement = closing[1]
        before = b"".join(len(f).to_bytes(4, "big") + bytes([kind]) + f for kind, f in records)
        fits = statement[0] == hashed(before) and statement[2] == len(records)
        try:
            need(closing[0] == self.opening_frame and statement[1] == hashed(self.opening_frame), "changed")
            verify(self.opening[4][0][1], "overread/1/sign/closing-of-bundle", encode(statement), closing[2])
            need(fits or gaps, "changed")
        except Refused:
            self.said.append("changed")
            return
        self.whole, self.counts = fits, statement[3]

    def read_message(self, frame):
        """`(number, field)` of a message that belongs in this bundle."""
        try:
            number_, fields = message = decode(frame, FRAME_MAX)
            need(type(message) is list and type(number_) is int and type(fields) is list, "malformed")
            if number_ in MESSAGES:
                array(MESSAGES[number_])(fields)
                self.check_limits(number_, fields[0])
        except (Refused, TypeError, ValueError):
            raise Refused("malformed")
        need(number_ in MESSAGES, "message")
        what = fields[0]
        if number_ != CARDS_MESSAGE:
            need(self.cases is None or what[0] in self.cases, "case")
        if number_ == CHUNK_MESSAGE:
            need(hashed(what[2]) == what[1], "chunk")
        if number_ == FRONTIER_MESSAGE:
            need(self.cases is not None and hashed(encode(what[1])) == self.cases[what[0]], "frontier")
        return number_, what

    def check_limits(self, number_, what):
        if number_ == ENTRIES_MESSAGE:
            need(len(what[1]) <= 512 and all(len(entry) <= 262_144 for entry in what[1]), "malformed")
        elif number_ == CHUNK_MESSAGE:
            need(len(what[2]) <= 262_144, "malformed")
        elif number_ == CARDS_MESSAGE:
            need(len(what) <= 64 and all(len(card_) <= 16_384 for card_ in what), "malformed")
        else:
            need(len(what[1]) <= 1024 and is_ascending([device for device, _ in what[1]]), "malformed")
            need(all(1 <= len(heads) <= 32 and is_ascending(heads) for _, heads in what[1]), "malformed")


def pack_records(records):
    """The opened segments that carry these records."""
    records = list(records)
    stream = b"".join(len(frame).to_bytes(4, "big") + bytes([kind]) + frame for kind, frame in records)
    starts, at = [], 0
    for _, frame in records:
        starts.append(at)
        at += 5 + len(frame)
    count = max(1, -(-len(stream) // PAYLOAD))
    opened = []
    for i in range(count):
        here = [start - i * PAYLOAD for start in starts if i * PAYLOAD <= start < (i + 1) * PAYLOAD]
        first = here[0] if here else NO_RECORD
        payload = stream[i * PAYLOAD : (i + 1) * PAYLOAD].ljust(PAYLOAD, b"\0")
        opened.append(bytes([i + 1 == count]) + first.to_bytes(2, "big") + payload)
    return opened


# --- The vectors -----------------------------------------------------------------------------------------------------

checks, failures, skipped = 0, [], []


def unhex(text):
    return bytes.fromhex(text)


def b64(value):
    if isinstance(value, str):
        return base64.b64decode(value)
    start, byte, times_, end = value
    return base64.b64decode(start) + bytes([byte]) * times_ + base64.b64decode(end)


def check(name, condition):
    global checks
    checks += 1
    if not condition:
        failures.append(name)


def accepts(name, function):
    """Runs a check that must not refuse."""
    try:
        return function()
    except Refused as refused:
        check(f"{name}: refused ({refused})", False)
        return None


def refuses(name, refusal, function):
    try:
        function()
    except Refused as refused:
        check(f"{name}: refused as {refused}, not {refusal}", str(refused) == refusal)
        return
    check(f"{name}: accepted, not refused as {refusal}", False)


def signature(vectors):
    def run(v):
        key = unhex(v["key"])
        strict_key(key)
        verify(key, v["label"], unhex(v["message"]), unhex(v["signature"]))

    for v in vectors["good"]:
        accepts(v["name"], lambda: run(v))
        signed = Ed25519PrivateKey.from_private_bytes(unhex(v["seed"])).sign(v["label"].encode() + b"\0" + unhex(v["message"]))
        check(v["name"], signed == unhex(v["signature"]) and public_of(unhex(v["seed"])) == unhex(v["key"]))
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: run(v))


def certificate(vectors):
    def run(v):
        value = read(b64(v["bytes"]), 4096, CERTIFICATE)
        check_certificate(value)
        return value

    for v in vectors["good"]:
        says = (accepts(v["name"], lambda: run(v)) or [{}])[0]
        device = v["person"]["devices"][0]
        seeds = [v["person"]["identity_seed"], device["signing_seed"], device["transport_seed"]]
        check(v["name"], [public_of(unhex(seed)) for seed in seeds] == [says[0], says[1], says[2]])
        check(v["name"], notice_keys(unhex(device["notice_seed"]))[1] == says[4] == unhex(v["notice"]))
        check(v["name"], says[5] == v["certified"] and says[3] == b64(v["sealing"]))
        if MLKEM768PrivateKey:
            check(v["name"], xwing_keys(unhex(device["sealing_seed"]))[2] == says[3])
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: run(v))


def card(vectors):
    for v in vectors["good"]:
        says = accepts(v["name"], lambda: read_card(b64(v["bytes"])))
        check("text", accepts("text", lambda: read_card_text(v["text"])) == says)
        fields = [says[1].hex(), says[2], says[3], says[4], says[10], says[11], says[12]]
        names = ["identity", "serial", "card_name", "site", "issued", "expires", "test"]
        check(v["name"], fields == [v[name] for name in names])
        check(v["name"], [c[0][1].hex() for c in says[8]] == v["devices"])
        check(v["name"], [key.hex() for key in says[9]] == v["revoked"])
        check(v["name"], fingerprint(says[1]) == v["fingerprint"])
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: read_card(b64(v["bytes"])))
    for v in vectors["bad_texts"]:
        refuses(v["name"], v["refusal"], lambda: read_card_text(v["text"]))


def words(vectors):
    for v in vectors["identities"]:
        identity = unhex(v["identity"])
        check("fingerprint", fingerprint(identity) == v["fingerprint"] and v["id"] == "p-" + base32(identity))
        if Argon2id:
            half = argon2id(identity, b"overread/1/safety-words", 65536, 3, 1)
            check("safety words", words_of_bits(half, 6) == v["half"])
    live = vectors["live"]
    starter, answerer = unhex(live["starter"]), unhex(live["answerer"])
    nonce, answer = unhex(live["starter_nonce"]), unhex(live["answerer_nonce"])
    commitment = hkdf(nonce, "overread/1/safety-words", b"live commitment", starter, answerer)
    check("live commitment", commitment == unhex(live["commitment"]))
    bits = hkdf(nonce, "overread/1/safety-words", b"live words", starter, answerer, answer)
    check("live words", words_of_bits(bits, 6) == live["words"])
    for v in vectors["recovery"]:
        check("recovery", accepts("recovery", lambda: recovery_seed(v["words"])) == unhex(v["seed"]))
    for v in vectors["bad_recovery"]:
        refuses(v["words"], v["refusal"], lambda: recovery_seed(v["words"]))
    for v in vectors["cases"]:
        case = unhex(v["case"])
        check("case", spoken_name(case) == v["spoken"] and v["id"] == "c-" + base32(case))


def vault(vectors):
    if not Argon2id:
        skipped.append("vaults and safety words: this `cryptography` has no Argon2id")
        return
    for v in vectors["good"]:
        for passphrase in (v["passphrase"], v["passphrase_decomposed"]):
            body = accepts(v["name"], lambda: open_vault(b64(v["file"]), passphrase))
            device = v["device"]
            seeds = [v["identity_seed"], device["transport_seed"], device["signing_seed"], device["sealing_seed"]]
            seeds += [device["notice_seed"], v["database"]]
            check(v["name"], [body[i].hex() for i in range(6)] == seeds)
        recovered = accepts(v["name"], lambda: open_vault(b64(v["file"]), recovery=recovery_seed(v["recovery"])))
        check(v["name"], recovered == body)
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: open_vault(b64(v["file"]), v["passphrase"]))
    for v in vectors["bad_recovery"]:
        refuses(v["name"], v["refusal"], lambda: open_vault(b64(v["file"]), recovery=recovery_seed(v["recovery"])))


def seals(vectors):
    for v in vectors["derive"]:
        check("derive", hkdf(unhex(v["secret"]), v["label"], unhex(v["context"])) == unhex(v["out"]))
    v = vectors["entry_key"]
    key = hkdf(unhex(v["secret"]), "overread/1/derive/entry-key", unhex(v["case"]), unhex(v["device"]), unhex(v["salt"]))
    check("entry key", key == unhex(v["key"]))
    check("entry commitment", hkdf(key, "overread/1/derive/entry-commitment") == unhex(v["commitment"]))
    epoch = hkdf(unhex(v["secret"]), "overread/1/derive/epoch-commitment")
    check("epoch commitment", epoch == unhex(v["epoch_commitment"]))

    def seal_of(v):
        seed = unhex(v["recipient"]["sealing_seed"])
        return open_epoch(seed, unhex(v["case"]), unhex(v["commitment"]), unhex(v["device"]), b64(v["seal"]))

    if MLKEM768PrivateKey:
        for v in vectors["epoch"]["good"]:
            check(v["name"], accepts(v["name"], lambda: seal_of(v)) == unhex(v["secret"]))
            check(v["name"], xwing_keys(unhex(v["recipient"]["sealing_seed"]))[2] == b64(v["public"]))
        for v in vectors["epoch"]["bad"]:
            refuses(v["name"], v["refusal"], lambda: seal_of(v))
    else:
        skipped.append("X-Wing seals: this `cryptography` has no ML-KEM; the secrets are taken from the vectors")

    def wrap_of(v):
        return unwrap_epoch(unhex(v["later"]), unhex(v["epoch"]), unhex(v["wrapped"]), unhex(v["commitment"]))

    for v in vectors["wrap"]["good"]:
        check(v["name"], accepts(v["name"], lambda: wrap_of(v)) == unhex(v["earlier"]))
    for v in vectors["wrap"]["bad"]:
        refuses(v["name"], v["refusal"], lambda: wrap_of(v))

    def notice_of(v):
        seed = unhex(v["recipient"]["notice_seed"])
        return open_notice(seed, unhex(v["case"]), unhex(v["salt"]), unhex(v["device"]), b64(v["sealed"]))

    for v in vectors["notice"]["good"]:
        check(v["name"], accepts(v["name"], lambda: notice_of(v)) == v["class"])
        check(v["name"], notice_keys(unhex(v["recipient"]["notice_seed"]))[1] == unhex(v["public"]))
    for v in vectors["notice"]["bad"]:
        refuses(v["name"], v["refusal"], lambda: notice_of(v))


def content(vectors):
    for v in vectors["good"]:
        data = b64(v["bytes"])
        kind_and_fields = accepts(v["name"], lambda: read_content(data))
        check(v["name"], kind_and_fields and encode(list(kind_and_fields)) == data)
    for v in vectors["unknown"]:
        check(v["name"], accepts(v["name"], lambda: read_content(b64(v["bytes"]))) == (v["kind"], None))
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: read_content(b64(v["bytes"])))


def live(vectors):
    members = {unhex(v["device"]): v["role"] for v in vectors["members"]}
    heard = Heard(unhex(vectors["case"]), unhex(vectors["epoch"]), unhex(vectors["epoch_secret"]), members)

    def hear(v):
        return heard.hear(unhex(v["from"]), v["slot"], b64(v["bytes"]))

    for v in vectors["good"]:
        found = accepts(v["name"], lambda: hear(v))
        check(v["name"], found and found[:3] == (v["session"], v["counter"], b64(v["content"])))
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: hear(v))
    for v in vectors["unknown"]:
        found = accepts(v["name"], lambda: hear(v))
        check(v["name"], found and found[3] is None)


def history_of(vectors):
    entries = [Entry(b64(v["bytes"])) for v in vectors["entries"]]
    history = History(entries[0])
    for entry in entries[1:]:
        history.accept(entry)
    return history


def case(vectors):
    history = accepts("the case", lambda: history_of(vectors))
    secrets = {unhex(epoch): unhex(secret) for epoch, secret in vectors["epoch_secrets"].items()}
    check("case id", history.case.hex() == vectors["case"] and spoken_name(history.case) == vectors["spoken"])
    check("heads", [id.hex() for id in history.heads()] == vectors["heads"])
    check("fold order", [id.hex() for id in sorted(history.entries, key=history.order)] == vectors["fold_order"])
    for v in vectors["entries"]:
        entry = history.entries.get(unhex(v["id"]))
        check("entry", entry and history.author[entry.id].hex() == v["author"])
        check("lamport", history.lamport[entry.id] == v["lamport"])
        if entry.sealed is None:
            check("nothing sealed", v["content"] is None)
        else:
            opened = accepts("entry", lambda: open_entry(entry, secrets))
            check("content", opened == b64(v["content"]) and read_content(opened))
    check_epochs(vectors, history, secrets)
    check_notices(vectors, history)
    state = State(history, secrets)
    check("outcomes", all(state.outcomes[unhex(v["id"])] == v["outcome"] for v in vectors["entries"]))
    shared = state.shared()
    check("shared state", shared == b64(vectors["shared"]))
    accepts("shared state", lambda: decode(shared, len(shared)))
    digest = blake3.blake3(shared, derive_key_context="overread/1/state-hash").hexdigest()
    check("state hash", digest == vectors["state_hash"])
    roles = ["courier", "observer", "reader", "admin", "owner"]
    members = [
        {"identity": identity.hex(), "role": roles[m[0]], "devices": [d.hex() for d in m[1]]}
        for identity, m in decode(shared, len(shared))[0].items()
    ]
    check("members", members == vectors["members"])

    for v in vectors["bad"]:
        run = lambda: Entry(b64(v["bytes"]))
        if v["stage"] == "accept":
            run = lambda: history_of(vectors).accept(Entry(b64(v["bytes"])))
        if v["stage"] == "found":
            run = lambda: History(Entry(b64(v["bytes"])))
        refuses(v["name"], v["refusal"], run)
    for v in vectors["alone"]:
        entry = accepts(v["name"], lambda: Entry(b64(v["bytes"])))
        check(v["name"], entry.id.hex() == v["id"])
        after = history_of(vectors)
        accepts(v["name"], lambda: after.accept(entry))
        check(v["name"], State(after, secrets).outcomes[entry.id] == v["outcome"])
    v = vectors["fork"]
    forked = history_of(vectors)
    accepts(v["name"], lambda: forked.accept(Entry(b64(v["bytes"]))))
    check(v["name"], {d.hex(): [p.hex() for p in proof] for d, proof in forked.forks().items()} == {v["device"]: v["proof"]})


def rights(vectors):
    words_ = ["courier", "observer", "reader", "admin", "owner"]
    for v in vectors["histories"]:
        history = accepts(v["name"], lambda: history_of(v))
        found = Rights(history)
        members = [
            {"identity": identity.hex(), "role": words_[role], "devices": [device.hex() for device in devices]}
            for identity, (role, devices) in found.members().items()
        ]
        check(f"{v['name']}: members", members == v["members"])
        text = lambda key: key and key.hex()
        check(f"{v['name']}: owner, heir", [text(found.current.owner), text(found.heir())] == [v["owner"], v["heir"]])
        check(f"{v['name']}: forks", sorted(device.hex() for device in history.forks()) == v["forked"])
        for entry, says in zip(history.entries.values(), v["entries"]):
            name = f"{v['name']}: entry {entry.id.hex()[:8]}"
            check(name, found.took_effect(entry) == says["took_effect"])
            check(name, found.verdict(entry, READER) == says["as_reader"])


def check_epochs(vectors, history, secrets):
    """Every seal to a person of the vectors opens, and every wrap."""
    sealing = {unhex(d["device"]): unhex(d["sealing_seed"]) for p in vectors["people"] for d in p["devices"]}
    seals_, wraps = [], []
    for entry in history.entries.values():
        if entry.access and entry.access[0] == MEMBERS_KIND:
            members = entry.access[1][0]
            seals_ += [(entry, entry.id, seal_) for seal_ in members[2]]
            wraps += [(entry.id, wrap[0], wrap[1]) for wrap in members[3]]
        if entry.access and entry.access[0] == KEYS_KIND:
            seals_ += [(entry, handed[0], handed[1]) for handed in entry.access[1][0]]
    check("seals and wraps", len(seals_) >= 8 and len(wraps) == 2)
    for later, epoch, wrapped in wraps:
        secret = accepts("wrap", lambda: unwrap_epoch(secrets[later], epoch, wrapped, history.commitment(epoch)))
        check("wrap", secret == secrets[epoch])
    if MLKEM768PrivateKey:
        for entry, epoch, seal_ in seals_:
            device, commitment = seal_[0], history.commitment(epoch)
            run = lambda: open_epoch(sealing[device], entry.sealing_case(), commitment, device, seal_[1])
            check("seal", accepts("seal", run) == secrets[epoch])
    for epoch, secret in secrets.items():
        check("commitment", hkdf(secret, "overread/1/derive/epoch-commitment") == history.commitment(epoch))


def check_notices(vectors, history):
    seeds = {unhex(d["device"]): unhex(d["notice_seed"]) for p in vectors["people"] for d in p["devices"]}
    classes = []
    for entry in history.entries.values():
        for device, sealed in ((notice[0], notice[1]) for notice in entry.notices):
            run = lambda: open_notice(seeds[device], entry.sealing_case(), entry.header[8], device, sealed)
            classes.append(accepts("notice", run))
    check("notices", sorted(classes) == [1, 1, 2, 2, 2])


def packing(vectors):
    for v in vectors["good"]:
        packed = b64(v["packed"])
        check(v["name"], blake3.blake3(packed).hexdigest() == v["packed_hash"])
        file = accepts(v["name"], lambda: unpack(packed, v["plain_bytes"])) or b""
        check(v["name"], len(file) == v["plain_bytes"] and blake3.blake3(file).hexdigest() == v["plain_hash"])
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: unpack(b64(v["packed"]), v["plain_bytes"]))


def study(vectors):
    key = unhex(vectors["study_key"])
    check("study", hkdf(key, "overread/1/derive/study-name") == unhex(vectors["study"]))

    def piece(v):
        index, count = v["index"], v["count"]
        return open_sealed(chunk_key(key, unhex(v["packed_hash"])), index, place(index, count), b64(v["sealed"]))

    for v in vectors["chunks"]["good"]:
        check(v["name"], accepts(v["name"], lambda: piece(v)) == b64(v["plain"]))
        check(v["name"], blake3.blake3(b64(v["sealed"])).hexdigest() == v["chunk"])
    for v in vectors["chunks"]["bad"]:
        refuses(v["name"], v["refusal"], lambda: piece(v))
    v = vectors["object"]
    packed = accepts("object", lambda: open_object(key, v["object"], v["chunks"]))
    file = accepts("object", lambda: unpack(packed, v["plain_bytes"]))
    check("object", blake3.blake3(file).hexdigest() == v["plain_hash"])
    v = vectors["long_object"]
    data = blake3.blake3(b"").digest(length=v["xof_bytes"])
    pieces = [data[i : i + PIECE] for i in range(0, len(data), PIECE)]
    object_key = chunk_key(key, blake3.blake3(data).digest())
    sealed = [seal(object_key, i, place(i, len(pieces)), p) for i, p in enumerate(pieces)]
    check("a long object", [blake3.blake3(s).hexdigest() for s in sealed] == v["object"]["chunks"])
    for v in vectors["bad_objects"]:
        refuses(v["name"], v["refusal"], lambda: open_object(key, v["object"], v["chunks"]))
    v = vectors["page"]
    data, page = accepts("page", lambda: read_page(open_object(key, v["object"], v["chunks"])))
    check("page", data == b64(v["bytes"]) and page[2][0][1] == v["sop_instance"])
    instance = page[2][0]
    check("instance", instance[10][0].hex() == vectors["object"]["object"]["packed_hash"])
    for v in vectors["bad_pages"]:
        refuses(v["name"], v["refusal"], lambda: read_page(open_object(key, v["object"], v["chunks"])))
    study_head = accepts("head", lambda: read(b64(vectors["head"]), 56 * 1024, STUDY_HEAD))
    check("head", study_head[7][0][9][0][0].hex() == vectors["page"]["object"]["packed_hash"])


def pairing(vectors):
    code = vectors["code"]
    messages = {m["name"]: accepts(m["name"], lambda: read(b64(m["bytes"]), 32 * 1024, PAIRING)) for m in vectors["messages"]}
    hello = accepts("hello", lambda: read_hello(b64(vectors["messages"][0]["bytes"]), code))
    session = Pairing(code, unhex(vectors["joiner_randomness"]), messages["answer"][1][0])
    check("the joiner's element", session.element == hello[2])
    check("the joiner confirms", messages["joiner confirms"][1][0] == session.confirmation(JOINER))
    confirmation, sealed = messages["opener confirms"][1]
    check("the opener confirms", confirmation == session.confirmation(OPENER))
    introduction = record({0: BLOB}, {1: BLOB})
    cards = {}
    for role, sealed, extras in ((OPENER, sealed, b"extras"), (JOINER, messages["joiner's card"][1][0], None)):
        opened = read(session.open(role, 0, b"", sealed), 32 * 1024, introduction)
        accepts("card", lambda: read_card(opened[0]))
        cards[role] = opened[0]
        check("extras", opened.get(1) == extras)
    check("cards", cards == {OPENER: b64(vectors["opener_card"]), JOINER: b64(vectors["joiner_card"])})
    transcript = session.transcript(cards[OPENER], cards[JOINER])
    check("transcript", transcript.hex() == vectors["transcript"])
    for role, name in ((OPENER, "opener's decision"), (JOINER, "joiner's decision")):
        decision = accepts(name, lambda: session.open(role, 1, transcript, messages[name][1][0]))
        check(name, decision == b"\1")
    for v in vectors["bad_hello"]:
        refuses(v["name"], v["refusal"], lambda: read_hello(b64(v["bytes"]), code))
    altered = read(b64(vectors["bad_confirmation"]["bytes"]), 32 * 1024, PAIRING)
    check("bad confirmation", altered[1][0] != session.confirmation(JOINER))


def bundle_file(head, segments):
    return head + b"".join(segments) + head


def bundle_variant(vectors, good, v):
    """The file that a variant describes; the fields are applied in this order."""
    opened = pack_records(variant_records(good, v["records"])) if "records" in v else list(good["opened"])
    for put in v.get("put", []):
        opened[put["segment"]] = overwritten(opened[put["segment"]], put)
    segments = [seal(good["segment_key"], i, b"", segment) for i, segment in enumerate(opened)]
    if v.get("swap"):
        segments[:2] = reversed(segments[:2])
    file = bundle_file(good["head"], segments)
    for put in v.get("set", []):
        file = overwritten(file, put)
    for at in v.get("flip", []):
        file = file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]
    if "insert" in v:
        at = v["insert"]["at"]
        file = file[:at] + bytes(v["insert"]["zeros"]) + file[at:]
    return file[: v.get("cut", len(file))]


def overwritten(data, put):
    end = put["at"] + len(unhex(put["bytes"]))
    return data[: put["at"]] + unhex(put["bytes"]) + data[end:]


def variant_records(good, items):
    """Records of the good bundle by their place, others in full or by what differs from the frame at a place."""
    for item in items:
        if type(item) is int:
            yield good["records"][item]
            continue
        frame = b64(item["frame"]) if "frame" in item else good["records"][item["like"]][1]
        for put in item.get("put", []):
            frame = overwritten(frame, put)
        yield item["kind"], frame


def bundle(vectors):
    # The known answers in the specification itself.
    key = bytes([1]) * 32
    known = segment_key(key, bytes([2]) * 32)
    check("commitment", bundle_commitment(key).hex() == "4b76f67b3494bc8e823b236d0730ea37761061cf3832c1b991ba1793a03b1462")
    check("segment key", known.hex() == "3c67ccfcce4e2e37710524dd5ac6cc03c760601102cd96729b30ea443edc2e28")
    empty = seal(known, 0, b"", pack_records([])[0])
    check("an empty segment", empty[-16:].hex() == "0a3b362f51399e69e2e7719fb655c017")

    head_, sealed = b64(vectors["head"]), [b64(segment) for segment in vectors["segments"]]
    file = bundle_file(head_, sealed)
    check("the file", hashed(file).hex() == vectors["file_hash"])
    key = unhex(vectors["bundle_key"])
    check_seals(vectors, head_, key)
    whole = accepts("the bundle", lambda: Bundle(file, key))
    check("serial and head hash", [whole.serial.hex(), whole.head_hash.hex()] == [vectors["serial"], vectors["head_hash"]])
    derived = [segment_key(key, whole.head_hash).hex(), bundle_commitment(key).hex()]
    check("derived", derived == [vectors["segment_key"], vectors["commitment"]])
    sender = whole.opening[4][0]
    check("sender", {"identity": sender[0].hex(), "device": sender[1].hex()} == vectors["sender"])
    check("packed", whole.opening[5] == vectors["packed"])
    check_contents(vectors, whole)

    records = [what for _, what, _ in whole.cut()]
    says = [{"kind": kind, "bytes": len(frame), "hash": hashed(frame).hex()} for kind, frame in records]
    check("records", says == vectors["records"])
    opened = [open_sealed(segment_key(key, whole.head_hash), i, b"", segment) for i, segment in enumerate(sealed)]
    check("records packed anew", pack_records(records) == opened)
    good = {"head": head_, "records": records, "opened": opened, "segment_key": segment_key(key, whole.head_hash)}
    for v in vectors["read"]:
        found = accepts(v["name"], lambda: Bundle(bundle_variant(vectors, good, v), key))
        if found is None:
            continue
        known = [frame for _, frame in records]
        out = [known.index(frame) if frame in known else hashed(frame).hex() for frame, _ in found.out]
        sender = found.opening and found.opening[4][0][1].hex()
        told = {"out": out, "said": sorted(found.said), "lost": found.lost, "trailing": found.trailing}
        told |= {"sender": sender, "whole": found.whole}
        for field, value in told.items():
            check(f"{v['name']}: {field} {value}, not {v[field]}", value == v[field])
    for v in vectors["bad"]:
        refuses(v["name"], v["refusal"], lambda: Bundle(bundle_variant(vectors, good, v), key))


def check_seals(vectors, head_, key):
    """Each recipient opens the seal that is hers and no other; the rest are decoys, which open for nobody here."""
    if not MLKEM768PrivateKey:
        skipped.append("seals of bundles: this `cryptography` has no ML-KEM")
        return
    for v in vectors["recipients"]:
        device, seed = unhex(v["recipient"]["device"]), unhex(v["recipient"]["sealing_seed"])
        check("the bundle key", accepts("the bundle key", lambda: bundle_key(head_, device, seed)) == key)
        for place_, seal_ in enumerate(seals_of(head_)):
            run = lambda: open_bundle_seal(seed, device, head_[20:36], seal_)
            if place_ in v["seals"]:
                check("a seal", accepts("a seal", run) == key)
            else:
                refuses("a seal for another", "sealed", run)
    v = vectors["stranger"]
    device, seed = unhex(v["recipient"]["device"]), unhex(v["recipient"]["sealing_seed"])
    refuses("a stranger", v["refusal"], lambda: bundle_key(head_, device, seed))
    check("seals", len(seals_of(head_)) == 8 and len({place_ for v in vectors["recipients"] for place_ in v["seals"]}) == 2)


def check_contents(vectors, whole):
    """What came out verifies by itself, and is what the sender counted and said she had."""
    check("cases", [case[0].hex() for case in whole.opening[6]] == [v["case"] for v in vectors["cases"]])
    messages = [message for _, message in whole.out]
    cards = [card_ for number_, what in messages if number_ == CARDS_MESSAGE for card_ in what]
    check("cards", [hashed(card_).hex() for card_ in cards] == vectors["cards"])
    for card_ in cards:
        check("whose card", accepts("card", lambda: read_card(card_))[1] == whole.opening[4][0][0])
    for v, counted in zip(vectors["cases"], whole.counts):
        case_ = unhex(v["case"])
        of = lambda number_: [what for n, what in messages if n == number_ and what[0] == case_]
        entries = [Entry(data) for what in of(ENTRIES_MESSAGE) for data in what[1]]
        check("entries", [entry.id.hex() for entry in entries] == v["entries"])
        history = History(entries[0])
        for entry in entries[1:]:
            accepts("entry", lambda: history.accept(entry))
        check("the case", history.case == case_)
        chunks = [(what[1].hex(), len(what[2])) for what in of(CHUNK_MESSAGE)]
        check("chunks", [list(chunk) for chunk in chunks] == v["chunks"])
        counts = [len(entries), len(chunks), sum(length for _, length in chunks)]
        check("counts", counts == v["counts"] == [counted[1], counted[2], counted[3]] and counted[0] == case_)
        frontier = [what[1] for what in of(FRONTIER_MESSAGE)]
        told = [[device.hex(), [[sequence, id.hex()] for sequence, id in heads]] for device, heads in frontier[0]]
        check("frontier", len(frontier) == 1 and told == v["frontier"])
        check("frontier hash", hashed(encode(frontier[0])).hex() == v["frontier_hash"])
        last = {}
        for entry in entries:
            last[entry.device] = max(last.get(entry.device, [0, b""]), [entry.sequence, entry.id])
        check("frontier of the entries", frontier[0] == [[device, [last[device]]] for device in sorted(last)])


def main():
    folder = pathlib.Path(sys.argv[1])
    WORDS.extend((folder / "wordlist.txt").read_text().split())
    check("word list", len(WORDS) == 2048 and WORDS == sorted(WORDS))
    sections = [signature, certificate, card, words, vault, pairing, seals, case, rights, content, packing, study, bundle, live]
    known = {section.__name__ for section in sections}
    check("every file is read", {path.stem for path in folder.glob("*.json")} == known)
    for section in sections:
        before = checks
        section(json.loads((folder / f"{section.__name__}.json").read_text()))
        print(f"{section.__name__}: {checks - before} checks")
    for line in skipped:
        print(f"SKIPPED {line}")
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{checks} checks, {len(failures)} failed, {len(skipped)} parts skipped")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
