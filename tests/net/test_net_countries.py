# SPDX-License-Identifier: GPL-2.0
"""`geo:` in force: rules of containers, labels and the host by the country of an address, and a database that changes meanwhile."""

import ipaddress
import json
import os
import re

import pytest

from lib.daemon import parse_metrics
from lib.dockerhost import EXT_OTHER_V4, EXT_OTHER_V6, EXT_V4, EXT_V6, HOST_V4
from lib.place import DENY_MS
from lib.scene import Scene, of_web
from lib.shell import run, wait_until
from lib.worlds import NetWorld

DEFAULT = "/usr/share/tor/geoip"
# Nobody's: so that a table has ranges of which some may go.
OTHERS = {"198.18.200.1": "US", "198.18.200.3": "CN", "198.18.200.5": "US", "fd77:200::1": "US", "fd77:200::3": "CN"}
GOOD = {EXT_V4: "DE", EXT_V6: "DE", EXT_OTHER_V4: "KP", EXT_OTHER_V6: "KP", **OTHERS}
RULES = ["deny 80/tcp from geo:KP as not-kp", "allow 80/tcp from any as all", "allow 81/tcp from geo:DE, geo:FR as europe",
         "allow 82/tcp from container:mon, geo:KP as mixed"]
OUT = ["deny to geo:KP as kp-out", "allow to geo:DE as de-out"]


@pytest.fixture(scope="module")
def world(session):
    world = NetWorld(session)
    yield world
    world.close()


@pytest.fixture
def folder(session):
    path = os.path.join(session.directory, f"countries{session.number('countries')}")
    os.mkdir(path)
    return path


def ranges(countries):
    """The two range files of a table: {address: country}."""
    texts = {4: "# of a test\n", 6: "# of a test\n"}
    addresses = {ipaddress.ip_address(text): country for text, country in countries.items()}
    for address in sorted(addresses, key=int):
        word = str(int(address)) if address.version == 4 else str(address)
        texts[address.version] += f"{word},{word},{addresses[address]}\n"
    return texts[4], texts[6]


