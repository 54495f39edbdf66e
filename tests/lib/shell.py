# SPDX-License-Identifier: GPL-2.0
"""Running programs, bounded, and waiting for conditions instead of times."""

import os
import signal
import subprocess
import time


class CommandFailed(AssertionError):
    pass


def run(*argv, timeout=30, check=True, stdin=None, env=None):
    """Run a program to its end. Standard output and error are text; with check, failure raises with both."""
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, input=stdin, env=env)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(condition, what, timeout=10.0, interval=0.02):
    """Call condition() until it returns something true, and return that. what: a sentence, or a function that makes one."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)


class Process:
    """A program that runs beside the test; its standard output and error are files."""

    def __init__(self, argv, directory, name, env=None, group=False):
        self.argv = [str(word) for word in argv]
        self.out_path = os.path.join(directory, name + ".out")
        self.err_path = os.path.join(directory, name + ".err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env,
                                          start_new_session=group)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def output(self):
        with open(self.out_path, errors="replace") as file:
            return file.read()

    def errors(self):
        with open(self.err_path, errors="replace") as file:
            return file.read()

    def lines(self):
        return self.output().splitlines()

    def last(self, word):
        """The last complete line that begins with word, as a list of its words, or None."""
        text = self.output()
        complete = text[:text.rfind("\n") + 1].splitlines()
        for line in reversed(complete):
            if line.split(" ", 1)[0] == word:
                return line.split()
        return None

    def wait_line(self, word, timeout=10.0):
        def found():
            line = self.last(word)
            if line is None and not self.running() and self.last(word) is None:
                raise AssertionError(f"{' '.join(self.argv)} ended with {self.popen.returncode} before it said "
                                     f"'{word}':\n{self.output()[-2000:]}{self.errors()[-2000:]}")
            return line
        return wait_until(found, f"'{word}' from {' '.join(self.argv)}", timeout)

    def wait(self, timeout=20.0):
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{' '.join(self.argv)} did not end within {timeout} s:\n{self.errors()[-2000:]}")

    def stop(self, timeout=20.0):
        """SIGTERM, and the exit code."""
        if self.running():
            self.popen.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        if self.running():
            self.popen.kill()
        self.popen.wait()
