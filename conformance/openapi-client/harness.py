"""Named checks with a closing count."""

import itertools
import os
import sys
import time
import traceback

_serial = itertools.count()


class Suite:
    """Counts checks. A check is a function that raises when it fails."""

    def __init__(self, name, only=""):
        self.name, self.only = name, only
        self.passed = self.failed = 0

    def run(self, title, check, *args):
        if self.only not in title:
            return
        try:
            check(*args)
        except Exception as e:  # every failure is counted, whatever it is
            self.failed += 1
            print(f"FAIL {title}: {type(e).__name__}: {str(e)[:400]}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            self.passed += 1
            print(f"ok   {title}", flush=True)

    def finish(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def unique(prefix):
    return f"{prefix}-oa-{os.getpid()}-{time.time_ns() % 10**10}-{next(_serial)}"


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def holds(condition, why):
    if not condition:
        raise AssertionError(why)
