"""Drives the management API with rabbitmqadmin, RabbitMQ's own script.

MANAGEMENT_URL and AMQP_URL say where the broker is, RABBITMQADMIN where the script
is if not where Debian's package rabbitmq-server has it, NARU the program that
imports; without it those checks post the file. The suite was checked against
RabbitMQ 3.10.8 (Debian 12), which definitions.json comes from.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

import pika

from topology import API, BINDINGS, QUEUES, VHOSTS, build, ours, tear_down

url = os.environ.get("MANAGEMENT_URL", "http://127.0.0.1:15672")
amqp = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
here = os.path.dirname(os.path.abspath(__file__))
api = API(url)
checks = []


def script():
    found = os.environ.get("RABBITMQADMIN") or next(
        iter(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins/rabbitmq_management-*/priv/www/cli/rabbitmqadmin")), None)
    if not found:
        sys.exit("no rabbitmqadmin: install Debian's rabbitmq-server, or name it in RABBITMQADMIN")
    return found


def admin(*arguments, fails=False, user="guest", password="guest", vhost=None):
    """Runs rabbitmqadmin and returns what it printed."""
    at = urllib.parse.urlparse(url)
    where = ["-H", at.hostname, "-P", str(at.port), "-u", user, "-p", password] + (["-V", vhost] if vhost else [])
    done = subprocess.run([sys.executable, script(), *where, *arguments], capture_output=True, text=True, timeout=120)
    if (done.returncode != 0) != fails:
        raise AssertionError(f"rabbitmqadmin {' '.join(arguments)}: {done.returncode} {done.stdout} {done.stderr}")
    return done.stdout + done.stderr


def listed(*arguments, **more):
    return json.loads(admin("-f", "raw_json", *arguments, **more))


def equal(got, want):
    if got != want:
        raise AssertionError(f"{got!r}, want {want!r}")


def within(seconds, f):
    """Asks until f returns something that is not false: brokers count with a delay."""
    end = time.monotonic() + seconds
    while True:
        got = f()
        if got or time.monotonic() > end:
            return got
        time.sleep(0.2)


def check(title):
    def register(f):
        checks.append((title, f))
        return f
    return register


@check("show overview, list nodes, whoami")
def _():
    equal("rabbitmq_version" in admin("-f", "long", "show", "overview"), True)
    equal(len(listed("list", "nodes")), 1)
    equal(api.must("GET", "whoami")["name"], "guest")


@check("declare, list and delete a queue")
def _():
    admin("declare", "queue", "name=conf-q", "durable=true", 'arguments={"x-max-length":5}')
    admin("declare", "queue", "name=conf-q", "durable=true", 'arguments={"x-max-length":5}')
    row = [q for q in listed("list", "queues") if q["name"] == "conf-q"][0]
    equal((row["durable"], row["auto_delete"], row["arguments"], row["vhost"]), (True, False, {"x-max-length": 5}, "/"))
    error = admin("declare", "queue", "name=conf-q", "durable=false", fails=True)
    equal("inequivalent arg 'durable' for queue 'conf-q' in vhost '/': received 'false' but current is 'true'" in error, True)
    admin("delete", "queue", "name=conf-q")
    equal("conf-q" in admin("list", "queues", "name"), False)
    equal("*** Not found" in admin("delete", "queue", "name=conf-q", fails=True), True)


@check("exchanges and bindings")
def _():
    admin("declare", "queue", "name=conf-q")
    admin("declare", "exchange", "name=conf-x", "type=topic")
    admin("declare", "binding", "source=conf-x", "destination=conf-q", "routing_key=a.*.%")
    admin("declare", "binding", "source=conf-x", "destination=conf-q", "routing_key=", 'arguments={"n":1}')
    admin("declare", "binding", "source=conf-x", "destination=amq.fanout", "destination_type=exchange", "routing_key=#")
    rows = [b for b in listed("list", "bindings") if b["source"] == "conf-x"]
    equal(sorted((b["destination"], b["routing_key"]) for b in rows), [("amq.fanout", "#"), ("conf-q", ""), ("conf-q", "a.*.%")])
    for b in rows:
        admin("delete", "binding", "source=conf-x", "destination=" + b["destination"], "destination_type=" + b["destination_type"],
              "properties_key=" + b["properties_key"])
    equal([b for b in listed("list", "bindings") if b["source"] == "conf-x"], [])
    equal("unknown exchange type" in admin("declare", "exchange", "name=conf-y", "type=nope", fails=True), True)
    admin("delete", "exchange", "name=conf-x")
    admin("delete", "queue", "name=conf-q")


@check("publish, get in each way, purge")
def _():
    admin("declare", "queue", "name=conf-q")
    for text in ["one", "two", "thrée"]:
        out = admin("publish", "exchange=amq.default", "routing_key=conf-q", "payload=" + text, 'properties={"delivery_mode":2,"headers":{"n":1}}')
        equal("Message published" in out and "NOT routed" not in out, True)
    equal("NOT routed" in admin("publish", "exchange=amq.topic", "routing_key=conf-nobody", "payload=x"), True)
    first = listed("get", "queue=conf-q", "count=2", "ackmode=ack_requeue_true")
    equal([(m["payload"], m["redelivered"]) for m in first], [("one", False), ("two", False)])
    equal(first[0]["properties"], {"delivery_mode": 2, "headers": {"n": 1}})
    equal([(m["payload"], m["redelivered"]) for m in listed("get", "queue=conf-q", "ackmode=reject_requeue_false")], [("one", True)])
    equal([m["payload"] for m in listed("get", "queue=conf-q", "count=9", "ackmode=ack_requeue_false")], ["two", "thrée"])
    admin("publish", "routing_key=conf-q", "payload=x")
    equal("not empty" in str(api.call("DELETE", "queues", "/", "conf-q", query="?if-empty=true")), True)
    admin("purge", "queue", "name=conf-q")
    equal(listed("get", "queue=conf-q", "ackmode=ack_requeue_true"), [])
    admin("delete", "queue", "name=conf-q")


@check("numbers of a queue")
def _():
    with pika.BlockingConnection(pika.URLParameters(amqp)) as c:
        ch = c.channel()
        ch.queue_declare("conf-counted")
        for _ in range(7):
            ch.basic_publish("", "conf-counted", b"x")
        ch.basic_qos(prefetch_count=3)
        ch.basic_consume("conf-counted", lambda *_: None)
        c.process_data_events(0.5)
        wanted = {"messages": 7, "messages_ready": 4, "messages_unacknowledged": 3, "consumers": 1}

        def numbers():
            q = api.must("GET", "queues", "/", "conf-counted")
            return {k: q.get(k) for k in wanted} == wanted and q.get("message_stats", {}).get("publish") == 7
        equal(bool(within(60, numbers)), True)
        ch.queue_delete("conf-counted")


@check("connections, channels, consumers; a connection is closed")
def _():
    p = pika.URLParameters(amqp)
    p.client_properties = {"connection_name": "conf-connection"}
    c = pika.BlockingConnection(p)
    ch = c.channel()
    ch.queue_declare("conf-own", exclusive=True)
    ch.basic_consume("conf-own", lambda *_: None, consumer_tag="conf-tag")

    def mine():
        return [x for x in listed("list", "connections") if x.get("user_provided_name") == "conf-connection"]
    row = within(60, mine)[0]
    equal((row["user"], row["vhost"], row["protocol"], row["state"]), ("guest", "/", "AMQP 0-9-1", "running"))
    equal(bool(within(60, lambda: [x for x in listed("list", "channels") if x["name"] == row["name"] + " (1)"])), True)
    equal(bool(within(60, lambda: [x for x in api.must("GET", "consumers") if x["consumer_tag"] == "conf-tag"])), True)
    equal("locked queue" in admin("delete", "queue", "name=conf-own", fails=True), True)
    admin("close", "connection", "name=" + row["name"])
    try:
        for _ in range(300):
            c.process_data_events(0.2)
        raise AssertionError("the connection stays")
    except pika.exceptions.ConnectionClosedByBroker as e:
        equal(e.reply_code, 320)
    equal(within(60, lambda: not mine()), True)


@check("pages, columns and order")
def _():
    for i in range(5):
        api.must("PUT", "queues", "/", f"conf-page-{i}", body={})
    page = within(60, lambda: api.must("GET", "queues", query="?page=2&page_size=2&name=conf-page&sort=name&columns=name"))
    equal(page["items"], [{"name": "conf-page-2"}, {"name": "conf-page-3"}])
    equal((page["filtered_count"], page["item_count"], page["page"], page["page_count"], page["page_size"]), (5, 2, 2, 3, 2))
    page = api.must("GET", "queues", query="?page=1&name=%5Econf-page-%5B12%5D%24&use_regex=true&sort=name&sort_reverse=true&columns=name")
    equal(page["items"], [{"name": "conf-page-2"}, {"name": "conf-page-1"}])
    equal(api.call("GET", "queues", query="?page=99")[0], 400)
    for i in range(5):
        api.must("DELETE", "queues", "/", f"conf-page-{i}")


@check("health")
def _():
    equal(api.must("GET", "aliveness-test", "/"), {"status": "ok"})
    for path in ["alarms", "local-alarms", "virtual-hosts", "node-is-quorum-critical", "protocol-listener/amqp",
                 f"port-listener/{urllib.parse.urlparse(amqp).port}"]:
        equal(api.must("GET", "health", "checks", *path.split("/"))["status"], "ok")
    equal(api.call("GET", "health", "checks", "port-listener", "1")[0], 503)
    api.call("DELETE", "queues", "/", "aliveness-test")


@check("definitions are those that RabbitMQ exports of the same calls")
def _():
    tear_down(api)
    build(api)
    want = json.load(open(os.path.join(here, "definitions.json")))
    equal(ours(api.must("GET", "definitions")), want)
    shown = {b["properties_key"] for b in api.must("GET", "bindings", VHOSTS[0]) if b["source"]}
    equal(len(shown), len(BINDINGS))
    for b in api.must("GET", "bindings", VHOSTS[0]):
        if b["source"]:
            api.must("DELETE", "bindings", VHOSTS[0], "e", b["source"], b["destination_type"][0], b["destination"], b["properties_key"])
    equal([b for b in api.must("GET", "bindings", VHOSTS[0]) if b["source"]], [])
    for name in QUEUES:
        api.must("DELETE", "queues", VHOSTS[0], name)
    equal(api.must("GET", "queues", VHOSTS[0]), [])


@check("an export is imported, and imported again")
def _():
    tear_down(api)
    want = json.load(open(os.path.join(here, "definitions.json")))
    with tempfile.TemporaryDirectory() as d:
        name = os.path.join(d, "export.json")
        for _ in range(2):
            bring_in(os.path.join(here, "definitions.json"))
            admin("export", name)
            equal(ours(json.load(open(name))), want)
        tear_down(api)
        admin("import", name)
        equal(ours(api.must("GET", "definitions")), want)
    tear_down(api)


def bring_in(name):
    if "NARU" not in os.environ:
        admin("import", name)
        return
    done = subprocess.run(
        [os.environ["NARU"], "import", "rabbitmq", name, "--management", urllib.parse.urlparse(url).netloc], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)


@check("users and permissions")
def _():
    admin("declare", "user", "name=conf-user", "password=secret", "tags=management")
    admin("declare", "permission", "vhost=/", "user=conf-user", "configure=^conf-mine", "write=^conf-mine", "read=.*")
    equal([u["tags"] for u in listed("list", "users") if u["name"] == "conf-user"], [["management"]])
    as_user = {"user": "conf-user", "password": "secret"}
    admin("declare", "queue", "name=conf-mine", **as_user)
    equal("Access refused" in admin("declare", "queue", "name=conf-other", fails=True, **as_user), True)
    equal("Access refused" in admin("list", "users", fails=True, **as_user), True)
    equal("Access refused" in admin("list", "users", fails=True, user="conf-user", password="wrong"), True)
    admin("delete", "queue", "name=conf-mine")
    admin("delete", "permission", "vhost=/", "user=conf-user")
    admin("delete", "user", "name=conf-user")


@check("virtual hosts")
def _():
    admin("declare", "vhost", "name=conf-v/1")
    admin("declare", "permission", "vhost=conf-v/1", "user=guest", "configure=.*", "write=.*", "read=.*")
    admin("declare", "queue", "name=q", vhost="conf-v/1")
    equal([q["name"] for q in listed("list", "queues", vhost="conf-v/1") if q["vhost"] == "conf-v/1"], ["q"])
    admin("delete", "vhost", "name=conf-v/1")
    equal("conf-v/1" in admin("list", "vhosts"), False)
    equal("*** Not found" in admin("declare", "queue", "name=q", vhost="conf-v/1", fails=True), True)


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = 0
    for title, f in checks:
        if only not in title:
            continue
        try:
            f()
            passed += 1
            print("ok  ", title, flush=True)
        except Exception as e:
            failed += 1
            print("FAIL", title + ":", str(e).replace("\n", " ")[:500], flush=True)
            traceback.print_exc()
    print(f"management: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
