"""Counts the tests in `go test -json` output on standard input.

Prints the output of what failed, and ends with `NAME: N passed, M failed`.
Tests, subtests and packages that do not build all count; a package without
tests does not. Exit status 1 when anything failed or nothing ran.
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

failures = [k for k, v in outcome.items() if "fail" in v]
for key in failures:
    lines = output[key]
    print(f"--- FAIL {key[0]} {key[1]}")
    print("".join(lines[-60:]), end="")
sys.stdout.writelines(stray)
passed = sum(1 for (_, test), v in outcome.items() if test and v == "pass")
# A package fails together with its tests; count it only when no test did.
broken = {package for package, test in failures if test}
failed = sum(1 for package, test in failures if test or package not in broken)
print(f"{name}: {passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
