"""Drives an SQS endpoint with boto3.

    main.py [--name NAME] [--only TITLE] [--no-keys]

NAME is what the closing line says: the same checks run with a current boto3,
which speaks JSON, and with one from before that, which speaks Query and XML.
"""

import argparse
import sys
import warnings

import fifo_checks
import key_checks
import message_checks
import queue_checks
from harness import Sqs, Suite

warnings.filterwarnings("ignore", category=DeprecationWarning)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--name", default="boto3")
    a.add_argument("--only", default="", help="only checks whose title contains this")
    a.add_argument("--no-keys", action="store_true", help="the endpoint takes any credentials")
    o = a.parse_args()
    suite, sqs = Suite(o.name, o.only), Sqs()
    for checks in (queue_checks, message_checks, fifo_checks) + (() if o.no_keys else (key_checks,)):
        checks.run(suite, sqs)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
