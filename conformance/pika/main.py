"""Drives an AMQP 0-9-1 broker with pika. The broker's address is in AMQP_URL, that of its management API in
AMQP_MANAGEMENT_URL. Where there are no users, and everybody is let in, guest is made one for the time.

The suite was checked against RabbitMQ 3.10.8 (Debian 12). Where newer versions
answer otherwise, both answers are accepted.
"""

import logging
import sys

import harness
import management

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

if management.address:
    import users  # noqa: F401
else:
    print("left out: users (they are made by the management API, and AMQP_MANAGEMENT_URL is not set)", flush=True)

logging.getLogger("pika").setLevel(logging.CRITICAL)
opened = bool(management.address) and management.close_the_door()
try:
    status = harness.run_all("pika", sys.argv[1] if len(sys.argv) > 1 else "")
finally:
    if opened:
        management.open_the_door()
sys.exit(status)
