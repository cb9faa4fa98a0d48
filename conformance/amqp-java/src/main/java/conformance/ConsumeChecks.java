package conformance;

import static conformance.Fixture.bodies;
import static conformance.Fixture.body;
import static conformance.Fixture.get;
import static conformance.Fixture.next;
import static conformance.Fixture.publish;
import static conformance.Fixture.quiet;
import static conformance.Fixture.refused;
import static conformance.Fixture.tag;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import java.util.Set;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;

/** Consumers and acknowledgements. */
final class ConsumeChecks {
    private ConsumeChecks() {}

    static void run(Suite s) {
        s.run("consume: in order, redelivered after the channel closed", ConsumeChecks::order);
        s.run("consume: ack, nack, reject, multiple", ConsumeChecks::acknowledge);
        s.run("consume: recover", ConsumeChecks::recover);
        s.run("consume: prefetch per consumer", ConsumeChecks::prefetch);
        s.run("consume: prefetch per channel", ConsumeChecks::globalPrefetch);
        s.run("consume: cancelled by us, and by the broker", ConsumeChecks::cancel);
        s.run("consume: exclusive", ConsumeChecks::exclusive);
        s.run("consume: priorities", ConsumeChecks::priorities);
        s.run("consume: single active consumer", ConsumeChecks::singleActive);
        s.run("consume: eight workers, each message once", ConsumeChecks::workers);
    }

    private static void order(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        String q = t.queue(ch);
        BlockingQueue<Delivery> got = t.consume(ch, q, false);
        for (int i = 0; i < 300; i++) {
            publish(ch, q, "" + i);
        }
        for (int i = 0; i < 300; i++) {
            Delivery d = next(got);
            Suite.equal(body(d) + "/" + tag(d) + d.getEnvelope().isRedeliver(), i + "/" + (i + 1) + "false", "delivery");
        }
        ch.close();
        var again = get(c.createChannel(), q, true);
        Suite.equal(Fixture.text(again.getBody()) + again.getEnvelope().isRedeliver(), "0true", "after the channel closed");
    }

    private static void acknowledge(Fixture t) throws Exception {
        Channel ch = t.channel();
        Channel other = t.channel();
        String q = t.shared(ch, null);
        publish(ch, q, "1", "2", "3", "4", "5", "6", "7");
        long[] tags = new long[7];
        for (int i = 0; i < 7; i++) {
            tags[i] = get(ch, q, false).getEnvelope().getDeliveryTag();
        }
        ch.basicAck(tags[1], true);
        ch.basicReject(tags[2], true);
        ch.basicReject(tags[3], false);
        ch.basicNack(tags[5], true, true);
        ch.close();
        bodies(other, q, "3", "5", "6", "7");
    }

    private static void recover(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch);
        BlockingQueue<Delivery> got = t.consume(ch, q, false);
        publish(ch, q, "1", "2");
        next(got);
        next(got);
        ch.basicRecover(true);
        for (String want : new String[] {"1true", "2true"}) {
            Delivery d = next(got);
            Suite.equal(body(d) + d.getEnvelope().isRedeliver(), want, "recovered");
        }
    }

    private static void prefetch(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch);
        publish(ch, q, "1", "2", "3", "4", "5", "6");
        ch.basicQos(2);
        BlockingQueue<Delivery> one = t.consume(ch, q, false);
        long first = tag(next(one));
        next(one);
        quiet(one);
        ch.basicQos(1);
        BlockingQueue<Delivery> two = t.consume(ch, q, false);
        next(two);
        quiet(two);
        ch.basicAck(first, false);
        next(one);
        quiet(one);
    }

    private static void globalPrefetch(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch);
        publish(ch, q, "1", "2", "3", "4", "5", "6", "7", "8");
        ch.basicQos(3, true);
        BlockingQueue<Delivery> all = new LinkedBlockingQueue<>();
        ch.basicConsume(q, false, (consumer, d) -> all.add(d), consumer -> {});
        ch.basicConsume(q, false, (consumer, d) -> all.add(d), consumer -> {});
        next(all);
        next(all);
        long last = tag(next(all));
        quiet(all);
        ch.basicAck(last, true);
        next(all);
        next(all);
        next(all);
        quiet(all);
    }

    private static void cancel(Fixture t) throws Exception {
        Channel ch = t.channel();
        Channel other = t.channel();
        String q = t.shared(ch, null);
        Set<String> cancelled = ConcurrentHashMap.newKeySet();
        ch.basicConsume(q, true, "mine", (tag, d) -> cancelled.add("delivered"), cancelled::add);
        ch.basicCancel("mine");
        publish(ch, q, "1");
        Thread.sleep(200);
        Suite.equal(cancelled, Set.of(), "heard");
        ch.basicConsume(q, false, "again", (tag, d) -> {}, cancelled::add);
        other.queueDelete(q);
        Fixture.until("basic.cancel", () -> cancelled.contains("again"));
        ch.queueDeclare();
    }

    private static void exclusive(Fixture t) throws Exception {
        Channel ch = t.channel();
        Connection other = t.connect();
        String q = t.shared(ch, null);
        ch.basicConsume(q, false, "", false, true, null, (tag, d) -> {}, tag -> {});
        refused(403, 60, 20, "^ACCESS_REFUSED - queue '" + q + "' in vhost '/' in exclusive use$", () -> other.createChannel().basicConsume(q, (tag, d) -> {}, tag -> {}));
    }

    private static void priorities(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch);
        ch.basicQos(1);
        BlockingQueue<Delivery> low = t.consume(ch, q, false, Map.of("x-priority", 1));
        BlockingQueue<Delivery> high = t.consume(ch, q, false, Map.of("x-priority", 9));
        publish(ch, q, "1");
        long tag = tag(next(high));
        publish(ch, q, "2");
        next(low);
        publish(ch, q, "3");
        quiet(high);
        ch.basicAck(tag, false);
        next(high);
    }

    private static void singleActive(Fixture t) throws Exception {
        Channel first = t.channel();
        Channel second = t.channel();
        String q = t.shared(first, Map.of("x-single-active-consumer", true));
        BlockingQueue<Delivery> one = t.consume(first, q, false);
        BlockingQueue<Delivery> two = t.consume(second, q, false);
        publish(first, q, "1", "2");
        first.basicAck(tag(next(one)), false);
        next(one);
        quiet(two);
        first.close();
        Delivery d = next(two);
        Suite.equal(body(d) + d.getEnvelope().isRedeliver(), "2true", "after the takeover");
    }

    private static void workers(Fixture t) throws Exception {
        Channel producer = t.channel();
        String q = t.shared(producer, null);
        BlockingQueue<Delivery> all = new LinkedBlockingQueue<>();
        for (int i = 0; i < 8; i++) {
            Channel ch = t.channel();
            ch.basicQos(5);
            ch.basicConsume(q, false, (tag, d) -> {
                ch.basicAck(d.getEnvelope().getDeliveryTag(), false);
                all.add(d);
            }, tag -> {});
        }
        for (int i = 0; i < 800; i++) {
            publish(producer, q, "" + i);
        }
        Set<String> seen = ConcurrentHashMap.newKeySet();
        for (int i = 0; i < 800; i++) {
            seen.add(body(next(all)));
        }
        Suite.equal(seen.size(), 800, "different messages");
        Fixture.ready(producer, q, 0);
    }
}
