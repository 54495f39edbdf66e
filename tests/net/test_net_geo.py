# SPDX-License-Identifier: GPL-2.0
"""
`geo lookup` as a program: every range of Debian's own database, and .mmdb files against libmaxminddb. What the right answer is, is
read here by other means than the program's.
"""

import ipaddress
import json
import os
import random
import socket
import subprocess
import time

import maxminddb
import pytest

from lib.mmdbwriter import Writer
from lib.shell import run

DATABASE = "/usr/share/tor/geoip"
V4_LAST, V6_LAST = 2 ** 32 - 1, 2 ** 128 - 1


@pytest.fixture
def folder(session):
    directory = os.path.join(session.directory, f"geo{session.number('geo')}")
    os.mkdir(directory)
    return directory


def lookup(session, *words, code=0, stdin=None):
    done = run(session.dnetbpf, "geo", "lookup", *words, check=False, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def read_ranges(path, family):
    ranges = []
    with open(path) as file:
        for line in file:
            if line.startswith("#"):
                continue
            first, last, country = line.rstrip("\n").split(",")
            if family == 4:
                ranges.append((int(first), int(last), country))
            else:
                ranges.append((int.from_bytes(socket.inet_pton(socket.AF_INET6, first), "big"),
                               int.from_bytes(socket.inet_pton(socket.AF_INET6, last), "big"), country))
    return ranges


def text_v4(number):
    return socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))


def text_v6(number):
    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))


def questions(ranges, text, last_address):
    """First, last and a random address of each range, and both ends of the gaps between them."""
    chance = random.Random(5)
    before = -1
    for first, last, country in ranges:
        if first > before + 1:
            yield f"{text(before + 1)} ??\n"
            yield f"{text(first - 1)} ??\n"
        yield f"{text(first)} {country}\n"
        yield f"{text(last)} {country}\n"
        yield f"{text(chance.randint(first, last))} {country}\n"
        before = last
    if before < last_address:
        yield f"{text(before + 1)} ??\n"
        yield f"{text(last_address)} ??\n"


@pytest.mark.parametrize("family", (4, 6))
def test_every_range_of_the_real_database(session, folder, family):
    ranges = read_ranges(DATABASE + ("6" if family == 6 else ""), family)
    assert len(ranges) > 100000
    expected = os.path.join(folder, "expected")
    with open(expected, "w") as file:
        file.writelines(questions(ranges, text_v6 if family == 6 else text_v4, V6_LAST if family == 6 else V4_LAST))
    asked, answers = os.path.join(folder, "asked"), os.path.join(folder, "answers")
    with open(expected) as source, open(asked, "w") as file:
        file.writelines(line.split(" ")[0] + "\n" for line in source)
    begin = time.monotonic()
    with open(asked) as stdin, open(answers, "w") as stdout:
        subprocess.run([session.dnetbpf, "geo", "lookup", "-"], stdin=stdin, stdout=stdout, check=True, timeout=60)
    seconds = time.monotonic() - begin
    with open(expected) as left, open(answers) as right:
        wanted, came = left.readlines(), right.readlines()
    wrong = [(a, b) for a, b in zip(wanted, came) if a != b]
    assert not wrong and len(wanted) == len(came), f"{len(wrong)} of {len(wanted)} differ, first {wrong[:3]}"
    session.figures.append(f"geo lookup: {len(ranges)} IPv{family} ranges, {len(wanted)} addresses in {seconds:.2f} s, all right")


def test_it_loads_quickly(session):
    """Far from the target (150 ms), so that a slow machine passes; what it took is shown."""
    begin = time.monotonic()
    assert lookup(session, "1.1.1.1") == "1.1.1.1 AU\n"
    seconds = time.monotonic() - begin
    session.figures.append(f"geo lookup: one address with reading the whole database in {seconds * 1000:.0f} ms")
    assert seconds < 3


