#!/usr/bin/env python3
"""Servers side by side, in short interleaved runs: is this build cheaper than that one?

usage: bench/ab.py ROW[,ROW...] [--rounds 9] [--scale 0.2] [--ratio-to NAME] NAME=COMMAND...
       bench/ab.py get_P16,pingpong before=/tmp/ochre-before after=target/release/ochre-server valkey=valkey-server
Rows are those of cpu_row.sh (`cpu_row.sh list`) and of spanning.py (`publish` is in microseconds per delivery here).
Every server is started once and filled; each round of a row runs it on every server, in rotating order. CPU time is the process
clock, exact to the nanosecond, so that runs can be short enough to meet the same weather on a shared machine. Printed for
each server: lower quartile and median of server CPU in microseconds, both as ratios to the first server or the one named,
the part outside the kernel (from ticks, coarse in short runs), voluntary and involuntary context switches per 1000 requests.
Needs redis-tools. Quote the ratios; the lower quartile is the less disturbed of the two.
"""
import argparse, os, pathlib, shlex, socket, statistics, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
import spanning
from table_connections import free_port

HERE = pathlib.Path(__file__).resolve().parent

class Server:
    def __init__(self, name, words, folder):
        self.name, self.port = name, free_port()
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        self.log = os.path.join(folder, name + ".log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(words + options, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.process.pid

    def wait_until_it_accepts(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.fail("did not start")
                time.sleep(0.05)

    def fail(self, why):
        with open(self.log) as log:
            sys.exit(f"{self.name} {why}: {shlex.join(self.process.args)}\n" + log.read()[-2000:])

    def used(self):
        """Seconds of CPU, of which outside the kernel (in ticks), and context switches of both kinds of its threads."""
        if self.process.poll() is not None:
            self.fail("has ended")
        whole = time.clock_gettime((~self.pid << 3) | 2)
        user, _ = spanning.cpu(self.pid)
        switches = [0, 0]
        for task in os.scandir(f"/proc/{self.pid}/task"):
            try:
                status = pathlib.Path(task.path, "status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread has ended meanwhile
            for line in status.splitlines():
                if line.startswith("voluntary"):
                    switches[0] += int(line.split()[1])
                elif line.startswith("nonvoluntary"):
                    switches[1] += int(line.split()[1])
        return whole, user, *switches

def prepare(row, server, scale):
    """A function that runs the row once and returns the number of requests."""
    if row in spanning.ROWS:
        return spanning.ROWS[row](server.port, scale)[0]
    n, *words = subprocess.check_output([HERE / "cpu_row.sh", "args", row], text=True).split()
    n = max(1, int(int(n) * scale))
    command = ["redis-benchmark", "--threads", "2", "-p", str(server.port), "-q", "-n", str(n), *words]
    def run():
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return n
    return run

def show(row, servers, figures, reference):
    quartile = lambda values: statistics.quantiles(values, n=4)[0] if len(values) > 1 else values[0]
    column = lambda name, at: [f[at] for f in figures[name]]
    base = column(reference, 0)
    for s in servers:
        cpu = column(s.name, 0)
        user = sum(column(s.name, 1)) / sum(cpu)
        print(f"{row:<14}{s.name:<14} q1 {quartile(cpu):8.3f}  median {statistics.median(cpu):8.3f}  "
              f"ratio {quartile(cpu) / quartile(base):6.3f} {statistics.median(cpu) / statistics.median(base):6.3f}  "
              f"user {user:5.0%}  switches {statistics.median(column(s.name, 2)):8.2f} "
              f"{statistics.median(column(s.name, 3)):7.2f}", flush=True)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows")
    p.add_argument("servers", nargs="+", metavar="NAME=COMMAND")
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--scale", type=float, default=0.2)
    p.add_argument("--ratio-to", default="")
    a = p.parse_args()
    known = subprocess.check_output([HERE / "cpu_row.sh", "list"], text=True).split() + list(spanning.ROWS)
    for row in a.rows.split(","):
        if row not in known:
            sys.exit(f"no such row: {row}; there are: {' '.join(known)}")
    if any("=" not in text for text in a.servers):
        sys.exit("a server is named: NAME=COMMAND")
    names = [text.split("=", 1)[0] for text in a.servers]
    if len(set(names)) < len(names) or (a.ratio_to and a.ratio_to not in names):
        sys.exit("every server needs a name of its own, and --ratio-to one of them")
    with tempfile.TemporaryDirectory() as folder:
        servers = []
        try:
            for text in a.servers:
                name, command = text.split("=", 1)
                servers.append(Server(name, shlex.split(command), folder))
                servers[-1].wait_until_it_accepts()
            measure(a, servers)
        finally:
            for s in servers:
                s.process.kill()
                s.process.wait()

def measure(a, servers):
    reference = a.ratio_to or servers[0].name
    for s in servers:
        subprocess.run([HERE / "cpu_row.sh", "fill", str(s.port), str(s.pid)], check=True)
    for row in a.rows.split(","):
        runs = {s.name: prepare(row, s, a.scale) for s in servers}
        figures = {s.name: [] for s in servers}
        for round in range(a.rounds):
            for i in range(len(servers)):
                s = servers[(i + round) % len(servers)]
                before = s.used()
                count = runs[s.name]()
                cpu, user, slept, pushed = (after - first for after, first in zip(s.used(), before))
                figures[s.name].append((cpu * 1e6 / count, user * 1e6 / count, slept * 1000 / count, pushed * 1000 / count))
        show(row, servers, figures, reference)

if __name__ == "__main__":
    main()
