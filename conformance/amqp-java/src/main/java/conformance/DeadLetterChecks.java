package conformance;

import static conformance.Fixture.get;
import static conformance.Fixture.publish;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.GetResponse;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** Dead letters and what x-death says. */
final class DeadLetterChecks {
    private DeadLetterChecks() {}

    static void run(Suite s) {
        s.run("dead letters: rejected, expired, maxlen", DeadLetterChecks::reasons);
        s.run("dead letters: counts in a retry loop", DeadLetterChecks::counts);
        s.run("dead letters: a circle without rejection is cut", DeadLetterChecks::cycle);
        s.run("dead letters: quorum queue at its delivery limit", DeadLetterChecks::limit);
    }

    /** The entries of x-death, the latest first: count, reason, queue, exchange, keys. */
    static List<String> deaths(GetResponse message) {
        List<String> list = new ArrayList<>();
        Map<String, Object> headers = message.getProps().getHeaders();
        if (headers == null || !headers.containsKey("x-death")) {
            return list;
        }
        for (Object o : (List<?>) headers.get("x-death")) {
            Map<?, ?> d = (Map<?, ?>) o;
            Suite.holds(d.get("count") instanceof Long && d.get("time") instanceof Date, "types in " + d);
            list.add(d.get("count") + " " + d.get("reason") + " " + d.get("queue") + " '" + d.get("exchange") + "' " + d.get("routing-keys"));
        }
        return list;
    }

    private static void reasons(Fixture t) throws Exception {
        Channel ch = t.channel();
        String x = t.exchange(ch, "fanout");
        String dead = t.queue(ch);
        ch.queueBind(dead, x, "");
        String q = t.queue(ch, Map.of("x-dead-letter-exchange", x));
        publish(ch, q, "rejected");
        ch.basicReject(get(ch, q, false).getEnvelope().getDeliveryTag(), false);
        for (String reason : new String[] {"rejected", "expired"}) {
            if (reason.equals("expired")) {
                Fixture.send(ch, "", q, new AMQP.BasicProperties.Builder().expiration("100").build(), "expired");
            }
            GetResponse m = get(ch, dead, true);
            Suite.equal(deaths(m), List.of("1 " + reason + " " + q + " '' [" + q + "]"), reason);
            Suite.equal(m.getProps().getHeaders().get("x-first-death-reason").toString(), reason, "x-first-death-reason");
            Suite.equal(m.getProps().getExpiration(), null, "expiration");
        }
        String bounded = t.queue(ch, Map.of("x-dead-letter-exchange", x, "x-dead-letter-routing-key", "k", "x-max-length", 1));
        publish(ch, bounded, "1", "2");
        GetResponse m = get(ch, dead, true);
        Suite.equal(m.getEnvelope().getRoutingKey() + deaths(m), "k[1 maxlen " + bounded + " '' [" + bounded + "]]", "dropped");
    }

    private static void counts(Fixture t) throws Exception {
        Channel ch = t.channel();
        String work = t.name("work");
        String wait = t.name("wait");
        ch.queueDeclare(work, false, true, false, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", wait));
        ch.queueDeclare(wait, false, true, false, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", work, "x-message-ttl", 50));
        publish(ch, work, "again");
        for (int turn = 0; turn < 4; turn++) {
            GetResponse m = get(ch, work, false);
            Suite.equal(deaths(m), turn == 0 ? List.of() : List.of(turn + " expired " + wait + " '' [" + wait + "]", turn + " rejected " + work + " '' [" + work + "]"), "turn " + turn);
            ch.basicReject(m.getEnvelope().getDeliveryTag(), false);
        }
    }

    private static void cycle(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.name("own");
        ch.queueDeclare(q, false, true, false, Map.of("x-dead-letter-exchange", "", "x-message-ttl", 50));
        publish(ch, q, "round");
        Fixture.ready(ch, q, 0);
        Thread.sleep(200);
        Fixture.bodies(ch, q);
    }

    private static void limit(Fixture t) throws Exception {
        Channel ch = t.channel();
        String x = t.exchange(ch, "fanout");
        String dead = t.queue(ch);
        ch.queueBind(dead, x, "");
        String q = t.shared(ch, Map.of("x-queue-type", "quorum", "x-delivery-limit", 1, "x-dead-letter-exchange", x));
        publish(ch, q, "poison");
        for (int i = 0; i < 2; i++) {
            ch.basicNack(get(ch, q, false).getEnvelope().getDeliveryTag(), false, true);
        }
        Suite.equal(deaths(get(ch, dead, true)), List.of("1 delivery_limit " + q + " '' [" + q + "]"), "deaths");
    }
}
