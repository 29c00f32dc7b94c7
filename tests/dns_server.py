"""A DNS server for a zone of a test's own, so that a mail server looks up MXs and nobody outside is asked.

It answers over UDP (RFC 1035) in the ways that matter to a mail server: with an address, with an MX, with nothing
of this type, that there is no such name, that it has failed, and not at all. That is one entry for each name:

    ZONE = {"mx.test": "MX 10 mail.mx.test", "mail.mx.test": "A 127.0.0.2, AAAA ::1", "broken.test": "SERVFAIL"}
"""

import asyncio
import socket
import struct
from collections.abc import Mapping

PORT = 53
HEADER = struct.Struct("!6H")  # id, flags, and how many questions, answers, authorities and additions follow
QUESTION_END = struct.Struct("!2H")  # type, class
ANSWER_HEAD = struct.Struct("!3HIH")  # where the name stands, type, class, time to live, length of the data

TYPES = {"A": 1, "MX": 15, "AAAA": 28}
IN = 1  # the class of the internet
NAME_OF_THE_QUESTION = 0xC000 | HEADER.size  # a pointer back to it
TIME_TO_LIVE = 60  # seconds

RESPONSE, AUTHORITATIVE, RECURSION_DESIRED, RECURSION_AVAILABLE = 0x8000, 0x0400, 0x0100, 0x0080
CODES = {"SERVFAIL": 2, "NXDOMAIN": 3}
SILENCE = "SILENCE"


class DnsServer(asyncio.DatagramProtocol):
    """Answers for a zone; a name that it does not hold does not exist."""

    def __init__(self, zone: Mapping[str, str]) -> None:
        self._zone = zone

    async def listen(self, host: str = "127.0.0.1", port: int = PORT) -> asyncio.DatagramTransport:
        """Begin to answer, until the transport is closed; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, (host, port), family=socket.AF_INET)
        self._transport = transport
        return transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, end = _read_name(data, HEADER.size)
        entry = self._zone.get(name, "NXDOMAIN")
        if entry != SILENCE:
            self._transport.sendto(_answer(data, end, entry), addr)


def _answer(query: bytes, name_end: int, entry: str) -> bytes:
    number, flags, *_ = HEADER.unpack_from(query)
    asked_for, _ = QUESTION_END.unpack_from(query, name_end)
    records = [record.partition(" ") for record in entry.split(", ")]
    answers = [_record(kind, data) for kind, _, data in records if TYPES.get(kind) == asked_for]
    code = CODES.get(records[0][0], 0)
    flags = RESPONSE | AUTHORITATIVE | RECURSION_AVAILABLE | flags & RECURSION_DESIRED | code
    head = HEADER.pack(number, flags, 1, len(answers), 0, 0)
    return b"".join([head, query[HEADER.size : name_end + QUESTION_END.size], *answers])


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    """The name, without its last dot and in lower case, and where it ends."""
    labels = []
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    return ".".join(labels), at + 1


def _record(kind: str, data: str) -> bytes:
    families = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
    octets = socket.inet_pton(families[kind], data) if kind in families else _mx(*data.split())
    return ANSWER_HEAD.pack(NAME_OF_THE_QUESTION, TYPES[kind], IN, TIME_TO_LIVE, len(octets)) + octets


def _mx(preference: str, host: str) -> bytes:
    """Preference and host; the host `.` means that the domain takes no mail (RFC 7505)."""
    labels = [label.encode("ascii") for label in host.split(".") if label]
    return struct.pack("!H", int(preference)) + b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