def test_words_and_streams(session, folder):
    for name, text in (("geoip", "16777216,16777471,AU\n3221225984,3221226239,??\n"), ("geoip6", "2001:db8::,2001:db8::ff,DE\n")):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    base = ("--database", folder)
    assert lookup(session, *base, "1.0.0.1", "2001:DB8::1", "192.0.2.1", "10.0.0.1", "fd77::1", "::ffff:1.0.0.1") == \
        "1.0.0.1 AU\n2001:DB8::1 DE\n192.0.2.1 ??\n10.0.0.1 ??\nfd77::1 ??\n::ffff:1.0.0.1 AU\n"
    assert lookup(session, "--database", folder + "/geoip", "1.0.0.1") == "1.0.0.1 AU\n"
    assert lookup(session, *base, "-", stdin="1.0.0.1\n\n  2001:db8::1\t\r\n1.1.0.0") == "1.0.0.1 AU\n2001:db8::1 DE\n1.1.0.0 ??\n"
    assert lookup(session, *base, "-", stdin="") == ""
    answers = [json.loads(line) for line in lookup(session, *base, "--json", "1.0.0.1", "10.0.0.1").splitlines()]
    assert answers == [{"address": "1.0.0.1", "country": "AU"}, {"address": "10.0.0.1", "country": None}]
    assert '"web" is no address' in lookup(session, *base, "web", "1.0.0.1", code=2)
    assert '"1.0.0.0/24" is no address' in lookup(session, *base, "1.0.0.0/24", code=2)
    done = run(session.dnetbpf, "geo", "lookup", *base, "-", stdin="1.0.0.1\nfoo\n" + "x\n" * 20 + "1.0.0.2\n", check=False)
    assert done.returncode == 1 and done.stdout == "1.0.0.1 AU\n1.0.0.2 AU\n", "the others are answered all the same"
    assert 'standard input, line 2: "foo" is no address' in done.stderr and "11 more lines" in done.stderr
    assert len(done.stderr.splitlines()) == 11
    text = lookup(session, "--database", folder + "/nothing", "1.1.1.1", code=1)
    assert folder + "/nothing: there is no such file: install Debian's tor-geoipdb" in text
    lookup(session, code=2)


# --- .mmdb

COUNTRIES = ("DE", "FR", "US", "CN", "KP", "XK")


def nested(country, place=0):
    return {"continent": {"code": "EU"}, "country": {"geoname_id": (6, 2921044), "iso_code": country, "names": {"en": "?"}},
            "registered_country": {"iso_code": "GB"}, "location": {"place": f"place {place}"}}


def flat(country, place=0):
    return {"place": f"place {place}", "country_code": country}


def random_networks(chance, count, version):
    bits, lengths = (32, range(1, 33)) if version == 4 else (128, range(17, 129))
    found = set()
    while len(found) < count:
        length = chance.choice(lengths)
        # IPv6: in global unicast, and not where aliases go.
        number = chance.getrandbits(bits) if version == 4 else (0x2a << 120) | chance.getrandbits(120)
        found.add(ipaddress.ip_network((number >> (bits - length) << (bits - length), length)))
    return sorted(found, key=lambda network: network.prefixlen)


def country_of(record):
    if not record:
        return "??"
    return record.get("country", {}).get("iso_code") or record.get("country_code") or "??"


def borders(networks):
    for network in networks:
        for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
            if 0 <= number <= (V4_LAST if network.version == 4 else V6_LAST):
                yield str(ipaddress.IPv4Address(number) if network.version == 4 else ipaddress.IPv6Address(number))


@pytest.mark.parametrize("record_size", (24, 28, 32))
@pytest.mark.parametrize("record", (nested, flat))
def test_mmdb_against_libmaxminddb(session, folder, record_size, record):
    chance = random.Random(record_size)
    writer = Writer(record_size)
    networks = random_networks(chance, 500, 4) + random_networks(chance, 500, 6)
    # Each has a record of its own, as in databases of cities.
    for place, network in enumerate(networks):
        writer.insert(network, {"continent": "EU"} if chance.random() < 0.1 else record(chance.choice(COUNTRIES), place))
    writer.link_v4()
    path = writer.write(os.path.join(folder, "test.mmdb"))
    asked = list(borders(networks)) + [text_v4(chance.getrandbits(32)) for _ in range(2000)]
    # MODE_MMAP_EXT: through libmaxminddb, or not at all.
    with maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT) as reader:
        wanted = "".join(f"{address} {country_of(reader.get(address))}\n" for address in asked)
    assert sum(f" {country}\n" in wanted for country in COUNTRIES) == len(COUNTRIES) and "??" in wanted
    assert lookup(session, "--database", path, "-", stdin="\n".join(asked) + "\n") == wanted
    # Links to the IPv4 part are not followed.
    assert lookup(session, "--database", path, "2002:0101:0101::1", "2001::1") == "2002:0101:0101::1 ??\n2001::1 ??\n"


