"""Counts the tests in `go test -json` output on standard input.

Prints the output of what failed, and ends with `NAME: N passed, M failed`.
Tests, subtests and packages that do not build all count; a package without
tests does not. With --no-skips a skipped test has failed. Exit status 1 when
anything failed or nothing ran.
"""

import collections
import json
import sys

name = sys.argv[1]
outcome, output = {}, collections.defaultdict(list)
stray = []
for line in sys.stdin:
    try:
        e = json.loads(line)
    except ValueError:
        stray.append(line)
        continue
    key = (e.get("Package") or e.get("ImportPath", ""), e.get("Test", ""))
    if e["Action"] in ("output", "build-output"):
        output[key].append(e["Output"])
    elif e["Action"] in ("pass", "fail", "skip", "build-fail"):
        outcome[key] = e["Action"]

# A test that was running when its package died has output and no outcome.
dead = {package for (package, test), v in outcome.items() if v == "fail" and not test}
for package, test in list(output):
    if test and package in dead:
        outcome.setdefault((package, test), "fail, unfinished")

if "--no-skips" in sys.argv:
    outcome = {k: "fail" if v == "skip" and k[1] else v for k, v in outcome.items()}
failures = [k for k, v in outcome.items() if "fail" in v]
for key in failures:
    lines = output[key]
    print(f"--- FAIL {key[0]} {key[1]}")
    print("".join(lines if len(lines) < 120 else lines[:60] + ["…\n"] + lines[-60:]), end="")
sys.stdout.writelines(stray)
passed = sum(1 for (_, test), v in outcome.items() if test and v == "pass")
# A package fails together with its tests; count it only when no test did.
broken = {package for package, test in failures if test}
failed = sum(1 for package, test in failures if test or package not in broken)
print(f"{name}: {passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
