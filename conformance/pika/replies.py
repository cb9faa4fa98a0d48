"""Requests and replies: over a queue of one's own, and over amq.rabbitmq.reply-to."""

import pika

from harness import bodies, check, consume, equal, holds, publish, refused, send, until

direct = "amq.rabbitmq.reply-to"


def server(t):
    """Answers requests with their body in capitals."""
    ch = t.channel()
    q = t.queue(ch, durable=True)
    addresses = []

    def answer(ch, method, properties, body):
        addresses.append(properties.reply_to)
        ch.basic_publish("", properties.reply_to, body.upper(), pika.BasicProperties(correlation_id=properties.correlation_id))
        ch.basic_ack(method.delivery_tag)

    consume(ch, q, answer)
    return ch, q, addresses


@check("replies: over an exclusive queue")
def own_queue(t):
    worker, q, _ = server(t)
    ch = t.channel()
    back = ch.queue_declare("", exclusive=True).method.queue
    got = consume(ch, back, auto_ack=True)
    for i in range(10):
        publish(ch, q, f"ask {i}".encode(), reply_to=back, correlation_id=str(i))
    until([ch, worker], lambda: len(got) == 10, "ten replies")
    equal([(p.correlation_id, b) for _, p, b in got], [(str(i), f"ASK {i}".encode()) for i in range(10)])


@check("replies: direct, without a queue")
def direct_reply(t):
    worker, q, addresses = server(t)
    ch, other = t.channel(), t.channel()
    got, others = consume(ch, direct, auto_ack=True), consume(other, direct, auto_ack=True)
    for i in range(10):
        publish(ch, q, f"ask {i}".encode(), reply_to=direct, correlation_id=str(i))
        publish(other, q, f"other {i}".encode(), reply_to=direct, correlation_id=str(i))
    until([ch, other, worker], lambda: len(got) == 10 and len(others) == 10, "ten replies each")
    equal([b for _, _, b in got], [f"ASK {i}".encode() for i in range(10)])
    equal([b for _, _, b in others], [f"OTHER {i}".encode() for i in range(10)])
    holds(all(a.startswith(direct + ".") for a in addresses) and len(set(addresses)) == 2, f"addresses {set(addresses)}")


@check("replies: direct, whether the asker is still there")
def still_there(t):
    worker, q, addresses = server(t)
    ch = t.channel()
    got = consume(ch, direct, auto_ack=True)
    publish(ch, q, b"ask", reply_to=direct)
    until([ch, worker], lambda: got, "the reply")
    equal(worker.queue_declare(addresses[0], passive=True).method.queue, addresses[0])
    ch.connection.close()
    gone = worker.connection.channel()
    refused(404, "^NOT_FOUND", gone.queue_declare, addresses[0], passive=True)
    quiet = worker.connection.channel()
    publish(quiet, addresses[0], b"too late: dropped")
    quiet.queue_declare("", exclusive=True)


@check("replies: direct, a late answer is returned when mandatory")
def late(t):
    worker, q, addresses = server(t)
    ch = t.channel()
    got = consume(ch, direct, auto_ack=True)
    publish(ch, q, b"ask", reply_to=direct)
    until([ch, worker], lambda: got, "the reply")
    ch.connection.close()
    back = []
    worker.add_on_return_callback(lambda *a: back.append(a))
    send(worker, "", addresses[0], b"late", mandatory=True)
    until(worker, lambda: back, "the return")


@check("replies: direct, only with automatic acks, once, and after consuming")
def rules(t):
    c = t.connection()
    refused(406, "^PRECONDITION_FAILED - reply consumer cannot acknowledge", c.channel().basic_consume, direct, print)
    ch = c.channel()
    consume(ch, direct, auto_ack=True)
    refused(406, "^PRECONDITION_FAILED - reply consumer already set", ch.basic_consume, direct, print, auto_ack=True)
    ch = c.channel()
    q = t.queue(ch)
    publish(ch, q, b"x", reply_to=direct)
    refused(406, "^PRECONDITION_FAILED - fast reply consumer does not exist", ch.queue_declare, q, passive=True)


@check("replies: direct, cancelled and begun again")
def cancelled(t):
    ch = t.channel()
    q = t.queue(ch)
    got = consume(ch, direct, auto_ack=True)
    ch.basic_cancel(got.tag)
    consume(ch, direct, auto_ack=True)
    publish(ch, q, b"x", reply_to=direct)
    equal(bodies(ch, q, 1), [b"x"])
