"""Drives a Kinesis endpoint with boto3.

    main.py [--only TITLE] [--no-keys]
"""

import argparse
import os
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boto3"))
import consumer_checks  # noqa: E402 (the path comes first)
import kinesis_key_checks  # noqa: E402
import record_checks  # noqa: E402
import refusal_checks  # noqa: E402
import reshard_checks  # noqa: E402
import stream_checks  # noqa: E402
from harness import Suite  # noqa: E402
from kinesis import Kinesis  # noqa: E402


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--only", default="", help="only checks whose title contains this")
    a.add_argument("--no-keys", action="store_true", help="the endpoint takes any credentials")
    o = a.parse_args()
    suite, kinesis = Suite("kinesis-boto3", o.only), Kinesis()
    parts = [stream_checks, record_checks, refusal_checks, reshard_checks, consumer_checks]
    for checks in parts if o.no_keys else [*parts, kinesis_key_checks]:
        checks.run(suite, kinesis)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
