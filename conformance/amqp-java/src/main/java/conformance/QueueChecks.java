package conformance;

import static conformance.Fixture.bodies;
import static conformance.Fixture.publish;
import static conformance.Fixture.ready;
import static conformance.Fixture.refused;
import static conformance.Fixture.until;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import java.util.HashMap;
import java.util.Map;

/** Queues: lifetimes, counts, arguments, bounds. */
final class QueueChecks {
    private QueueChecks() {}

    static void run(Suite s) {
        s.run("queue: named by the server", QueueChecks::serverNamed);
        s.run("queue: durable, read over another connection", QueueChecks::durable);
        s.run("queue: exclusive and auto-delete", QueueChecks::lifetimes);
        s.run("queue: counts, purge, delete", QueueChecks::counts);
        s.run("queue: declared otherwise", QueueChecks::inequivalent);
        s.run("queue: arguments that make no sense", QueueChecks::invalid);
        s.run("queue: time to live of queue and message", QueueChecks::timeToLive);
        s.run("queue: max-length, max-length-bytes", QueueChecks::length);
        s.run("queue: priorities", QueueChecks::priorities);
        s.run("queue: expires", QueueChecks::expires);
    }

    private static void serverNamed(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = ch.queueDeclare().getQueue();
        Suite.holds(q.startsWith("amq.gen-"), q);
        publish(ch, q, "x");
        bodies(ch, q, "x");
    }

    private static void durable(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        ch.confirmSelect();
        String q = t.shared(ch, null);
        ch.basicPublish("", q, new AMQP.BasicProperties.Builder().deliveryMode(2).build(), Fixture.bytes("kept"));
        ch.waitForConfirmsOrDie(30_000);
        c.close();
        bodies(t.channel(), q, "kept");
    }

    private static void lifetimes(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        String mine = t.queue(ch);
        Channel other = t.channel();
        refused(405, 60, 70, "^RESOURCE_LOCKED", () -> other.basicGet(mine, true));
        String auto = ch.queueDeclare(t.name("auto"), false, false, true, null).getQueue();
        String tag = ch.basicConsume(auto, (consumer, d) -> {}, consumer -> {});
        Suite.holds(t.exists(auto), "gone too early");
        ch.basicCancel(tag);
        until("the auto-delete queue is gone", () -> !t.exists(auto));
        c.close();
        until("the exclusive queue is gone", () -> !t.exists(mine));
    }

    private static void counts(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        String q = t.shared(ch, null);
        publish(ch, q, "1", "2", "3");
        ready(ch, q, 3);
        Suite.equal(Fixture.get(ch, q, true).getMessageCount(), 2, "left after a get");
        Suite.equal(ch.consumerCount(q), 0L, "consumers");
        refused(406, 50, 40, "not empty|is not empty", () -> c.createChannel().queueDelete(q, false, true));
        Suite.equal(ch.queuePurge(q).getMessageCount(), 2, "purged");
        c.createChannel().basicConsume(q, (tag, d) -> {}, tag -> {});
        Suite.equal(ch.consumerCount(q), 1L, "consumers");
        refused(406, 50, 40, "^PRECONDITION_FAILED - queue '" + q + "' in vhost '/' in use$", () -> c.createChannel().queueDelete(q, true, false));
        ch.queueDelete(q);
        Suite.equal(ch.queueDelete(q).getMessageCount(), 0, "deleted twice");
    }

    private static void inequivalent(Fixture t) throws Exception {
        Connection c = t.connect();
        Map<String, Object> arguments = new HashMap<>(Map.of("x-max-length", 10, "x-overflow", "drop-head"));
        String q = t.shared(c.createChannel(), arguments);
        c.createChannel().queueDeclare(q, true, false, false, Map.of("x-max-length", 10L, "x-overflow", "drop-head"));
        refused(406, 50, 10, "inequivalent arg 'durable' for queue '" + q + "' in vhost '/': received 'false' but current is 'true'$",
                () -> c.createChannel().queueDeclare(q, false, false, false, arguments));
        refused(406, 50, 10, "inequivalent arg 'x-max-length' for queue '" + q + "' in vhost '/': received none but current is the value '10' of type '[a-z]+'$",
                () -> c.createChannel().queueDeclare(q, true, false, false, Map.of("x-overflow", "drop-head")));
        refused(406, 50, 10, "inequivalent arg 'x-overflow' ", () -> c.createChannel().queueDeclare(q, true, false, false, Map.of("x-max-length", 10, "x-overflow", "reject-publish")));
    }

    private static void invalid(Fixture t) throws Exception {
        Connection c = t.connect();
        Map<String, Object> bad = Map.of("x-message-ttl", -1, "x-expires", 0, "x-max-length", "ten", "x-overflow", "explode", "x-max-priority", -3, "x-queue-type", "deque");
        for (var e : bad.entrySet()) {
            refused(406, 50, 10, "^PRECONDITION_FAILED - .*" + e.getKey(), () -> c.createChannel().queueDeclare(t.name("bad"), false, true, false, Map.of(e.getKey(), e.getValue())));
        }
    }

    private static void timeToLive(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch, Map.of("x-message-ttl", 200));
        String r = t.queue(ch);
        publish(ch, q, "1");
        Fixture.send(ch, "", r, new AMQP.BasicProperties.Builder().expiration("200").build(), "short");
        publish(ch, r, "stays");
        ready(ch, q, 0);
        ready(ch, r, 1);
        bodies(ch, q);
        bodies(ch, r, "stays");
    }

    private static void length(Fixture t) throws Exception {
        Channel ch = t.channel();
        for (Map<String, Object> arguments : new Map[] {Map.of("x-max-length", 2), Map.of("x-max-length-bytes", 4)}) {
            String q = t.queue(ch, arguments);
            publish(ch, q, "11", "22", "33");
            ready(ch, q, 2);
            bodies(ch, q, "22", "33");
        }
    }

    private static void priorities(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch, Map.of("x-max-priority", 5));
        for (int p : new int[] {0, 5, 2, 9, 1}) {
            Fixture.send(ch, "", q, new AMQP.BasicProperties.Builder().priority(p).build(), "" + p);
        }
        ready(ch, q, 5);
        bodies(ch, q, "5", "9", "2", "1", "0");
    }

    private static void expires(Fixture t) throws Exception {
        String q = t.shared(t.channel(), Map.of("x-expires", 300));
        long wait = 800;
        for (Thread.sleep(wait); t.exists(q); Thread.sleep(wait)) { // to look is to use it
            wait *= 2;
            Suite.holds(wait < 20_000, "it is still there");
        }
    }
}
