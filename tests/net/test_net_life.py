# SPDX-License-Identifier: GPL-2.0
"""The daemon over the static inventory: labels, audit, --once, adoption, late interfaces, spoofing, unload."""

import os

import pytest

from lib.cases import POLICY
from lib.daemon import ATTACH_MODES, allowed, denied, programs
from lib.shell import wait_until
from lib.worlds import NetWorld


@pytest.fixture
def world(session, closing):
    return closing.add(NetWorld(session))


def test_a_killed_daemon_is_adopted(world, daemon, session, attach):
    daemon = daemon(world.host, attach=attach, policy=POLICY, inventory=world.inventory()).start()
    daemon.wait_state("web", "enforced", count=2)
    web = world.address("web")
    lines = [world.ext.lines(web, 80), world.places["mon"].lines(web, 80)]
    denied(daemon, world.ext, web, 99, container="web")
    for line in lines:
        line.wait_more("echoed", 3)
    before = daemon.ps("web", "front")[0]
    daemon.kill()
    assert world.ext.connect(web, 99, 300) == "timeout" and world.ext.connect(web, 80) == "open"
    daemon.start()
    daemon.wait_state("web", "enforced", count=2)
    after = daemon.ps("web", "front")[0]
    assert after["packets_passed"] >= before["packets_passed"] and after["packets_denied"] > before["packets_denied"]
    denied(daemon, world.ext, web, 99, container="web", reason="default_denied")
    for line in lines:
        line.wait_more("echoed", 3)
    results = [line.finish() for line in lines]
    assert all(result["retransmitted"] == 0 for result in results), results
    session.figure(f"static inventory, SIGKILL and restart, {attach}: 2 connections, retransmitted: "
                   f"{[result['retransmitted'] for result in results]}")


def test_the_other_attach_mode_after_a_restart(world, daemon, attach):
    """A restart with the other mode leaves neither a gap nor programs of the first one."""
    other = {"tcx": "clsact", "clsact": "tcx"}[attach]
    if other not in ATTACH_MODES:
        other = attach  # a kernel without TCX has one mode only
    daemon = daemon(world.host, attach=attach, policy=POLICY, inventory=world.inventory()).start()
    daemon.wait_state("web", "enforced", count=2)
    line = world.ext.lines(world.address("web"), 80)
    daemon.stop()
    daemon.attach = other
    daemon.start()
    daemon.wait_state("web", "enforced", count=2)
    assert daemon.status()["attach"]["mode"] == other
    kinds = {entry.split()[0] for entry in programs(world.host)}
    assert kinds == ({"TCX"} if other == "tcx" else {"qdisc"}), programs(world.host)
    denied(daemon, world.ext, world.address("web"), 99, container="web")
    line.wait_more("echoed", 3)
    assert line.finish()["retransmitted"] == 0


def test_audit_passes_everything_and_reports_it(world, daemon, attach):
    daemon = daemon(world.host, attach=attach, policy=POLICY, inventory=world.inventory(), extra=["--audit"]).start()
    daemon.wait_state("web", "audit", count=2)
    web = world.address("web")
    allowed(world.ext, web, 99)
    daemon.expect_event(container="web", verdict="would_deny", reason="default_denied", dst_port=99)
    allowed(world.ext, web, 99, proto="udp")
    allowed(world.ext, web, 80)
    assert not daemon.events(verdict="deny")


def test_once_reconciles_and_leaves_everything_in_force(world, daemon, attach):
    daemon = daemon(world.host, attach=attach, policy=POLICY, inventory=world.inventory(), extra=["--once"])
    process = daemon.launch()
    assert process.wait(20) == 0, daemon.log()
    assert programs(world.host) and os.path.isdir(daemon.pin)
    web = world.address("web")
    allowed(world.ext, web, 80)
    assert world.ext.connect(web, 99, 300) == "timeout"
    assert world.ext.connect(world.address("free"), 99) == "open"


