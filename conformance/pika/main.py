"""Drives an AMQP 0-9-1 broker with pika. The broker's address is in AMQP_URL.

The suite was checked against RabbitMQ 3.10.8 (Debian 12). Where newer versions
answer otherwise, both answers are accepted.
"""

import logging
import sys

import harness

# Importing a module registers its checks.
import connections  # noqa: F401
import exchanges  # noqa: F401
import routing  # noqa: F401
import queues  # noqa: F401
import publishing  # noqa: F401
import consuming  # noqa: F401
import acknowledging  # noqa: F401
import bounds  # noqa: F401
import dead_letters  # noqa: F401
import streams  # noqa: F401
import queue_types  # noqa: F401
import replies  # noqa: F401
import edges  # noqa: F401

logging.getLogger("pika").setLevel(logging.CRITICAL)
sys.exit(harness.run_all("pika", sys.argv[1] if len(sys.argv) > 1 else ""))
