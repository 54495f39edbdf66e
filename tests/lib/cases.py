# SPDX-License-Identifier: GPL-2.0
"""
The policy cases: one table for tests/docker (real containers) and tests/net (namespaces and the static inventory).

Who is where:   front 198.18.10.0/24, fd77:10::/64: web, mon, free      back 198.18.20.0/24: web, db
web is shop/web, db is shop/db, mon is mon/prometheus with the label role=monitor; no policy selects free. Everybody, the
host and ext included, echoes on tcp and udp 80 to 99.
"""

from lib.daemon import service_names
from lib.dockerhost import EXT_OTHER_V4, EXT_OTHER_V6, EXT_V4, EXT_V6, HOST_V4, HOST_V6
from lib.place import DENY_MS

FRONT_V4, FRONT_V6, BACK_V4 = "198.18.10.", "fd77:10::", "198.18.20."
NETWORKS = {"front": (FRONT_V4 + "0/24", FRONT_V6 + "/64"), "back": (BACK_V4 + "0/24",)}
MEMBERS = {"web": {"front": 11, "back": 11}, "mon": {"front": 12}, "free": {"front": 13}, "db": {"back": 14}}
SERVICES = {"web": "shop/web", "db": "shop/db", "mon": "mon/prometheus", "free": None}
LABELS = {"mon": {"role": "monitor"}}

POLICY = """
version: 1
policies:
  - name: web
    select: "service:shop/web"
    ingress:
      - "allow 80/tcp, 80/udp from any as public"
      - "deny 81/tcp from 198.18.77.3, fd77::3 as one-less"
      - "allow 81/tcp from 198.18.77.0/24, fd77::/64 as near"
      - "allow 82/tcp from container:m*n as by-container"
      - "allow 83/tcp from service:mon/prometheus as by-service"
      - "deny 84/tcp from container:free as not-free"
      - "allow 84/tcp from network:front as by-network"
      - "allow 85/tcp from outside as by-outside"
      - "allow 86/tcp from host as by-host"
      - "deny 87/tcp from outside as not-outside"
      - "allow 87/tcp from any as inside"
      - "allow 88/tcp from network:back as by-back"
      - "allow 89/tcp from service:db as own-project"
      - "deny 90/tcp from service:mon/* as not-mon"
      - "deny 90/tcp from host as not-host"
      - "deny 90/tcp from network:back as not-back"
      - "allow 90,92-94/tcp from any as rest"
      - "allow icmp, icmpv6 from host as ping"
  - name: db
    select: "container:db"
    ingress: []
    egress:
      - "allow 80-99/tcp to service:web as own-web"
  - name: monitor
    select: "label:role=monitor"
    egress:
      - "allow 80-99/tcp, icmp, icmpv6 to service:shop/web as scrape"
      - "allow 80/udp to 198.18.77.2, fd77::2 as one-address"
      - "allow 91/tcp to outside as out"
      - "allow 92/tcp to host as to-host"
      - "allow 93/tcp to network:front as to-front"
      - "deny 94/tcp to 198.18.77.0/24, fd77::/64 as not-near"
      - "deny 95/tcp to container:free as not-free-out"
      - "allow 94,95/tcp to any as else"
"""


class Case:
    """What one connection attempt must come to. Denied: by whom, in which direction, why, and the rule if one denies."""

    def __init__(self, source, target, port, denied_by=None, reason="default_denied", rule=None, proto="tcp", network="front",
                 other_source=False, families=(4, 6)):
        self.source, self.target, self.port, self.proto, self.network = source, target, port, proto, network
        self.denied_by, self.reason, self.rule = denied_by, reason, rule
        self.other_source = other_source
        self.families = families if network == "front" else (4,)

    def __str__(self):
        verdict = f"denied-{self.rule or self.reason}" if self.denied_by else "open"
        other = "-other-address" if self.other_source else ""
        return f"{self.source}{other}-{self.target}-{self.network}-{self.proto}{self.port}-{verdict}"


def _deny(source, target, port, rule=None, by=None, **more):
    return Case(source, target, port, by or target, "policy_denied" if rule else "default_denied", rule, **more)


