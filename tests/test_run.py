#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Does tests/run count rightly? Above all: does everything that is not a pass become a failure? Prints TAP."""
import importlib.machinery
import importlib.util
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("run", f"{HERE}/run")
SPEC = importlib.util.spec_from_loader("run", LOADER)
run = importlib.util.module_from_spec(SPEC)
sys.modules["run"] = run    # dataclasses look their module up
LOADER.exec_module(run)

# what it shows, output, exit code -> passed, failed, skipped
TAP = (
    ("all pass", "1..2\nok 1 - a\nok 2 - b\n", 0, (2, 0, 0)),
    ("one fails", "1..2\nok 1 - a\nnot ok 2 - b\n", 1, (1, 1, 0)),
    ("a failure with exit code 0 is a failure", "1..1\nnot ok 1 - a\n", 0, (0, 1, 0)),
    ("cmocka's way to skip", "1..2\nok 1 - a\nnot ok 2 # SKIP b\n", 0, (1, 0, 1)),
    ("TAP's way to skip", "1..1\nok 1 - a # skip no such kernel\n", 0, (0, 0, 1)),
    ("two groups add up", "1..1\nok 1 - a\n1..2\nok 1 - b\nok 2 - c\n", 0, (3, 0, 0)),
    ("the plan may come last", "ok 1 - a\nok 2 - b\n1..2\n", 0, (2, 0, 0)),
    ("a crash before the end", "1..3\nok 1 - a\n", -11, (1, 1, 0)),
    ("fewer tests than planned, exit code 0", "1..3\nok 1 - a\n", 0, (1, 1, 0)),
    ("a crash after the last test, as a leak is reported", "1..1\nok 1 - a\n", 1, (1, 1, 0)),
    ("a timeout", "1..1\nok 1 - a\n", None, (1, 1, 0)),
    ("no output", "", 0, (0, 1, 0)),
    ("an empty plan", "1..0\n", 0, (0, 1, 0)),
    ("it could not start", "", 127, (0, 1, 0)),
    ("bail out", "1..3\nok 1 - a\nBail out! no root\n", 1, (1, 2, 0)),
    ("text between the lines", "hello\n# ok\n1..1\nokay then\n  not ok 3\nok 1 - a\n", 0, (1, 0, 0)),
    ("carriage returns of a serial console", "1..1\r\nok 1 - a\r\n", 0, (1, 0, 0)),
)
JUNIT = (
    ("all pass", '<testcase classname="m" name="a"/><testcase classname="m" name="b"/>', 0, (2, 0, 0)),
    ("failure, error and skip", '<testcase classname="m" name="a"><failure/></testcase>'
     '<testcase classname="m" name="b"><error/></testcase><testcase classname="m" name="c"><skipped/></testcase>', 1,
     (0, 2, 1)),
    ("a test that fails twice is one", '<testcase classname="m" name="a"><failure/></testcase>'
     '<testcase classname="m" name="a"><error/></testcase>', 1, (0, 1, 0)),
    ("an internal error of pytest", '<testcase classname="m" name="a"/>', 3, (1, 1, 0)),
    ("exit code 1 without a failed test", '<testcase classname="m" name="a"/>', 1, (1, 1, 0)),
    ("a timeout", '<testcase classname="m" name="a"/>', None, (1, 1, 0)),
    ("no test", "", 5, (0, 1, 0)),
    ("no report", None, 4, (0, 1, 0)),
)


def triple(count):
    return count.passed, len(count.failures), count.skipped


def cases():
    for name, output, exit_code, expected in TAP:
        yield f"tap: {name}", triple(run.count_tap(output, exit_code, "t")), expected
    for name, inner, exit_code, expected in JUNIT:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/report.xml"
            if inner is not None:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(f"<testsuites><testsuite>{inner}</testsuite></testsuites>")
            yield f"junit: {name}", triple(run.count_junit(path, exit_code, "t")), expected
    exit_code, output = run.run(["sh", "-c", "echo one; echo two >&2; exit 3"], 10, show=False)
    yield "run: exit code and both outputs", (exit_code, sorted(output.split())), (3, ["one", "two"])
    exit_code, output = run.run(["sh", "-c", "echo one; sleep 60"], 0.5, show=False)
    yield "run: a timeout ends the command and keeps its output", (exit_code, output), (None, "one\n")
    exit_code, output = run.run(["sh", "-c", "sleep 60 & echo one"], 10, show=False)
    yield "run: what is left in the background does not hold us", (exit_code, output), (0, "one\n")
    yield "run: no such program", run.run(["/nonexistent"], 1, show=False)[0], 127
    yield "sum line", str(run.Count(3, 1, ["x", "y"])), "3 passed, 2 failed, 1 skipped"


def main():
    failed = number = 0
    for number, (name, got, expected) in enumerate(cases(), 1):
        print(("ok" if got == expected else "not ok"), number, "-", name, flush=True)
        if got != expected:
            failed += 1
            print(f"#   expected {expected}, got {got}")
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
