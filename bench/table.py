#!/usr/bin/env python3
"""Medians and ratios from lines "server row figure" on stdin.

usage: table.py --subject NAME [--unit TEXT] [--digits N] [--aside NAME] [--limit row=ratio ...] [--more-is-better]
The ratio is the subject's median over the best median of the others (a server set aside is shown, but not a peer). With a limit the row ends in ok or OVER
(with --more-is-better: ok or UNDER); the exit status is 1 if any row misses its limit.
"""
import argparse, statistics, sys

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--subject", required=True)
    p.add_argument("--unit", default="")
    p.add_argument("--digits", type=int, default=3)
    p.add_argument("--aside", default="")
    p.add_argument("--limit", nargs="*", default=[])
    p.add_argument("--more-is-better", action="store_true")
    a = p.parse_args()
    limits = {k: float(v) for k, v in (x.split("=") for x in a.limit)}
    figures, servers = {}, []
    for line in sys.stdin:
        server, row, value = line.split()
        figures.setdefault(row, {}).setdefault(server, []).append(float(value))
        if server not in servers:
            servers.append(server)
    others = sorted(s for s in servers if s != a.subject)
    rivals = [s for s in others if s != a.aside]
    best = max if a.more_is_better else min
    runs = max((len(v) for r in figures.values() for v in r.values()), default=0)
    print(f"\nmedian of {runs}, {a.unit}; ratio: {a.subject} to the best of {', '.join(rivals)}")
    print("".join([f"{'row':<14}"] + [f"{s:>14}" for s in [a.subject] + others] + [f"{'ratio':>9}{'limit':>8}"]))
    missed = 0
    for row, by in figures.items():
        med = {s: statistics.median(v) for s, v in by.items()}
        cells = [f"{med[s]:>14.{a.digits}f}" if s in med else f"{'-':>14}" for s in [a.subject] + others]
        peers = [med[s] for s in rivals if med.get(s)]
        ratio = med[a.subject] / best(peers) if a.subject in med and peers else None
        tail = f"{ratio:>9.3f}" if ratio is not None else f"{'-':>9}"
        if row in limits:
            good = ratio is not None and (ratio >= limits[row] if a.more_is_better else ratio <= limits[row])
            missed += not good
            tail += f"{limits[row]:>8.2f}  " + ("ok" if good else "UNDER" if a.more_is_better else "OVER")
        print(f"{row:<14}" + "".join(cells) + tail)
    sys.exit(1 if missed else 0)

main()
