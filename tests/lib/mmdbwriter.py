# SPDX-License-Identifier: GPL-2.0
"""
Writes databases in MaxMind's format (MaxMind DB file format specification, 2.0), small ones for tests: a tree of IPv6, the IPv4
part at ::/96, and what links to it.
"""

import ipaddress
import struct

MARK = b"\xab\xcd\xefMaxMind.com"
ALIASES = ("::ffff:0:0/96", "2001::/32", "2002::/16")   # where MaxMind's own databases link the IPv4 part
V4_BITS = 96


def _head(kind, size):
    """The control byte. Kinds beyond 7 are in a byte of their own."""
    first, more = (kind << 5, b"") if kind <= 7 else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([first | size]) + more
    return bytes([first | 29]) + more + bytes([size - 29])


def encode(value):
    if isinstance(value, bool):
        return _head(14, int(value))
    if isinstance(value, str):
        raw = value.encode()
        return _head(2, len(raw)) + raw
    if isinstance(value, dict):
        return _head(7, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(encode(item) for item in value)
    kind, size = value     # a number: (kind, value)
    raw = size.to_bytes(16, "big").lstrip(b"\0")
    return _head(kind, len(raw)) + raw


def u16(value):
    return (5, value)


def u32(value):
    return (6, value)


def u64(value):
    return (9, value)


class _Leaf:
    def __init__(self, record):
        self.record = record


class Writer:
    """record_size: bits of a record of the tree, 24, 28 or 32."""

    def __init__(self, record_size=28, database_type="Test-Country", ip_version=6, build_epoch=1750000000):
        self.record_size = record_size
        self.metadata = {"record_size": u16(record_size), "ip_version": u16(ip_version), "database_type": database_type,
                         "languages": ["en"], "binary_format_major_version": u16(2), "binary_format_minor_version": u16(0),
                         "build_epoch": u64(build_epoch), "description": {"en": "made for a test"}}
        self.root = [None, None]

    def _place(self, network):
        network = ipaddress.ip_network(network)
        number, length = int(network.network_address), network.prefixlen
        return number, length + V4_BITS if network.version == 4 else length

    def _set(self, number, length, what):
        node = self.root
        for depth in range(length - 1):
            bit = number >> (127 - depth) & 1
            if isinstance(node[bit], _Leaf):    # a longer prefix inside a shorter one: the rest keeps the shorter one's
                node[bit] = [node[bit], node[bit]]
            elif node[bit] is None:
                node[bit] = [None, None]
            node = node[bit]
        node[number >> (128 - length) & 1] = what

    def insert(self, network, record):
        """Shorter prefixes first."""
        number, length = self._place(network)
        self._set(number, length, _Leaf(record))

    def link_v4(self):
        """Call it last."""
        v4 = self.root
        for _ in range(V4_BITS):
            v4 = v4[0]
        for alias in ALIASES:
            number, length = self._place(alias)
            self._set(number, length, v4)

    def _node(self, left, right):
        if self.record_size == 24:
            return left.to_bytes(3, "big") + right.to_bytes(3, "big")
        if self.record_size == 28:
            middle = (left >> 24) << 4 | right >> 24
            return (left & 0xffffff).to_bytes(3, "big") + bytes([middle]) + (right & 0xffffff).to_bytes(3, "big")
        return struct.pack(">II", left, right)

    def _number(self):
        """Each node once, however often it is linked."""
        numbers, order, waiting = {id(self.root): 0}, [self.root], [self.root]
        while waiting:
            for child in waiting.pop():
                if isinstance(child, list) and id(child) not in numbers:
                    numbers[id(child)] = len(order)
                    order.append(child)
                    waiting.append(child)
        return numbers, order

    def bytes(self):
        numbers, order = self._number()
        data, offsets = b"", {}

        def value(child):
            nonlocal data
            if child is None:
                return len(order)
            if isinstance(child, list):
                return numbers[id(child)]
            raw = encode(child.record)
            if raw not in offsets:
                offsets[raw] = len(data)
                data += raw
            return len(order) + 16 + offsets[raw]

        tree = b"".join(self._node(value(node[0]), value(node[1])) for node in order)
        return tree + bytes(16) + data + MARK + encode({**self.metadata, "node_count": u32(len(order))})

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.bytes())
        return path
