#!/usr/bin/env python3
"""Fails if a crate that the build uses has a licence that is not permissive.

usage: tests/licences.py [CARGO_MANIFEST ...]       (default: the workspace)
Reads `cargo metadata --locked` and evaluates each SPDX expression: one side of an OR is enough, every side of an AND counts.
"""
import json, pathlib, re, subprocess, sys

ALLOWED = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "0BSD",
           "ISC", "Zlib", "Unicode-3.0", "Unlicense", "CC0-1.0", "BSL-1.0"}

def allowed(expression):
    """Whether the SPDX expression can be met by allowed licences alone ("/" is an old spelling of OR)."""
    words = re.findall(r"\(|\)|[^\s()/]+|/", expression.replace("/", " OR "))
    position = 0

    def peek():
        return words[position] if position < len(words) else None

    def take():
        nonlocal position
        position += 1
        return words[position - 1]

    def one():
        if peek() == "(":
            take()
            value = either()
            if peek() != ")":
                raise ValueError(expression)
            take()
            return value
        name = take()
        if peek() == "WITH":
            take()
            name += " WITH " + take()
        return name in ALLOWED

    def both():
        value = one()
        while peek() == "AND":
            take()
            value &= one()
        return value

    def either():
        value = both()
        while peek() == "OR":
            take()
            value |= both()
        return value

    value = either()
    if position != len(words):
        raise ValueError(expression)
    return value

def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    manifests = [pathlib.Path(m) for m in sys.argv[1:]] or [root / "Cargo.toml"]
    bad, seen = [], set()
    for manifest in manifests:
        out = subprocess.run(["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", manifest],
                             check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
        for package in json.loads(out)["packages"]:
            name = f"{package['name']} {package['version']}"
            if name in seen:
                continue
            seen.add(name)
            try:
                good = bool(package["license"]) and allowed(package["license"])
            except (ValueError, IndexError):
                good = False
            if not good:
                bad.append(f"{name}: {package['license'] or 'no licence expression'}")
    for line in bad:
        print("not permissive:", line)
    print(f"{len(seen)} packages, {len(bad)} with a licence that is not allowed")
    sys.exit(1 if bad else 0)

if __name__ == "__main__":
    # The rules themselves, checked each time: they cost nothing.
    for text, want in (("MIT OR Apache-2.0", True), ("MIT/Apache-2.0", True), ("MPL-2.0", False), ("MIT AND MPL-2.0", False),
                       ("MIT OR GPL-3.0", True), ("(MIT OR Apache-2.0) AND Unicode-3.0", True), ("Unlicense OR MIT", True),
                       ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", True), ("BSD-4-Clause", False)):
        assert allowed(text) is want, text
    main()
