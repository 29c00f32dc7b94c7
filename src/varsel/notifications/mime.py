"""Write MIME by hand: the few shapes that our mails have, as bytes with CRLF line ends.

The standard library's EmailMessage renders the same in 0.5 to 1.5 ms a mail, several times what sending costs, and
loses spaces between encoded words; it stays the oracle in the tests.
"""

import binascii
import re
from base64 import b64encode

_LINE_END = re.compile(rb"\r\n?|\n")
# What may stand in a header as it is: printable ASCII that cannot be mistaken for an encoded word, in words short
# enough to fold at (RFC 5322 section 2.1.1 wants 78 characters a line, and allows 998).
_PLAIN_HEADER = re.compile(r"(?!.*=\?)[!-~]{1,60}( [!-~]{1,60})*", re.ASCII)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_SEVEN_BIT = re.compile(rb"(?:[\t -~]{0,998}\r\n)*", re.ASCII)
_NEVER_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f-\xa0<>\u2028\u2029]")
_LINE_LENGTH = 78
_ENCODED_BYTES = 42  # 56 characters of base64: an encoded word has at most 75 (RFC 2047 section 2), and a name before


def header(name: str, text: str) -> bytes:
    """A header whose value is text for people: folded, and encoded where it is not plain ASCII (RFC 2047)."""
    words = text.split(" ") if _PLAIN_HEADER.fullmatch(text) else _encoded_words(text)
    return _folded(f"{name}:", words)


def mailbox_header(name: str, display_name: str, address: str) -> bytes:
    """A header with one mailbox: `Etaten <post@etat.no>`, or the bare address.

    An address cannot be encoded: one that is not ASCII stays UTF-8, as RFC 6532 allows.
    """
    address = _NEVER_IN_ADDRESS.sub("", address)
    if not display_name:
        return _folded(f"{name}:", [address])
    if _ATOMS.fullmatch(display_name) and _PLAIN_HEADER.fullmatch(display_name):
        words = display_name.split(" ")
    elif _PLAIN_HEADER.fullmatch(display_name):
        quoted = display_name.replace("\\", "\\\\").replace('"', '\\"')
        words = f'"{quoted}"'.split(" ")
    else:
        words = _encoded_words(display_name)
    return _folded(f"{name}:", [*words, f"<{address}>"])


def text_part(text: str, subtype: str) -> bytes:
    """Headers and body of one text part, in 7-bit lines whatever the text is."""
    octets = _LINE_END.sub(b"\r\n", text.encode("utf-8"))
    if not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    encoding, body = _encoded_body(octets)
    headers = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()
    return headers + body


def alternatives(boundary: str, *parts: bytes) -> bytes:
    """Headers and body of a multipart/alternative, the plainest part first (RFC 2046 section 5.1.4)."""
    lines = [f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode()]
    lines += [f"\r\n--{boundary}\r\n".encode() + part for part in parts]
    return b"".join([*lines, f"\r\n--{boundary}--\r\n".encode()])


def _encoded_body(octets: bytes) -> tuple[str, bytes]:
    if _SEVEN_BIT.fullmatch(octets):
        return "7bit", octets
    # Quoted-printable stays readable for people; where most would be =XX, base64 is shorter.
    if sum(octet > 126 for octet in octets) * 6 > len(octets):
        return "base64", _base64_lines(octets)
    return "quoted-printable", binascii.b2a_qp(octets, quotetabs=False, istext=True, header=False)


def _base64_lines(octets: bytes) -> bytes:
    encoded = b64encode(octets)
    return b"".join(encoded[start : start + 76] + b"\r\n" for start in range(0, len(encoded), 76))


def _encoded_words(text: str) -> list[str]:
    """Base64 words that each hold whole characters; the space between two of them is not part of the text."""
    chunks, chunk = [], b""
    for character in text:
        octets = character.encode("utf-8")
        if len(chunk) + len(octets) > _ENCODED_BYTES:
            chunks.append(chunk)
            chunk = b""
        chunk += octets
    return [f"=?utf-8?b?{b64encode(octets).decode('ascii')}?=" for octets in [*chunks, chunk]]


def _folded(start: str, words: list[str]) -> bytes:
    lines = [f"{start} {words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > _LINE_LENGTH:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines).encode("utf-8") + b"\r\n"
