"""Requests a second of a plain Flask route on one core: Erlen, gunicorn's threads, waitress and granian, in turn.

`python routes.py LOAD [RUNS] [SECONDS]`, in the environment of requirements.txt with Erlen's wheel; LOAD is the load generator.
`cargo xtask bench --routes` calls it so. The server runs on core 0 and the load on core 1. Prints medians and spread.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
SERVERS = {
    "erlen": ["erlen", "run", "page:app", "--port", "{port}"],
    "gunicorn gthread": ["gunicorn", "-k", "gthread", "--threads", "8", "-b", "127.0.0.1:{port}", "page:app"],
    "waitress": ["waitress-serve", "--listen=127.0.0.1:{port}", "--threads=8", "page:app"],
    "granian": ["granian", "--interface", "wsgi", "--port", "{port}", "--workers", "1", "page:app"],
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(command, port):
    command = [str(BIN / command[0]), *(part.format(port=port) for part in command[1:])]
    process = subprocess.Popen(
        ["taskset", "-c", "0", *command],
        cwd=HERE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def requests_a_second(load, command, seconds):
    port = free_port()
    with serving(command, port) as pid:
        measured = subprocess.run(
            ["taskset", "-c", "1", load, "--server-pid", str(pid), "--addr", f"127.0.0.1:{port}"]
            + ["--scenario", "route", "--seconds", str(seconds)],
            capture_output=True,
            text=True,
            check=True,
        )
    return float(re.search(r"([\d.]+)/s", measured.stdout).group(1))


def main(load, runs=5, seconds=2.0):
    results = {name: [] for name in SERVERS}
    for _ in range(int(runs)):
        for name, command in SERVERS.items():
            results[name].append(requests_a_second(load, command, seconds))
    best = statistics.median(results["erlen"])
    print("| server | requests/s, median (min..max) | Erlen's are so many times that |\n|---|---|---|")
    for name, found in results.items():
        median = statistics.median(found)
        print(f"| {name} | {median:.0f} ({min(found):.0f}..{max(found):.0f}) | {best / median:.2f} |")


main(*sys.argv[1:])
