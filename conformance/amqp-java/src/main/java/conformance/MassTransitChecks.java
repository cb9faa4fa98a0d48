package conformance;

import static conformance.Fixture.bytes;
import static conformance.Fixture.get;
import static conformance.Fixture.next;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;

/**
 * The topology that MassTransit declares: a fanout exchange for each message type, bound to a fanout exchange for each receive
 * endpoint, bound to its queue; faults go to NAME_error, what nobody understands to NAME_skipped, each an exchange and a queue.
 */
final class MassTransitChecks {
    private MassTransitChecks() {}

    static void run(Suite s) {
        s.run("MassTransit: publish to each endpoint that consumes the type", MassTransitChecks::publish);
        s.run("MassTransit: a type is published as what it inherits from, too", MassTransitChecks::polymorphic);
        s.run("MassTransit: send goes to one endpoint", MassTransitChecks::send);
        s.run("MassTransit: faults and skipped messages have queues of their own", MassTransitChecks::faults);
        s.run("MassTransit: request and response over a temporary endpoint", MassTransitChecks::requestResponse);
        s.run("MassTransit: declared again at every start", MassTransitChecks::startAgain);
    }

    private static final String JSON = "application/vnd.masstransit+json";

    /** A receive endpoint: its exchange and queue have one name. */
    private static String endpoint(Fixture t, Channel ch, String name, String... types) throws Exception {
        t.durable(ch, name, "fanout");
        t.shared(ch, name, null);
        ch.queueBind(name, name, "");
        for (String type : types) {
            t.durable(ch, type, "fanout");
            ch.exchangeBind(name, type, "");
        }
        return name;
    }

    private static void publish(Channel ch, String exchange, String id) throws Exception {
        Map<String, Object> headers = Map.of("Content-Type", JSON, "publishId", id);
        AMQP.BasicProperties p = new AMQP.BasicProperties.Builder().contentType(JSON).deliveryMode(2).messageId(id).headers(headers).build();
        ch.basicPublish(exchange, "", p, bytes("{\"messageId\":\"" + id + "\",\"message\":{}}"));
        ch.waitForConfirmsOrDie(30_000);
    }

    private static Channel confirming(Fixture t) throws Exception {
        Channel ch = t.channel();
        ch.confirmSelect();
        return ch;
    }

    private static void publish(Fixture t) throws Exception {
        Channel ch = confirming(t);
        String submitted = t.name("Contracts:OrderSubmitted");
        String paid = t.name("Contracts:OrderPaid");
        String billing = endpoint(t, ch, t.name("billing"), submitted, paid);
        String shipping = endpoint(t, ch, t.name("shipping"), paid);
        publish(ch, submitted, "s");
        publish(ch, paid, "p");
        for (String id : new String[] {"s", "p"}) {
            GetResponse m = get(ch, billing, true);
            Suite.equal(m.getProps().getMessageId() + m.getEnvelope().getExchange(), id + (id.equals("s") ? submitted : paid), "billing");
        }
        Fixture.bodies(ch, shipping, "{\"messageId\":\"p\",\"message\":{}}");
    }

    private static void polymorphic(Fixture t) throws Exception {
        Channel ch = confirming(t);
        String order = t.durable(ch, t.name("Contracts:OrderSubmitted"), "fanout");
        String event = t.durable(ch, t.name("Contracts:IEvent"), "fanout");
        ch.exchangeBind(event, order, "");
        String audit = endpoint(t, ch, t.name("audit"), event);
        String both = endpoint(t, ch, t.name("both"), event, order);
        publish(ch, order, "o");
        Fixture.bodies(ch, audit, "{\"messageId\":\"o\",\"message\":{}}");
        Fixture.bodies(ch, both, "{\"messageId\":\"o\",\"message\":{}}"); // by two ways, once
    }

