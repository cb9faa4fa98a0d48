"""What the checks of users need of the management API, which RabbitMQ and Naru have alike."""

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request

address = os.environ.get("AMQP_MANAGEMENT_URL", "")
administrator = ("guest", "guest")


def call(verb, *path, body=None):
    """Asks for a path, of which each part is one name."""
    target = f"{address}/api/" + "/".join(urllib.parse.quote(p, safe="") for p in path)
    request = urllib.request.Request(target, method=verb, data=None if body is None else json.dumps(body).encode())
    token = base64.b64encode(":".join(administrator).encode()).decode()
    request.add_header("Authorization", "Basic " + token)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as e:
        raise AssertionError(f"{verb} {target}: {e.code} {e.read()!r}") from None
    return json.loads(text) if text else None


def put_user(name, password=None, tags="", **fields):
    if password is not None:
        fields["password"] = password
    call("PUT", "users", name, body={"tags": tags, **fields})


def permit(name, vhost="/", configure=".*", write=".*", read=".*"):
    call("PUT", "permissions", vhost, name, body={"configure": configure, "write": write, "read": read})


def close_the_door():
    """Makes the administrator a user, where there are none and everybody is let in. Tells whether that was so."""
    if call("GET", "users"):
        return False
    put_user(administrator[0], administrator[1], "administrator")
    permit(administrator[0])
    return True


def open_the_door():
    call("DELETE", "users", administrator[0])
