"""Builds a rich topology over the management API, and takes it away again.

`python topology.py URL > definitions.json` is how definitions.json was made,
with RabbitMQ 3.10.8.
"""

import json
import sys
import urllib.parse
import urllib.request

VHOSTS = ["conf-a", "conf b/ü"]
USERS = ["conf-admin", "conf-app", "conf-nologin"]

QUEUES = {
    "plain": {"durable": True},
    "transient": {"durable": False},
    "auto": {"durable": True, "auto_delete": True},
    "ttl": {"durable": True, "arguments": {"x-message-ttl": 60000, "x-expires": 3600000}},
    "bounded": {"durable": True, "arguments": {"x-max-length": 100, "x-max-length-bytes": 1000000, "x-overflow": "reject-publish"}},
    "dead": {"durable": True, "arguments": {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "gone"}},
    "priority": {"durable": True, "arguments": {"x-max-priority": 5}},
    "single": {"durable": True, "arguments": {"x-single-active-consumer": True}},
    "quorum": {"durable": True, "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 3}},
    "odd arguments": {"durable": True, "arguments": {"text": "ü", "list": [1, "a", {"deep": True}], "float": 1.5}},
    "naïve/name with ü & %": {"durable": True},
}
EXCHANGES = {
    "direct": {"type": "direct", "durable": True},
    "fanout": {"type": "fanout", "durable": True, "auto_delete": True},
    "topic": {"type": "topic", "durable": True, "arguments": {"alternate-exchange": "fanout"}},
    "headers": {"type": "headers", "durable": False},
    "inner": {"type": "direct", "durable": True, "internal": True},
    "dlx": {"type": "topic", "durable": True},
}
BINDINGS = [
    ("direct", "q", "plain", "key", {}),
    ("direct", "q", "plain", "", {}),
    ("topic", "q", "ttl", "a.*.#", {}),
    ("topic", "e", "inner", "#", {}),
    ("inner", "q", "bounded", "k~y %", {}),
    ("headers", "q", "dead", "", {"x-match": "any", "n": 5, "t": "x", "f": 1.5, "b": True, "list": [1, "a"]}),
    ("headers", "q", "dead", "", {"x-match": "all", "n": 6}),
    ("fanout", "q", "naïve/name with ü & %", "ü", {}),
    ("dlx", "q", "quorum", "gone", {}),
]


class API:
    def __init__(self, url="http://127.0.0.1:15672", user="guest", password="guest"):
        self.base = url.rstrip("/") + "/api/"
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        manager.add_password(None, self.base, user, password, is_authenticated=True)
        self.opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))

    def call(self, method, *path, body=None, query=""):
        url = self.base + "/".join(urllib.parse.quote(p, safe="") for p in path) + query
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json"})
        try:
            with self.opener.open(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read()
        return status, json.loads(text) if text else None

    def must(self, method, *path, **more):
        status, answer = self.call(method, *path, **more)
        if status >= 300:
            raise AssertionError(f"{method} {'/'.join(path)}: {status} {answer}")
        return answer


def build(api):
    for vhost in VHOSTS:
        api.must("PUT", "vhosts", vhost, body={})
    if not api.must("GET", "users"):  # from here on everybody has to log in
        api.must("PUT", "users", "guest", body={"password": "guest", "tags": "administrator"})
        api.must("PUT", "permissions", "/", "guest", body={"configure": ".*", "write": ".*", "read": ".*"})
    for vhost in VHOSTS:
        api.must("PUT", "permissions", vhost, "guest", body={"configure": ".*", "write": ".*", "read": ".*"})
        for name, x in EXCHANGES.items():
            api.must("PUT", "exchanges", vhost, name, body=x)
        for name, q in QUEUES.items():
            api.must("PUT", "queues", vhost, name, body=q)
        for source, kind, destination, key, arguments in BINDINGS:
            api.must("POST", "bindings", vhost, "e", source, kind, destination, body={"routing_key": key, "arguments": arguments})
    for name, tags, hashed in [
        ("conf-admin", "administrator", "I/Zy6nqBWCjeQR+Ebxom55pzs+8ftkmndzyjSgZcDL3ENHYk"), ("conf-app", "management,own", "L4Hs+hVI9/MoG3LTZ6+HUtKdal3UBtwFyWQHMueIFgGF2i7+"),
    ]:
        api.must("PUT", "users", name, body={"password_hash": hashed, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": tags})
    api.must("PUT", "users", "conf-nologin", body={"password_hash": "", "tags": ""})
    for name in USERS[:2]:
        for vhost in VHOSTS:
            api.must("PUT", "permissions", vhost, name, body={"configure": "^" + name, "write": ".*", "read": "^$"})
        api.must("PUT", "topic-permissions", VHOSTS[0], name, body={"exchange": "topic", "write": "^a", "read": ".*"})


def tear_down(api):
    for vhost in VHOSTS:
        api.call("DELETE", "vhosts", vhost)
    for name in USERS:
        api.call("DELETE", "users", name)


def ours(definitions):
    """What build made, in an order of its own, without what two brokers say differently of themselves."""
    out = {}
    for kind in ["vhosts", "users", "permissions", "topic_permissions", "queues", "exchanges", "bindings"]:
        rows = []
        for row in definitions.get(kind, []):
            row = dict(row)
            place = row.get("vhost", row["name"] if kind == "vhosts" else None)
            if place is not None and place not in VHOSTS or kind == "users" and row["name"] not in USERS:
                continue
            if row.get("user", "conf-") not in USERS and "user" in row:
                continue
            row.pop("limits", None)
            row.pop("metadata", None)
            if kind == "users" and not row["password_hash"]:
                row.pop("hashing_algorithm", None)
            if isinstance(row.get("tags"), str):
                row["tags"] = [t for t in row["tags"].split(",") if t]
            rows.append(row)
        out[kind] = sorted(rows, key=lambda r: json.dumps(r, sort_keys=True))
    return out


if __name__ == "__main__":
    rabbit = API(*sys.argv[1:])
    tear_down(rabbit)
    build(rabbit)
    print(json.dumps(ours(rabbit.must("GET", "definitions")), indent=1, sort_keys=True, ensure_ascii=False))
    tear_down(rabbit)
