# SPDX-License-Identifier: GPL-2.0
"""Bans as a person sees them: `blocks`, `unblock`, log, metrics, `explain`; and what they outlive."""

import datetime
import json

import pytest

from lib.dockerhost import EXT_OTHER_V4, EXT_V4
from lib.limitworld import GATEWAY4, GATEWAY6, OUTER, V4, V6, LimitWorld
from lib.place import DENY_MS, join
from lib.shell import wait_until

EXT_NET = EXT_V4.rsplit(".", 1)[0] + ".0/24"
BURST = 3
PORT = 90


def policy(ban="ban 10m"):
    return f"""
        version: 1
        policies:
          - name: site
            select: "container:box"
            ingress:
              - "allow {PORT}/tcp from any rate 1/h per src burst {BURST} {ban} as public"
              - "allow 91/tcp from any"
        """


@pytest.fixture(scope="module")
def world(session):
    world = LimitWorld(session)
    server = world.box.serve(f"tcp:{PORT}-91")
    yield world
    server.kill()
    world.close()


@pytest.fixture
def start(world, daemon):
    def start(ban="ban 10m"):
        made = daemon(world.host, policy=policy(ban), inventory=world.inventory()).start()
        made.wait_state("box", "enforced")
        return made
    return start


def earn_a_ban(world, daemon, source=EXT_V4):
    for _ in range(BURST):
        assert world.ext.connect(V4, PORT, source=source) == "open"
    assert world.ext.connect(V4, PORT, DENY_MS, source=source) == "timeout"
    return wait_until(lambda: [one for one in daemon.json("blocks")["blocks"] if one["prefix"] == source],
                      lambda: f"{source} to be banned: {daemon.json('blocks')}\n{daemon.log()}", 5)[0]


def banned(world, source=EXT_V4):
    """On another port, whose rule has no limit."""
    answer = world.ext.connect(V4, 91, DENY_MS, source=source)
    assert answer in ("timeout", "open"), answer
    return answer == "timeout"


def seconds(time):
    return datetime.datetime.fromisoformat(time.split(".")[0]).timestamp()


def test_a_ban_is_listed_told_and_lifted(world, start):
    daemon = start()
    assert daemon.command("blocks").stdout == "Nobody is banned.\n"
    mark = daemon.mark()
    block = earn_a_ban(world, daemon)
    wanted = {"everywhere": False, "container": "box", "running": True, "kind": "ban", "exceeded_at": "box",
              "policy": "site", "rule": "public", "limit": f"rate 1/h per src burst {BURST}"}
    assert {key: block[key] for key in wanted} == wanted
    assert block["origin"].endswith("policy.yaml:7")
    assert 590 < block["seconds_left"] <= 600 and 0 <= block["seconds"] < 10
    assert block["since"] < block["until"]

    assert banned(world) and not banned(world, EXT_OTHER_V4)
    event = daemon.expect_event(mark, reason="banned", src=EXT_V4, dst_port=91)
    assert (event["policy"], event["rule"], event["container"], event["verdict"]) == ("site", "public", "box", "deny")
    table = daemon.command("blocks").stdout.splitlines()
    assert len(table) == 2 and table[0].split() == ["ADDRESS", "WHERE", "SET", "LEFT", "REFUSED", "WHY"]
    assert table[1].startswith(f"{EXT_V4}") and " box  " in table[1]
    assert table[1].endswith(f"rate 1/h per src burst {BURST}, rule public of policy site")

    # What is asked for, and nothing else.
    for words, count in (([EXT_V4], 1), ([EXT_NET], 1), (["0.0.0.0/0"], 1), (["198.51.100.7"], 0), (["::/0"], 0),
                         (["--container", "b*"], 1), (["--container", "other"], 0)):
        assert len(daemon.json("blocks", *words)["blocks"]) == count, words
    for words in (["192.0.2.1/24"], ["box"], ["192.0.2.0/33"]):
        assert daemon.command("blocks", *words, check=False).returncode == 2, words
        assert daemon.command("unblock", *words, check=False).returncode == 2, words

    daemon_log = wait_until(lambda: "is banned" in daemon.process.errors() and daemon.process.errors(), "the ban in the log", 12)
    line = next(json.loads(line)["message"] for line in daemon_log.splitlines() if "is banned" in line)
    assert line == (f'{EXT_V4} is banned at box for 10 min: it exceeded rate 1/h per src burst {BURST} '
                    f'of rule "public" of policy site')
    blocks = daemon.status()["blocks"]
    assert (blocks["entries"], blocks["bans"], blocks["refused"]) == (1, 1, 0)
    end = daemon.ps("box")[0]
    assert end["blocks"] == 1 and end["packets_limited"] >= 1
    assert daemon.metric("dnetbpf_blocks", kind="ban") == 1 and daemon.metric("dnetbpf_blocks", kind="hand") == 0
    assert daemon.metric("dnetbpf_bans_total") == 1 and daemon.metric("dnetbpf_bans_refused_total") == 0
    world.host.run("sh", "-c", f"{world.session.netprobe} get 127.0.0.1 {daemon.port} /metrics | promtool check metrics")

    answer = daemon.json("policy explain", f"tcp {EXT_V4}:4444 -> box:91")
    assert (answer["verdict"], answer["reason"], answer["policy"], answer["rule"]) == ("deny", "banned", "site", "public")
    assert answer["sentence"].startswith(f"box does not let it in: {EXT_V4} is banned there for another ")
    assert answer["sentence"].endswith(f"because it exceeded rate 1/h per src burst {BURST} of rule \"public\" of policy site; "
                                       f"`dnetbpf unblock {EXT_V4}` lifts it")
    out = daemon.json("policy explain", f"tcp box -> {EXT_V4}:80")
    assert out["reason"] == "banned" and out["sentence"].startswith("box must not send it: ")

    for words, code, text in ((["192.0.2.77"], 1, "192.0.2.77 is not blocked"), ([EXT_V4, "--container", "other"], 1, "not at other"),
                              ([], 2, "--all"), (["--all", EXT_V4], 2, "--all")):
        done = daemon.command("unblock", *words, check=False)
        assert done.returncode == code and text in done.stderr, (words, done)
    assert banned(world)
    done = daemon.command("unblock", EXT_V4, "--container", "box")
    assert done.stdout.startswith(f"Lifted: {EXT_V4} at box (")
    assert not banned(world)
    assert daemon.command("unblock", EXT_V4, check=False).returncode == 1
    assert daemon.command("unblock", "--all", check=False).returncode == 1
    assert daemon.json("policy explain", f"tcp {EXT_V4}:4444 -> box:91")["verdict"] == "pass"
    # What it has used up stays used up.
    assert world.ext.connect(V4, PORT, DENY_MS) == "timeout"
    assert daemon.status()["blocks"]["bans"] == 2
    done = daemon.command("unblock", EXT_NET, "198.51.100.0/24", check=False)
    assert done.returncode == 1 and "Lifted" in done.stdout and "198.51.100.0/24 is not blocked" in done.stderr
    assert not banned(world)


