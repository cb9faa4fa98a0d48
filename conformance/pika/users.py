"""Users: who is let in, into which virtual host, and what each of them may do there."""

import base64
import hashlib

import pika
from pika.exceptions import AMQPError, ProbableAccessDeniedError, ProbableAuthenticationError, StreamLostError

import management
from harness import check, cut_off, equal, get, holds, refused, send, until


class Users:
    """The users and virtual hosts of one check, and their connections."""

    def __init__(self, t):
        self.t = t
        self.names = []
        self.vhosts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in self.names:
            management.call("DELETE", "users", name)
        for name in self.vhosts:
            management.call("DELETE", "vhosts", name)

    def user(self, tags="", password="secret", permissions=True, **fields):
        """A user. permissions are those of the virtual host /: a dictionary; True is all, None is none."""
        name = self.t.name("user")
        management.put_user(name, password, tags, **fields)
        self.names.append(name)
        if permissions is not None:
            management.permit(name, **({} if permissions is True else {"configure": "", "write": "", "read": "", **permissions}))
        return name

    def vhost(self):
        name = self.t.name("vhost")
        management.call("PUT", "vhosts", name)
        self.vhosts.append(name)
        return name

    def connection(self, name, password="secret", **changes):
        return self.t.connection(credentials=pika.PlainCredentials(name, password), **changes)

    def channel(self, name, confirm=True):
        ch = self.connection(name).channel()
        if confirm:
            ch.confirm_delivery()
        return ch


def turned_away(kind, pattern, f, *args, **how):
    try:
        f(*args, **how)
    except kind as e:
        holds(pattern in str(e), f"text {e}")
    else:
        raise AssertionError("it let us in")


wrong = "(403) 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.'"


@check("users: a password is looked at, and a change of it counts")
def passwords(t):
    with Users(t) as u:
        name = u.user()
        open_ = u.connection(name)
        for password in ("wrong", "secret ", "Secret", ""):
            turned_away(ProbableAuthenticationError, wrong, u.connection, name, password)
        turned_away(ProbableAuthenticationError, wrong, u.connection, t.name("nobody"))
        management.put_user(name, "another")
        turned_away(ProbableAuthenticationError, wrong, u.connection, name)
        u.connection(name, "another")
        open_.channel()  # who is in stays in


@check("users: one without a password is not let in")
def passwordless(t):
    with Users(t) as u:
        name = u.user(password=None, password_hash="")
        for password in ("", "secret"):
            turned_away(ProbableAuthenticationError, wrong, u.connection, name, password)


@check("users: a password hash that another broker made")
def hashes(t):
    with Users(t) as u:
        for algorithm in ("sha256", "sha512"):
            salt = b"\x90\x8d\xc6\x0a"
            value = salt + hashlib.new(algorithm, salt + "나루".encode()).digest()
            name = u.user(password=None, password_hash=base64.b64encode(value).decode(), hashing_algorithm="rabbit_password_hashing_" + algorithm)
            u.connection(name, "나루")
            turned_away(ProbableAuthenticationError, wrong, u.connection, name, "나르")


@check("users: the end without a word for clients that cannot take one")
def silent(t):
    class Simple(pika.PlainCredentials):
        pass

    with Users(t) as u:
        name = u.user()
        try:
            t.connection(credentials=Simple(name, "wrong"), client_properties={"capabilities": {"authentication_failure_close": False}})
        except ProbableAuthenticationError as e:
            holds("Login was refused" not in str(e), f"text {e}")
        except (StreamLostError, AMQPError):
            pass
        else:
            raise AssertionError("it let us in")


@check("users: a virtual host without permissions")
def vhosts(t):
    with Users(t) as u:
        name, vhost = u.user(), u.vhost()
        text = f"(530) \"NOT_ALLOWED - access to vhost '{vhost}' refused for user '{name}'\""
        turned_away(ProbableAccessDeniedError, text, u.connection, name, virtual_host=vhost)
        management.permit(name, vhost, "", "", "")
        u.connection(name, virtual_host=vhost)
        management.call("DELETE", "permissions", vhost, name)
        turned_away(ProbableAccessDeniedError, text, u.connection, name, virtual_host=vhost)


def denied(what):
    # Since 3.11 the text names the permission.
    return rf"^ACCESS_REFUSED - (\w+ )?access to {what} in vhost '/' refused for user '.*'$"


@check("users: configure")
def configure(t):
    with Users(t) as u:
        name = u.user(permissions={"configure": "-mine$"})
        mine = t.name("") + "-mine"
        ch = u.channel(name)
        ch.exchange_declare(mine)
        ch.queue_declare(mine)
        ch.queue_delete(mine)
        ch.exchange_delete(mine)
        x, q = t.exchange(t.channel()), t.queue(t.channel(), durable=True)
        for f, what in (
            (lambda ch: ch.exchange_declare(t.name("x")), "exchange '.*'"), (lambda ch: ch.exchange_delete(x), f"exchange '{x}'"),
            (lambda ch: ch.queue_declare(t.name("q")), "queue '.*'"), (lambda ch: ch.queue_delete(q), f"queue '{q}'"),
            (lambda ch: ch.queue_declare("", exclusive=True), r"queue 'amq\.gen-.*'"),
        ):
            refused(403, denied(what), f, u.channel(name))
        ch.exchange_declare(x, passive=True)
        ch.queue_declare(q, passive=True)