def test_an_interface_that_comes_later_gets_its_policy(world, daemon, attach):
    """The inventory names it, the link appears, goes and comes again."""
    late = world.plug("mon", "back", 15, default_route=False)
    world.host.ip("link", "delete", late["interface"])
    daemon = daemon(world.host, attach=attach, policy=POLICY, inventory=world.inventory()).start()
    daemon.wait_state("mon", "enforced", network="front")
    for _ in range(2):
        world.endpoints.pop()
        end = world.plug("mon", "back", 15, default_route=False)
        # The static inventory names the MAC address as well; a new veth has a new one unless it is given.
        world.places["mon"].ip("link", "set", "to-back", "address", late["mac"])
        daemon.wait_state("mon", "enforced", network="back")
        denied(daemon, world.places["mon"], world.address("db", "back"), 90, container="mon", network="back",
               direction="egress")
        world.host.ip("link", "delete", end["interface"])
        wait_until(lambda: daemon.state("mon", "back") in ("", "unattached"), lambda: f"{daemon.ps('mon')}")


def test_labels_of_the_static_inventory(world, daemon, attach):
    for end in world.endpoints:
        if end["container"] == "free":
            end["labels"] = {"dnetbpf.ingress": "allow 80/tcp from outside"}
        if end["container"] == "db":
            end["labels"] = {"dnetbpf.ingress": "permit everything"}
    daemon = daemon(world.host, attach=attach, policy="version: 1\n", inventory=world.inventory()).start()
    daemon.wait_state("free", "enforced")
    daemon.wait_state("db", "invalid")
    for family in (4, 6):
        free = world.address("free", family=family)
        allowed(world.ext, free, 80)
        denied(daemon, world.places["web"], free, 80, container="free", reason="default_denied")
    denied(daemon, world.host, world.address("db", "back"), 80, container="db", reason="policy_invalid")


def test_a_borrowed_address_gains_nothing(world, daemon, attach):
    """free is on the bridge of mon, whose address opens port 82 of web."""
    policy = POLICY.replace("82/tcp", "82/udp").replace("80-99/tcp, icmp", "80-99/tcp, 82/udp, icmp")
    daemon = daemon(world.host, attach=attach, policy=policy, inventory=world.inventory()).start()
    daemon.wait_state("web", "enforced", count=2)
    free, mon, web = (world.places[name] for name in ("free", "mon", "web"))
    sniffer = web.sniff("to-front")
    for family in (4, 6):
        to, lie = world.address("web", family=family), world.address("mon", family=family)
        for tag, mac in (("lie-address", free.mac("to-front")), ("lie-both", mon.mac("to-front"))):
            after = daemon.mark()
            free.spoof("to-front", port=82, to=to, to_mac=web.mac("to-front"), from_mac=mac, tag=tag, count=3, **{"from": lie})
            daemon.expect_event(after, container="free", verdict="deny", direction="egress", src=lie)
        mon.burst(f"{to}:82", tag="true", count=3)
    sniffer.barrier(lambda tag: mon.burst(f"{world.address('web')}:82", tag=tag, count=1))
    assert sniffer.count("true") == 6 and sniffer.count("lie-*") == 0, sniffer.packets()
    sniffer.stop()


def test_unknown_deny(world, daemon, attach):
    """A veth on the bridge that the inventory does not know is no way around the policy."""
    stray = world.plug("ext", "front", 99, default_route=False)
    world.endpoints.remove(stray)
    policy = "defaults: { unknown: deny }" + POLICY
    daemon = daemon(world.host, attach=attach, policy=policy, inventory=world.inventory()).start()
    daemon.wait_state("web", "enforced", count=2)
    sniffers = {name: world.places[name].sniff("to-front") for name in ("web", "free")}
    for name in sniffers:
        world.ext.ip("route", "replace", world.address(name) + "/32", "dev", "to-front", "src", "198.18.10.99")
        world.ext.burst(f"{world.address(name)}:80", tag="stray", count=3)
    for name, sniffer in sniffers.items():
        sniffer.barrier(lambda tag, to=world.address(name): world.host.burst(f"{to}:80", tag=tag, count=1))
    assert {name: sniffer.count("stray") for name, sniffer in sniffers.items()} == {"web": 0, "free": 0}
    for sniffer in sniffers.values():
        sniffer.stop()


def test_unload_without_and_with_a_daemon(world, daemon, attach):
    daemon = daemon(world.host, attach=attach, policy=POLICY, inventory=world.inventory())
    for alive in (True, False):
        daemon.start()
        daemon.wait_state("web", "enforced", count=2)
        if not alive:
            daemon.kill()
        daemon.unload()
        if alive:
            wait_until(lambda: not daemon.running(), "the daemon to end", 10)
        assert daemon.leftovers() == []
        allowed(world.ext, world.address("web"), 99)
