"""Drives a broker with librdkafka through confluent-kafka-python.

    main.py suite      run the checks, print a count
    main.py member     be a group member under the rebalance judge
    main.py producer   be its producer
    main.py digest     print a hash of each partition of a topic
"""

import argparse
import os
import sys

import admin_checks
import group_checks
import load
import record_checks
from harness import Broker, Suite


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("command", choices=["suite", "member", "producer", "digest"])
    a.add_argument("--bootstrap", default=os.environ.get("CONFORMANCE_BOOTSTRAP"))
    for name in ["topic", "group", "id", "instance", "only"]:
        a.add_argument("--" + name, default="")
    a.add_argument("--assignor", default="range")
    a.add_argument("--partitions", type=int, default=1)
    a.add_argument("--records", type=int, default=1000)
    a.add_argument("--rate", type=float, default=1000)
    o = a.parse_args()
    if not o.bootstrap:
        a.error("--bootstrap or CONFORMANCE_BOOTSTRAP is needed")
    if o.command != "suite":
        return {"member": load.member, "producer": load.producer, "digest": load.digest}[o.command](o)
    suite, broker = Suite("librdkafka", o.only), Broker(o.bootstrap)
    for checks in (record_checks, group_checks, admin_checks):
        checks.run(suite, broker)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