@check("users: write")
def write(t):
    with Users(t) as u:
        x, y = t.exchange(t.channel()), t.exchange(t.channel())
        q = t.queue(t.channel(), durable=True)
        name = u.user(permissions={"write": f"^{x}$"})
        ch = u.channel(name)
        send(ch, x, "k")
        refused(403, denied(f"exchange '{y}'"), send, u.channel(name), y, "k")
        refused(403, denied(r"exchange 'amq\.default'"), send, u.channel(name), "", q)
        refused(403, denied(f"queue '{q}'"), u.channel(name).queue_bind, q, x, "k")
        management.permit(name, write="", read=".*", configure="")
        refused(403, denied(f"exchange '{x}'"), send, u.channel(name), x, "k")


@check("users: read")
def read(t):
    with Users(t) as u:
        ch = t.channel()
        q, other = t.queue(ch, durable=True), t.queue(ch, durable=True)
        x = t.exchange(ch)
        name = u.user(permissions={"read": f"^{q}$", "write": ".*"})
        mine = u.channel(name)
        send(mine, "", q, b"m")
        equal(get(mine, q)[2], b"m")
        mine.queue_purge(q)
        mine.basic_consume(q, lambda *_: None)
        refused(403, denied(f"queue '{other}'"), u.channel(name).basic_get, other)
        refused(403, denied(f"queue '{other}'"), u.channel(name).queue_purge, other)
        refused(403, denied(f"queue '{other}'"), u.channel(name).basic_consume, other, lambda *_: None)
        refused(403, denied(f"exchange '{x}'"), u.channel(name).queue_bind, q, x, "k")


@check("users: dead letters and alternates need write to where they go")
def forwards(t):
    with Users(t) as u:
        x = t.exchange(t.channel())
        name = u.user(permissions={"configure": ".*", "read": ".*", "write": "^none$"})
        refused(403, denied(f"exchange '{x}'"), u.channel(name).queue_declare, t.name("q"), arguments={"x-dead-letter-exchange": x})
        refused(403, denied(f"exchange '{x}'"), u.channel(name).exchange_declare, t.name("x"), arguments={"alternate-exchange": x})
        name = u.user(permissions={"configure": ".*", "read": "^none$", "write": ".*"})
        refused(403, denied("queue '.*'"), u.channel(name).queue_declare, t.name("q"), arguments={"x-dead-letter-exchange": x})


@check("users: the connection outlives a refusal")
def outlives(t):
    with Users(t) as u:
        name = u.user(permissions={"configure": "^none$"})
        c = u.connection(name)
        other = c.channel()
        refused(403, denied("queue '.*'"), c.channel().queue_declare, t.name("q"))
        other.basic_qos(prefetch_count=1)


@check("users: topic permissions")
def topics(t):
    with Users(t) as u:
        x = t.exchange(t.channel(), "topic")
        direct = t.exchange(t.channel())
        q = t.queue(t.channel(), durable=True)
        name = u.user()
        for exchange in (x, direct):
            management.call("PUT", "topic-permissions", "/", name, body={"exchange": exchange, "write": "^{username}", "read": "^open"})
        ch = u.channel(name)
        send(ch, x, name + ".x")
        send(ch, direct, "anything")
        ch.queue_bind(q, x, "open.#")
        text = rf"^ACCESS_REFUSED - (\w+ )?access to topic 'other' in exchange '{x}' in vhost '/' refused for user '{name}'$"
        refused(403, text, send, u.channel(name), x, "other")
        refused(403, text.replace("'other'", "'closed'"), u.channel(name).queue_bind, q, x, "closed")


@check("users: user-id, and who may use another's")
def user_ids(t):
    with Users(t) as u:
        q = t.queue(t.channel(), durable=True)
        name, actor = u.user(), u.user("impersonator")
        send(u.channel(name), "", q, b"a", user_id=name)
        send(u.channel(actor), "", q, b"b", user_id=name)
        refused(406, f"user_id property set to '{actor}' but authenticated user was '{name}'", send, u.channel(name), "", q, user_id=actor)
        ch = t.channel()
        for body in (b"a", b"b"):
            method, properties, got = get(ch, q)
            equal((got, properties.user_id), (body, name))


@check("users: deleting one closes the connections")
def deleted(t):
    with Users(t) as u:
        name = u.user()
        ch = u.channel(name)
        management.call("DELETE", "users", name)
        u.names.remove(name)
        cut_off(320, f"user '{name}' (was|is) deleted", until, ch, lambda: False, "the connection ends")