def written(writer, folder, name="bad.mmdb"):
    return writer.write(os.path.join(folder, name))


def whole(**options):
    writer = Writer(**options)
    writer.insert("198.18.0.0/15", nested("DE"))
    writer.insert("2a00::/16", nested("FR"))
    return writer


def test_mmdb_edges(session, folder):
    writer = whole()
    writer.insert("0.0.0.0/1", flat("US"))
    writer.insert("8000::/1", flat("CN"))
    path = written(writer, folder)
    assert lookup(session, "--database", path, "0.0.0.0", "127.255.255.255", "128.0.0.0", "255.255.255.255", "8000::",
                  text_v6(V6_LAST), "7fff::") == (f"0.0.0.0 US\n127.255.255.255 US\n128.0.0.0 ??\n255.255.255.255 ??\n8000:: CN\n"
                                                  f"{text_v6(V6_LAST)} CN\n7fff:: ??\n")
    writer = whole()
    writer.insert("::/8", nested("KP"))     # IPv4 has no node of its own: it lies in this leaf
    assert lookup(session, "--database", written(writer, folder), "0.0.0.0", "192.0.2.1", "2a00::1", "2b00::1") == \
        "0.0.0.0 KP\n192.0.2.1 KP\n2a00::1 FR\n2b00::1 ??\n"


def test_bad_mmdb(session, folder):
    good = whole().bytes()
    no_v6, v4_only, wrong = Writer(), whole(ip_version=4), whole()
    no_v6.insert("198.18.0.0/15", nested("DE"))
    wrong.insert("192.0.2.0/24", flat("Germany"))
    circle, deep = whole(record_size=32), whole(record_size=32)
    circle.root[1] = circle.root
    node = deep.root
    for _ in range(129):
        node[1] = [None, None]
        node = node[1]
    knot = whole(record_size=32)
    node = knot.root
    for _ in range(60):     # 2 ** 60 ways through it
        child = [None, None]
        node[1] = child
        if node is not knot.root:
            node[0] = child
        node = child
    no_country = Writer()
    no_country.insert("0.0.0.0/1", {"autonomous_system_number": (6, 64496)})
    cases = (
        (good[:-1], "damaged or truncated"),
        (good[len(good) // 2:], "damaged or truncated"),
        (good[:len(good) // 2], "neither a file of ranges nor a whole .mmdb"),
        (no_v6.bytes(), "no record of this .mmdb has a country for an IPv6 address"),
        (no_country.bytes(), "no record of this .mmdb has a country for an IPv4 address"),
        (v4_only.bytes(), "IPv4 addresses only"),
        (wrong.bytes(), '"Germany" in a record is no country'),
        (circle.bytes(), "this .mmdb is damaged"),
        (knot.bytes(), "goes in circles"),
        (deep.bytes(), "deeper than an address has bits"),
        (b"\0" * 1000, "neither a file of ranges nor a whole .mmdb"),
        (b"\xab\xcd\xefMaxMind.com", "damaged or truncated"),
        (b"", "the file is empty"),
    )
    path = os.path.join(folder, "bad.mmdb")
    for content, sentence in cases:
        with open(path, "wb") as file:
            file.write(content)
        text = lookup(session, "--database", path, "192.0.2.1", code=1)
        assert path + ":" in text and sentence in text, (sentence, text)


def test_no_byte_of_an_mmdb_can_crash_it(session, folder):
    """One byte changed at a time: an answer or a sentence, never a signal and never an endless walk."""
    good, chance = whole().bytes(), random.Random(7)
    path = os.path.join(folder, "bad.mmdb")
    for _ in range(150):
        content = bytearray(good)
        content[chance.randrange(len(content))] = chance.randrange(256)
        with open(path, "wb") as file:
            file.write(content)
        done = run(session.dnetbpf, "geo", "lookup", "--database", path, "198.18.0.1", check=False, timeout=10)
        assert done.returncode in (0, 1) and bool(done.stderr) == (done.returncode == 1), done