def replace(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def put(folder, countries):
    v4, v6 = ranges(countries)
    replace(os.path.join(folder, "geoip6"), v6)
    replace(os.path.join(folder, "geoip"), v4)
    return os.path.join(folder, "geoip")


def head(path, more=""):
    return f"geo: {{ database: {path} }}\n{more}"


@pytest.fixture
def scene(world, daemon):
    def make(policy, **options):
        return Scene(world, daemon, policy, **options)
    return make


def status(scene):
    return scene.daemon.json("geo status")


def wait_status(scene, **wanted):
    wait_until(lambda: all(status(scene)[key] == value for key, value in wanted.items()),
               lambda: f"{wanted}: {status(scene)}\n{scene.daemon.log()[-1000:]}", 15)


def both(v4, v6):
    return ((4, v4), (6, v6))


# --- judging

def test_countries_both_ways_and_in_every_event(scene, folder, attach):
    s = scene(of_web(RULES, OUT, head=head(put(folder, GOOD))), attach=attach).start()
    for family, other in both(EXT_OTHER_V4, EXT_OTHER_V6):
        s.opens("ext", "web", 80, family=family)
        s.opens("ext", "web", 81, family=family)
        s.opens("ext", "web", 82, family=family, own=other)
        s.opens("mon", "web", 82, family=family)
        s.denies("ext", "web", 80, family=family, own=other, rule="not-kp", reason="policy_denied", country="KP", direction="ingress")
        s.denies("ext", "web", 81, family=family, own=other, reason="default_denied", country="KP")
        s.denies("ext", "web", 82, family=family, reason="default_denied", country="DE")
        # In no country, and so in none of them.
        s.opens("mon", "web", 80, family=family)
        s.denies("mon", "web", 81, family=family, reason="default_denied", country="")
        s.opens("web", EXT_V4 if family == 4 else EXT_V6, 90)
        s.denies("web", other, 90, rule="kp-out", reason="policy_denied", country="KP", direction="egress")
        s.denies("web", "mon", 90, family=family, reason="default_denied", country="", direction="egress")
    assert re.search(rf"{re.escape(EXT_OTHER_V4)}.*country KP", s.daemon.command("events").stdout)


def test_countries_in_rules_of_the_host(scene, folder, attach):
    host = 'host: { rules: [ "deny from geo:KP as host-kp", "deny to geo:KP as host-to-kp" ] }'
    s = scene(of_web(["allow 80/tcp from any as all"], head=head(put(folder, GOOD), host)), attach=attach).start()
    for family, other in both(EXT_OTHER_V4, EXT_OTHER_V6):
        s.opens("ext", "web", 80, family=family)
        # Of containers that no policy selects, too.
        for name in ("web", "free"):
            s.denies("ext", name, 80, family=family, own=other, policy="host", rule="host-kp", country="KP", container=name)
            s.denies(name, other, 80, policy="host", rule="host-to-kp", country="KP", direction="egress")


def test_countries_in_labels(scene, folder):
    labels = {"free": {"dnetbpf.ingress": "allow 80/tcp from geo:DE"}}
    s = scene(f"version: 1\n{head(put(folder, GOOD))}", labels=labels).start()
    for family, other in both(EXT_OTHER_V4, EXT_OTHER_V6):
        s.opens("ext", "free", 80, family=family)
        s.denies("ext", "free", 80, family=family, own=other, reason="default_denied", policy="labels", country="KP")


def test_open_connections_follow_the_database(scene, folder):
    s = scene(of_web(RULES, head=head(put(folder, GOOD)))).start()
    line = s.world.places["ext"].lines(s.world.address("web"), 81)
    line.wait_more("echoed", 3)
    after = s.daemon.mark()
    put(folder, {**GOOD, EXT_V4: "US"})
    s.daemon.expect_event(after, verdict="deny", reason="flow_revoked", container="web", dst_port=81, country="US")
    put(folder, {**GOOD, EXT_V4: "FR"})
    line.wait_more("echoed", 3)
    line.process.kill()


def test_the_table_stays_without_a_daemon_and_the_next_one_writes_its_own(scene, folder, attach):
    s = scene(of_web(RULES, head=head(put(folder, GOOD))), attach=attach).start()
    s.opens("ext", "web", 81)
    s.daemon.kill()
    connect = s.world.places["ext"].connect
    assert connect(s.world.address("web"), 81) == "open"
    assert connect(s.world.address("web"), 80, DENY_MS, source=EXT_OTHER_V4) == "timeout"
    # The files change while nobody looks.
    put(folder, {**GOOD, EXT_V4: "KP", EXT_OTHER_V4: "DE"})
    s.start()
    s.denies("ext", "web", 80, rule="not-kp", country="KP")
    s.opens("ext", "web", 81, own=EXT_OTHER_V4)


# --- another database

SENDER = """
import os, select, socket, sys
source, target, port, fresh, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "fresh", sys.argv[5]
family = socket.AF_INET6 if ":" in source else socket.AF_INET

def open_socket():
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.bind((source, 0))
    opened.connect((target, port))
    return opened

sent = answered = 0
kept = open_socket()
print("ready", flush=True)
while not os.path.exists(path):
    # A new connection each time is judged each time.
    one = open_socket() if fresh else kept
    one.send(b"x%d" % sent)
    sent += 1
    if select.select([one], [], [], 2.0 if fresh else 0.001)[0]:
        one.recv(100)
        answered += 1
    if fresh:
        one.close()
while select.select([kept], [], [], 1.0)[0]:
    kept.recv(100)
    answered += 1
print("end", sent, answered, flush=True)
"""


def test_no_packet_meets_an_empty_or_a_half_table(scene, folder, session, pytestconfig, attach):
    """Who is forbidden in both tables and who is allowed in both: an address that were unknown for a moment would show in either."""
    seconds = pytestconfig.getoption("--geo-seconds")
    tables = ({**GOOD, EXT_V4: "DE", EXT_V6: "FR", EXT_OTHER_V4: "KP", EXT_OTHER_V6: "RU"},
              {**GOOD, EXT_V4: "FR", EXT_V6: "DE", EXT_OTHER_V4: "RU", EXT_OTHER_V6: "KP", "198.18.200.7": "US"})
    rules = ["deny from geo:KP, geo:RU as forbidden", "allow 80/udp from geo:DE, geo:FR as allowed", "allow 81/udp from any as open"]
    s = scene(of_web(rules, head=head(put(folder, tables[0]))), attach=attach).start()
    # Programs that come to an interface in use may cost it a packet; that is the start's matter.
    wait_until(lambda: s.daemon.status()["uptime_seconds"] >= 5, "the start to be over", 15)
    stop, before = os.path.join(folder, "stop"), status(s)["reloads"]
    senders = {}
    for family, own, other in ((4, EXT_V4, EXT_OTHER_V4), (6, EXT_V6, EXT_OTHER_V6)):
        web = s.world.address("web", family=family)
        senders[f"allowed IPv{family}"] = s.world.places["ext"].spawn("/usr/bin/python3", "-c", SENDER, own, web, 80, "fresh", stop)
        senders[f"forbidden IPv{family}"] = s.world.places["ext"].spawn("/usr/bin/python3", "-c", SENDER, other, web, 81, "kept", stop)
    for sender in senders.values():
        sender.wait_line("ready")
    swaps, end = 0, s.daemon.json("status")["uptime_seconds"] + seconds
    while s.daemon.json("status")["uptime_seconds"] < end or swaps < 4:
        swaps += 1
        put(folder, tables[swaps % 2])
        # Both families may come one after the other.
        wait_until(lambda: status(s)["reloads"] > before and status(s)["ranges"]["ipv4"] == 10 + 2 * (swaps % 2) and
                   not status(s)["last_error"], lambda: f"swap {swaps}: {status(s)}", 15)
        before = status(s)["reloads"]
    open(stop, "w").close()
    counts = {}
    for name, sender in senders.items():
        wait_until(lambda: sender.last("end"), f"the sender of {name} to end", 20)
        counts[name] = tuple(int(word) for word in sender.last("end")[1:])
    session.figure(f"countries, {attach}: {swaps} swaps of the table under traffic; "
                   + "; ".join(f"{name} {sent} sent, {answered} answered" for name, (sent, answered) in counts.items()))
    # The budget of events is the forbidden ones'; all are counted.
    wrong = [(labels, value) for name, labels, value in parse_metrics(s.daemon.metrics())
             if name == "dnetbpf_packets_total" and labels["verdict"] == "deny" and labels["reason"] != "policy_denied"]
    for name, (sent, answered) in counts.items():
        assert sent > 100 and answered == (sent if name.startswith("allowed") else 0), (counts, wrong)
    assert not wrong, wrong
    denied = s.daemon.metric("dnetbpf_packets_total", container="web", verdict="deny", reason="policy_denied")
    assert denied == sum(sent for name, (sent, _) in counts.items() if name.startswith("forbidden")), (denied, counts)


@pytest.mark.parametrize("broken, where", [
    (lambda v4: v4[:-4], "geoip:"),  # cut in the middle of a line
    (lambda v4: v4[:v4.index(",DE") + 4], "looks truncated"),  # at the end of one
    (lambda v4: "", "the file is empty"),
    (lambda v4: v4.replace("KP", "kp"), "geoip:"),
    (lambda v4: v4 + v4, "geoip:"),
    (lambda v4: None, "there is no such file"),
])
def test_a_broken_database_keeps_the_old_one(scene, folder, broken, where):
    path = put(folder, GOOD)
    s = scene(of_web(RULES, head=head(path))).start()
    good = status(s)
    text = broken(ranges(GOOD)[0])
    if text is None:
        os.unlink(path)
    else:
        replace(path, text)
    wait_status(s, failed_reloads=1)
    assert where in status(s)["last_error"] and status(s)["in_force"] and status(s)["ranges"] == good["ranges"], status(s)
    assert any(path in problem for problem in s.daemon.status()["problems"])
    assert s.daemon.metric("dnetbpf_geo_reload_failures_total") == 1
    s.opens("ext", "web", 81)
    s.denies("ext", "web", 80, own=EXT_OTHER_V4, rule="not-kp", country="KP")
    # What is asked of the policies meanwhile is judged by the old table.
    assert s.reload(of_web(RULES, OUT, head=head(path))).returncode == 0
    s.denies("web", EXT_OTHER_V4, 90, rule="kp-out")
    put(folder, GOOD)
    wait_status(s, last_error="")
    assert s.daemon.log().count("the countries in force stay") == 1 and status(s)["failed_reloads"] == 1
    # The same again is nothing new for the kernel.
    assert status(s)["reloads"] == 0
    put(folder, {**GOOD, EXT_OTHER_V4: "DE"})
    wait_status(s, reloads=1)
    s.opens("ext", "web", 80, own=EXT_OTHER_V4)


def test_policies_that_name_another_database(scene, folder):
    first, second = (os.path.join(folder, name) for name in ("first", "second"))
    os.mkdir(first)
    os.mkdir(second)
    put(first, GOOD)
    put(second, {**GOOD, EXT_V4: "KP", EXT_OTHER_V4: "DE"})
    s = scene(of_web(RULES, head=head(first))).start()
    s.denies("ext", "web", 80, own=EXT_OTHER_V4, rule="not-kp", country="KP")
    # Refused as a whole: neither its rules nor its table.
    done = s.reload(of_web(["allow 83/tcp from any"], head=head(os.path.join(folder, "third"))), check=False)
    assert done.returncode == 2 and f"{s.daemon.policy_path}:2:18: the database of countries cannot be used: " in done.stderr, done
    s.opens("ext", "web", 81)
    s.denies("ext", "web", 80, own=EXT_OTHER_V4, rule="not-kp", country="KP")
    assert status(s)["database"] == first
    other = os.path.join(s.daemon.directory, "other.yaml")
    replace(other, of_web(RULES, head=head(second)))
    s.daemon.command("policy apply", other, "--confirm", "4s")
    assert status(s)["database"] == second
    s.denies("ext", "web", 80, rule="not-kp", country="KP")
    wait_status(s, database=first)
    s.denies("ext", "web", 80, own=EXT_OTHER_V4, rule="not-kp", country="KP")
    s.opens("ext", "web", 81)
    # It is the first one's files again that are followed.
    put(first, {**GOOD, EXT_OTHER_V4: "US"})
    wait_until(lambda: s.world.places["ext"].connect(s.world.address("web"), 80, DENY_MS, source=EXT_OTHER_V4) == "open", "the change")


# --- without a database

def hide_default(daemon):
    """The daemon sees an empty folder where the default database is. Returns that folder, once it runs."""
    words = daemon.arguments()
    daemon.arguments = lambda: ["unshare", "--mount", "sh", "-c",
                                f"mount -t tmpfs none {os.path.dirname(DEFAULT)} && exec \"$@\"", "sh", *words]
    return lambda: f"/proc/{daemon.process.popen.pid}/root{os.path.dirname(DEFAULT)}"


def test_semantic_10_without_a_database_geo_is_refused_in_a_sentence(scene, session):
    """Nobody may believe that a country is denied when nothing knows countries."""
    label, nothing = "allow 80/tcp from geo:DE", of_web(["allow 81/tcp from any"])
    needs = f"geo:DE needs a database of countries, and {DEFAULT} is not there: install the package tor-geoipdb"
    s = scene(of_web([label]), labels={"free": {"dnetbpf.ingress": label}})
    inside = hide_default(s.daemon)
    assert s.daemon.launch().wait(20) == 2 and f"{s.daemon.policy_path}:5:17: {needs}" in s.daemon.log(), s.daemon.log()
    assert s.daemon.leftovers() == []
    s.daemon.write_policy(nothing)
    s.start()
    assert not status(s)["in_force"] and status(s)["last_error"] == "" and status(s)["database"] == DEFAULT
    s.opens("ext", "web", 81)
    for text in (of_web([label]), nothing.replace("policies:", 'host: { rules: [ "deny from geo:DE" ] }\npolicies:')):
        done = s.reload(text, check=False)
        assert done.returncode == 2 and needs in done.stderr, done
        s.opens("ext", "web", 81)
    done = s.daemon.command("allow", "web", label[6:], check=False)
    assert done.returncode == 2 and needs in done.stderr, done
    s.denies("ext", "free", 80, container="free", reason="policy_invalid")
    assert "label dnetbpf.ingress, column 1: geo:DE needs a database of countries, and there is none" in s.daemon.log()
    # It comes: labels are read again, and rules may name countries.
    s.daemon.write_policy(nothing)
    put(inside(), GOOD)
    wait_status(s, in_force=True)
    s.daemon.wait_state("free", "enforced")
    s.opens("ext", "free", 80)
    s.denies("ext", "free", 80, own=EXT_OTHER_V4, container="free", reason="default_denied", country="KP")
    s.reload(of_web(RULES))
    s.denies("ext", "web", 80, own=EXT_OTHER_V4, rule="not-kp")


def test_check_says_what_is_missing(session, folder):
    path = os.path.join(folder, "check.yaml")

    def check(text):
        replace(path, text)
        done = run(session.dnetbpf, "policy", "check", path, "--control", "/nonexistent", check=False)
        return done.returncode, done.stdout
    assert check(of_web(RULES, head=head(put(folder, GOOD))))[0] == 0
    code, said = check(of_web(RULES, head=head("nowhere")))
    assert code == 1 and f"{path}:2:18: error: the database of countries cannot be used: {folder}/nowhere: " in said, said


# --- seeing

def test_status_metrics_and_explanations(scene, folder):
    path = put(folder, GOOD)
    s = scene(of_web(RULES, OUT, head=head(path))).start()
    for file in ("geoip", "geoip6"):
        os.utime(os.path.join(folder, file), (1700000000, 1700000000))
    wait_until(lambda: (status(s)["built"] or "").startswith("2023-11-14"), lambda: f"the age: {status(s)}")
    told = status(s)
    assert told["database"] == path and told["format"] == "range files" and told["in_force"] and told["countries"] == 4
    assert told["ranges"]["ipv4"] == 10 and told["ranges"]["ipv6"] > 4 and told["reloads"] == told["failed_reloads"] == 0
    text = s.daemon.command("geo status").stdout
    assert path in text and "range files" in text and "2023-11-14" in text and "Last error" not in text
    assert "4 countries" in s.daemon.command("status").stdout
    assert s.daemon.metric("dnetbpf_geo_ranges", family="ipv4") == 10
    assert s.daemon.metric("dnetbpf_geo_ranges", family="ipv6") == told["ranges"]["ipv6"]
    assert s.daemon.metric("dnetbpf_geo_database_age_seconds") >= told["age_seconds"] > 1e7
    assert s.daemon.metric("dnetbpf_geo_reload_failures_total") == 0
    checked = run("promtool", "check", "metrics", stdin=s.daemon.metrics(), check=False)
    assert checked.returncode == 0 and not checked.stderr.strip(), checked.stdout + checked.stderr
    offline = ("--offline", s.daemon.policy_path, "--inventory", f"static:{s.daemon.inventory_path}")
    for packet, verdict, sentence in (
            (f"tcp {EXT_OTHER_V4}:4444 -> web:80", "deny", "not-kp"),
            (f"tcp [{EXT_OTHER_V6}]:4444 -> web:80", "deny", "not-kp"),
            (f"tcp {EXT_V4}:4444 -> web:80", "pass", "is in country DE, not KP"),
            (f"tcp {EXT_V4}:4444 -> web:81", "pass", "europe"),
            (f"tcp {HOST_V4}:4444 -> web:80", "pass", "is in no country that the database knows, not in KP")):
        for extra in ((), offline):
            words = [*s.daemon.place.inside(s.daemon.session.dnetbpf, "policy", "explain", packet),
                     *(extra or ("--control", s.daemon.control))]
            told = run(*words, "--json", check=False)
            said = run(*words, check=False).stdout
            assert json.loads(told.stdout)["verdict"] == verdict and sentence in said, (packet, extra, told.stdout, told.stderr, said)