CASES = {
    "allow_from_any": [Case("ext", "web", 80), Case("ext", "web", 80, proto="udp"), Case("mon", "web", 80),
                       Case("free", "web", 80), Case("host", "web", 80), Case("free", "web", 80, proto="udp")],
    "default_deny_of_a_governed_direction": [
        _deny("ext", "web", 99), _deny("ext", "web", 99, proto="udp"), _deny("mon", "web", 99), _deny("host", "web", 99),
        _deny("web", "db", 80, network="back"), _deny("host", "db", 80, network="back"),
        _deny("db", "host", 80, by="db", network="back"), _deny("db", "ext", 80, by="db", network="back"),
        _deny("mon", "ext", 81, by="mon", proto="udp"), _deny("mon", "ext", 92, by="mon"), _deny("mon", "free", 99, by="mon")],
    "cidr_ingress": [Case("ext", "web", 81), _deny("ext", "web", 81, rule="one-less", other_source=True),
                     _deny("mon", "web", 81)],
    "cidr_egress": [Case("mon", "ext", 80, proto="udp"), _deny("mon", "ext", 94, rule="not-near", by="mon"),
                    Case("mon", "free", 94)],
    "container_ingress": [Case("mon", "web", 82), _deny("free", "web", 82), _deny("ext", "web", 82),
                          _deny("free", "web", 84, rule="not-free")],
    "container_egress": [_deny("mon", "free", 95, rule="not-free-out", by="mon"), Case("mon", "ext", 95)],
    "service_ingress": [Case("mon", "web", 83), _deny("free", "web", 83), _deny("mon", "web", 90, rule="not-mon"),
                        Case("free", "web", 90)],
    "service_egress_and_a_bare_service_in_the_own_project": [
        Case("mon", "web", 80), Case("db", "web", 89, network="back"), _deny("mon", "web", 89),
        Case("db", "web", 80, network="back")],
    "network_ingress": [Case("mon", "web", 84), _deny("ext", "web", 84), _deny("host", "web", 84),
                        Case("db", "web", 88, network="back"), _deny("mon", "web", 88),
                        _deny("db", "web", 90, rule="not-back", network="back")],
    "network_egress": [Case("mon", "free", 93), _deny("mon", "ext", 93, by="mon"), _deny("mon", "host", 93, by="mon")],
    "outside_ingress": [Case("ext", "web", 85), _deny("mon", "web", 85), _deny("host", "web", 85),
                        _deny("ext", "web", 87, rule="not-outside"), Case("mon", "web", 87), Case("host", "web", 87)],
    "outside_egress": [Case("mon", "ext", 91), _deny("mon", "free", 91, by="mon"), _deny("mon", "host", 91, by="mon")],
    "host_ingress": [Case("host", "web", 86), _deny("ext", "web", 86), _deny("free", "web", 86),
                     _deny("host", "web", 90, rule="not-host"), Case("ext", "web", 90)],
    "host_egress_to_the_gateway_address": [Case("mon", "host", 92)],
    "host_egress_to_another_address_of_the_host": [Case("mon", "uplink", 92), _deny("mon", "uplink", 91, by="mon")],
    "replies_pass_a_direction_that_denies_everything": [Case("db", "web", 80, network="back"),
                                                        Case("ext", "web", 80, proto="udp")],
    "icmp": [Case("host", "web", 0, proto="icmp"), _deny("free", "web", 0, proto="icmp"), _deny("mon", "web", 0, proto="icmp"),
             Case("free", "host", 0, proto="icmp")],
    "unselected_is_untouched": [Case("free", "ext", 99), Case("ext", "free", 99), Case("free", "host", 99),
                                Case("host", "free", 99), Case("host", "mon", 99), Case("free", "mon", 99),
                                Case("free", "ext", 98, proto="udp"), Case("ext", "free", 98, proto="udp")],
}


class World:
    """places: web, mon, free, db, host, ext by name (each a Place); gateways are those of the bridges."""

    def __init__(self, places):
        self.places = places

    def address(self, name, network="front", family=4):
        if name in ("ext", "uplink"):
            return {"ext": (EXT_V4, EXT_V6), "uplink": (HOST_V4, HOST_V6)}[name][family == 6]
        number = 1 if name == "host" else MEMBERS[name][network]
        if network == "back":
            return f"{BACK_V4}{number}"
        return f"{FRONT_V4}{number}" if family == 4 else f"{FRONT_V6}{number}"

    def attempt(self, case, family, timeout_ms):
        source = None
        if case.other_source:
            source = EXT_OTHER_V4 if family == 4 else EXT_OTHER_V6
        target = self.address(case.target, case.network, family)
        return self.places[case.source].try_proto(case.proto, target, case.port, timeout_ms, source)

    def check(self, daemon, case, family):
        """Try, and compare answer and event with what the case says."""
        if not case.denied_by:
            answer = self.attempt(case, family, 8000)
            assert answer == "open", f"{case} over IPv{family}: {answer}; {daemon.events()[-3:]}"
            return
        after = daemon.mark()
        answer = self.attempt(case, family, DENY_MS)
        assert answer == "timeout", f"{case} over IPv{family}: {answer}"
        wanted = {"verdict": "deny", "container": case.denied_by, "reason": case.reason,
                  "direction": "ingress" if case.denied_by == case.target else "egress", "network": case.network,
                  "service": service_names(SERVICES[case.denied_by]), "dst": self.address(case.target, case.network, family),
                  "proto": {("icmp", 6): "icmpv6"}.get((case.proto, family), case.proto), "dst_port": case.port,
                  "policy": {"web": "web", "db": "db", "mon": "monitor"}[case.denied_by]}
        if case.source == "ext":
            own = EXT_OTHER_V4 if family == 4 else EXT_OTHER_V6
            wanted["src"] = own if case.other_source else self.address("ext", family=family)
        else:
            wanted["src"] = self.address(case.source, case.network, family)
        if case.rule:
            wanted["rule"] = case.rule
        event = daemon.expect_event(after, **wanted)
        if case.proto == "tcp":
            assert event["tcp_flags"] == "SYN", event
        assert event["count"] >= 1 and event["bytes"] >= 28 and event["time"], event
