# SPDX-License-Identifier: GPL-2.0
"""dnetbpf is there before dockerd: at boot, and when dockerd restarts."""

from lib.daemon import allowed, denied
from lib.dockerhost import EXT_V4, web_and_client
from lib.place import count_sniffed, parse_sniffed
from lib.shell import wait_until

COUNT = 150  # datagrams to each target, over three seconds


def test_ready_without_docker_and_enforcing_once_it_is_there(docker, daemon, attach):
    docker.network("front", subnets=("198.18.10.0/24",))
    docker.stop()
    daemon = daemon(docker.host, attach=attach, docker=docker, policy="""
        version: 1
        policies:
          - { name: web, select: "service:shop/web", ingress: [ "allow 80/tcp from any" ] }
    """).start(wait_connected=False)
    status = daemon.status()
    assert status["inventory"]["connected"] is False and docker.socket in status["inventory"]["problem"], status
    wait_until(lambda: docker.socket in daemon.log(), "a log line that says that Docker is not reachable", 5)
    docker.start()
    wait_until(lambda: daemon.status()["inventory"]["connected"], "dnetbpf to find Docker", 20)
    web = docker.run("web", network="front", address="198.18.10.11", service="shop/web")
    allowed(docker.ext, web.address(), 80)
    denied(daemon, docker.ext, web.address(), 81, container="web", reason="default_denied")
    said = [line for line in daemon.log().splitlines() if docker.socket in line and "reach" in line.lower()]
    assert len(said) <= 2, f"it says once that Docker is not reachable, not again and again: {said}"


def test_restart_always_across_a_dockerd_start(docker, daemon, session, attach):
    """dnetbpf first, then dockerd, which starts containers that send at once."""
    docker.network("front", subnets=("198.18.10.0/24",))
    neighbour = docker.run("neighbour", "/packetprobe", "sniff", "eth0", network="front", address="198.18.10.11",
                           options=("--restart", "always"))
    names = ["racer-1", "free-1", "racer-2", "free-2", "racer-3", "racer-4"]
    targets = [f"{EXT_V4}:9", "198.18.10.11:9", f"{EXT_V4}:7", "198.18.10.11:7"]
    containers = [docker.run(name, "/netprobe", "burst", f"tag={name}", f"count={COUNT}", "gap=20000", "stay=1", *targets,
                             network="front", options=("--restart", "always")) for name in names]
    for container in containers:
        container.wait_logs("sent")
    docker.stop()
    daemon(docker.host, attach=attach, docker=docker, policy="""
        version: 1
        policies:
          - { name: racers, select: "container:racer-*", ingress: [], egress: [ "allow 7/udp to any" ] }
    """).start(wait_connected=False)
    sniffer = docker.ext.sniff("eth0")
    docker.start()
    # One line of the first life, one of the second.
    for container in containers:
        wait_until(lambda: container.logs().count(f"sent {COUNT * len(targets)}\n") == 2,
                   lambda: f"the second burst of {container.name}: {container.logs()}", 40, 0.1)
    sniffer.barrier(lambda tag: docker.host.burst(f"{EXT_V4}:5", tag=tag, count=1))
    forbidden, free = sniffer.count("racer-*", 9), sniffer.count("free-*")
    seen_allowed = sniffer.count("racer-*", 7)
    sniffer.stop()
    # dockerd starts these containers before it answers anybody: until then nobody can know whose packets they are, and they are
    # held back. The neighbour is itself one of those that start, so of what goes to it only the forbidden part has a fixed
    # number; its first life saw everything (dnetbpf was not there).
    lives = neighbour.logs().split("ready\n")
    at_neighbour = count_sniffed(parse_sniffed(lives[-1]), "racer-*", 9)
    first_life = count_sniffed(parse_sniffed(lives[1]), "racer-*", 9)
    session.figure(f"restart: always across a dockerd start, {attach}: 4 selected, forbidden packets seen: {forbidden} ext, "
                   f"{at_neighbour} neighbour; 2 unselected, held back until dockerd answered: {2 * 2 * COUNT - free} of "
                   f"{2 * 2 * COUNT} to ext")
    assert first_life == 4 * COUNT, "the neighbour's count does not work"
    assert forbidden == 0 and at_neighbour == 0
    assert seen_allowed > 0 and free > 0, "what is allowed must arrive once dockerd answers"


def test_dockerd_restart_keeps_enforcing(docker, daemon):
    web, client = web_and_client(docker)
    daemon = daemon(docker.host, docker=docker, policy="""
        version: 1
        policies:
          - { name: web, select: "container:web", ingress: [ "allow 80/tcp from any" ] }
    """).start()
    daemon.wait_state("web", "enforced")
    docker.stop()
    wait_until(lambda: not daemon.status()["inventory"]["connected"], "dnetbpf to notice that Docker is gone", 10)
    docker.start()
    wait_until(lambda: daemon.status()["inventory"]["connected"], "dnetbpf to find Docker again", 20)
    for container in (web, client):
        container.docker("start")
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web", reason="default_denied")