    private static void send(Fixture t) throws Exception {
        Channel ch = confirming(t);
        String type = t.name("Contracts:Ship");
        String one = endpoint(t, ch, t.name("one"), type);
        String two = endpoint(t, ch, t.name("two"), type);
        publish(ch, one, "for one");
        Fixture.bodies(ch, one, "{\"messageId\":\"for one\",\"message\":{}}");
        Fixture.bodies(ch, two);
    }

    private static void faults(Fixture t) throws Exception {
        Channel ch = confirming(t);
        String type = t.name("Contracts:Order");
        String name = endpoint(t, ch, t.name("orders"), type);
        Channel consumer = t.channel();
        consumer.basicQos(16);
        consumer.confirmSelect();
        BlockingQueue<Delivery> got = t.consume(consumer, name, false);
        publish(ch, type, "bad");
        publish(ch, type, "unknown");
        for (String[] move : new String[][] {{"_error", "fault"}, {"_skipped", "dead-letter"}}) {
            Delivery d = next(got);
            String to = endpoint(t, consumer, name + move[0]);
            Map<String, Object> headers = new HashMap<>(d.getProperties().getHeaders());
            headers.put("MT-Reason", move[1]);
            headers.put("MT-Fault-StackTrace", "   at Consumer.Consume()\n".repeat(400));
            consumer.basicPublish(to, "", true, d.getProperties().builder().headers(headers).build(), d.getBody());
            consumer.waitForConfirmsOrDie(30_000);
            consumer.basicAck(Fixture.tag(d), false);
            GetResponse moved = get(ch, to, true);
            Suite.equal(moved.getProps().getHeaders().get("MT-Reason").toString(), move[1], to);
            Suite.equal(moved.getProps().getHeaders().get("publishId").toString(), moved.getProps().getMessageId(), "publishId");
        }
        Fixture.ready(ch, name, 0);
    }

    private static void requestResponse(Fixture t) throws Exception {
        Channel server = confirming(t);
        String service = endpoint(t, server, t.name("service"), t.name("Contracts:GetOrder"));
        BlockingQueue<Delivery> requests = t.consume(server, service, false);
        Channel client = confirming(t);
        String bus = t.name("bus");
        client.exchangeDeclare(bus, "fanout", false, true, null);
        client.queueDeclare(bus, false, false, true, Map.of("x-expires", 60_000));
        client.queueBind(bus, bus, "");
        BlockingQueue<Delivery> responses = t.consume(client, bus, false);
        for (int i = 0; i < 10; i++) {
            AMQP.BasicProperties p = new AMQP.BasicProperties.Builder().replyTo(bus).correlationId("r" + i).expiration("30000").build();
            client.basicPublish(service, "", true, p, bytes("get"));
            Delivery request = next(requests);
            server.basicPublish(request.getProperties().getReplyTo(), "", true, request.getProperties().builder().expiration(null).build(), bytes("order"));
            server.basicAck(Fixture.tag(request), false);
            Delivery response = next(responses);
            Suite.equal(response.getProperties().getCorrelationId(), "r" + i, "correlation id");
            client.basicAck(Fixture.tag(response), false);
        }
        client.getConnection().close();
        Fixture.until("the temporary queue is gone", () -> !t.exists(bus));
        Fixture.refused(404, 40, 10, "^NOT_FOUND", () -> t.channel().exchangeDeclarePassive(bus));
    }

    private static void startAgain(Fixture t) throws Exception {
        String type = t.name("Contracts:Order");
        String name = t.name("orders");
        for (int start = 0; start < 3; start++) {
            Channel ch = confirming(t);
            endpoint(t, ch, name, type);
            publish(ch, type, "" + start);
            ch.getConnection().close();
        }
        Channel ch = t.channel();
        List<String> ids = List.of("0", "1", "2");
        for (String id : ids) {
            Suite.equal(get(ch, name, true).getProps().getMessageId(), id, "each once");
        }
        Fixture.bodies(ch, name);
    }
}