def test_a_ban_everywhere(world, start):
    daemon = start("ban host 10m")
    block = earn_a_ban(world, daemon)
    assert block["everywhere"] and block["container"] == "" and block["exceeded_at"] == "box"
    assert "everywhere" in daemon.command("blocks").stdout
    assert daemon.json("ps")["blocks_everywhere"] == 1 and "1 more banned everywhere" in daemon.command("ps").stdout
    assert "is banned everywhere for" in daemon.json("policy explain", f"tcp {EXT_V4}:4444 -> box:91")["sentence"]
    done = daemon.command("unblock", EXT_V4, "--container", "box", check=False)
    assert done.returncode == 1 and "leave --container out" in done.stderr
    assert daemon.command("unblock", "--all").stdout.startswith(f"Lifted: {EXT_V4} everywhere (")
    assert not banned(world)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_ban_outlives_the_daemon(world, start, end):
    daemon = start()
    before = earn_a_ban(world, daemon)
    getattr(daemon, end)()
    assert banned(world)
    daemon.start()
    after = daemon.json("blocks")["blocks"]
    assert [(one["prefix"], one["container"], one["rule"], one["limit"]) for one in after] == \
           [(before["prefix"], "box", "public", before["limit"])]
    assert abs(seconds(after[0]["until"]) - seconds(before["until"])) <= 1  # two clocks are read, one after the other
    # It is not told as if it were new.
    daemon.status()
    assert "is banned" not in daemon.process.errors() and "still in force" in daemon.process.errors()
    assert banned(world)
    daemon.command("unblock", EXT_V4)
    assert not banned(world)


def unplug(world):
    world.host.ip("link", "delete", OUTER)


def plug(world):
    """As a container that was restarted: another interface, with the same addresses."""
    join(world.host, OUTER, world.box, "eth0")
    world.box.ip("link", "set", "eth0", "address", world.mac)
    world.host.ip("link", "set", OUTER, "master", "br-front")
    world.box.address("eth0", f"{V4}/24", f"{V6}/64")
    for gateway in (GATEWAY4, GATEWAY6):
        world.box.ip("route", "add", "default", "via", gateway)


@pytest.mark.parametrize("daemon_restarts", [False, True])
def test_a_ban_outlives_a_restart_of_its_container(world, start, daemon_restarts):
    daemon = start()
    earn_a_ban(world, daemon)
    unplug(world)
    wait_until(lambda: not daemon.ps("box"), "the interface to be gone", 10)
    block = daemon.json("blocks")["blocks"][0]
    assert (block["prefix"], block["container"], block["running"]) == (EXT_V4, "box", False)
    assert "box (not running)" in daemon.command("blocks").stdout
    if daemon_restarts:
        daemon.stop()
        daemon.start()
        assert daemon.json("blocks")["blocks"][0]["container"] == "box"
    plug(world)
    daemon.wait_state("box", "enforced")
    block = daemon.json("blocks")["blocks"][0]
    assert (block["prefix"], block["container"], block["running"]) == (EXT_V4, "box", True)
    assert banned(world) and not banned(world, EXT_OTHER_V4)
    daemon.command("unblock", EXT_V4)
    assert not banned(world)


def test_what_is_over_is_removed_and_costs_nothing(world, start):
    daemon = start("ban 2s")
    earn_a_ban(world, daemon)
    assert banned(world)
    wait_until(lambda: not banned(world), "the ban to be over", 10)
    wait_until(lambda: daemon.status()["blocks"]["entries"] == 0, "the sweep to see it", 10)
    assert daemon.json("blocks")["blocks"] == []
