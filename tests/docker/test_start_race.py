# SPDX-License-Identifier: GPL-2.0
"""
Containers whose first act is to send. What is forbidden is counted where it would arrive, outside and at the neighbour; what
containers without a policy send must all arrive, which also shows that the counting works.
"""

from concurrent.futures import ThreadPoolExecutor

from lib.dockerhost import EXT_V4
from lib.shell import wait_until

NEIGHBOUR = "198.18.10.11"
COUNT = 10  # datagrams to each of the four targets, first to the forbidden port
TARGETS = (f"{NEIGHBOUR}:9", f"{EXT_V4}:9", f"{NEIGHBOUR}:7", f"{EXT_V4}:7")
POLICY = """
    version: 1
    policies:
      - name: racers
        select: "container:racer-*"
        egress: [ "allow 7/udp to any as seven" ]
"""


def burst(name, *words):
    return ("/netprobe", "burst", f"tag={name}", f"count={COUNT}", "gap=1500", *words, *TARGETS)


class Arrivals:
    """Counts at the two places where packets of the racers would arrive."""

    def __init__(self, docker):
        self.docker = docker
        self.neighbour = docker.run("neighbour", network="race", address=NEIGHBOUR)
        self.at_neighbour = self.neighbour.sniff("eth0")
        self.at_ext = docker.ext.sniff("eth0")

    def close(self):
        self.at_neighbour.barrier(lambda tag: self.docker.host.burst(f"{NEIGHBOUR}:5", tag=tag, count=1))
        self.at_ext.barrier(lambda tag: self.docker.host.burst(f"{EXT_V4}:5", tag=tag, count=1))
        return self.at_ext, self.at_neighbour

    def report(self, session, what, racers, free):
        """Print and judge. racers, free: how many there were."""
        counts = {}
        for place, sniffer in zip(("ext", "neighbour"), self.close()):
            counts[place] = {"forbidden": sniffer.count("racer-*", 9), "allowed": sniffer.count("racer-*", 7),
                             "free": sniffer.count("free-*")}
            sniffer.stop()
        of_free, of_racers = 2 * COUNT * free, COUNT * racers
        session.figure(
            f"{what}: {racers} selected, forbidden packets seen: {counts['ext']['forbidden']} ext, "
            f"{counts['neighbour']['forbidden']} neighbour (of {of_racers} sent to each); allowed ones lost: "
            f"{of_racers - counts['ext']['allowed']} ext, {of_racers - counts['neighbour']['allowed']} neighbour; "
            f"{free} unselected, lost: {of_free - counts['ext']['free']} ext, "
            f"{of_free - counts['neighbour']['free']} neighbour of {of_free} each")
        for place, count in counts.items():
            assert count["forbidden"] == 0, f"{count['forbidden']} forbidden packets were seen at {place}"
            # Whoever sends within a millisecond of its interface being up can be faster than we are on a loaded host. What it
            # sends waits for an address then; it is not lost.
            assert count["free"] == of_free, \
                f"{of_free - count['free']} of {of_free} packets of unselected containers were lost to {place}"
            assert count["allowed"] == of_racers, \
                f"{of_racers - count['allowed']} of {of_racers} packets that are allowed were lost to {place}"


def all_sent(containers):
    """Every container has done its burst, in full."""
    def running():
        return containers[0].docker_host.docker("ps", "--quiet", "--filter", "name=^(racer|free)-").stdout.split()
    wait_until(lambda: not running(), lambda: f"the bursts to end: {running()}", 60, 0.2)
    with ThreadPoolExecutor(4) as pool:
        for container, text in zip(containers, pool.map(lambda c: c.logs(), containers)):
            assert f"sent {COUNT * len(TARGETS)}\n" in text, f"{container.name} did not send everything: {text}"


def race(docker, names, at_once):
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda name: docker.run(name, *burst(name), network="race"), names))


def names_of(kind, count, free_every):
    """Racers, and after each free_every of them a container without a policy."""
    names = []
    for i in range(count):
        names.append(f"racer-{kind}{i}")
        if (i + 1) % free_every == 0:
            names.append(f"free-{kind}{i}")
    return names


def test_first_act_is_to_send(docker, daemon, closing, session, attach):
    """100 starts, half of them 10 at a time, and unselected ones among them."""
    docker.network("race", subnets=("198.18.10.0/24",))
    daemon = daemon(docker.host, attach=attach, policy=POLICY, docker=docker).start()
    arrivals = Arrivals(docker)
    containers = race(docker, names_of("one", 50, 5), 1)
    all_sent(containers)
    docker.remove(*containers)
    parallel = race(docker, names_of("many", 50, 5), 10)
    all_sent(parallel)
    status = daemon.status()
    arrivals.report(session, f"start race, {attach}: 100 starts and 20 more, half of them 10 at a time", 100, 20)
    session.figure(f"start race, {attach}: {status['pending_denied']} packets denied while pending")


def test_first_act_after_a_live_connect_is_to_send(docker, daemon, session, attach):
    """20 running containers are connected to a second network, half of them 10 at a time, and 5 unselected ones."""
    docker.network("quiet", "--internal", subnets=("198.18.20.0/24",))
    docker.network("race", subnets=("198.18.10.0/24",))
    daemon(docker.host, attach=attach, policy=POLICY, docker=docker).start()
    arrivals = Arrivals(docker)
    names = names_of("live", 20, 4)

    def start(name):
        container = docker.run(name, *burst(name, "wait=1", "timeout=120000"), network="quiet")
        container.wait_logs("waiting")
        return container
    with ThreadPoolExecutor(5) as pool:
        containers = list(pool.map(start, names))
    half = len(containers) // 2
    for at_once, some in ((1, containers[:half]), (10, containers[half:])):
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda container: docker.connect("race", container), some))
    all_sent(containers)
    arrivals.report(session, f"live connect, {attach}: 25 connects, half of them 10 at a time", 20, 5)
