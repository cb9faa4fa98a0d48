package conformance;

import static conformance.Fixture.bodies;
import static conformance.Fixture.refused;
import static conformance.Fixture.send;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import java.util.List;
import java.util.Map;

/** Exchanges, their bindings, and where messages go. */
final class ExchangeChecks {
    private ExchangeChecks() {}

    static void run(Suite s) {
        s.run("exchange: direct, fanout, topic", ExchangeChecks::kinds);
        s.run("exchange: headers", ExchangeChecks::headers);
        s.run("exchange: to exchange", ExchangeChecks::toExchange);
        s.run("exchange: alternate", ExchangeChecks::alternate);
        s.run("exchange: internal", ExchangeChecks::internal);
        s.run("exchange: auto-delete and in use", ExchangeChecks::lifetimes);
        s.run("exchange: declared otherwise", ExchangeChecks::inequivalent);
        s.run("exchange: CC and BCC", ExchangeChecks::carbonCopies);
    }

    private static void kinds(Fixture t) throws Exception {
        Channel ch = t.channel();
        Map<String, String[]> want = Map.of("direct", new String[] {"a.b"}, "fanout", new String[] {"a.b", "a", "x.b"}, "topic", new String[] {"a.b", "x.b"});
        Map<String, String> key = Map.of("direct", "a.b", "fanout", "", "topic", "*.b");
        for (String kind : want.keySet()) {
            String x = t.exchange(ch, kind);
            String q = t.queue(ch);
            ch.queueBind(q, x, key.get(kind));
            for (String k : List.of("a.b", "a", "x.b")) {
                send(ch, x, k, null, k);
            }
            bodies(ch, q, want.get(kind));
            ch.queueUnbind(q, x, key.get(kind));
            send(ch, x, "a.b", null, "unbound");
            bodies(ch, q);
        }
    }

    private static void headers(Fixture t) throws Exception {
        Channel ch = t.channel();
        String x = t.exchange(ch, "headers");
        String all = t.queue(ch);
        String any = t.queue(ch);
        ch.queueBind(all, x, "", Map.of("x-match", "all", "a", 1, "b", "two"));
        ch.queueBind(any, x, "", Map.of("x-match", "any", "a", 1, "b", "two"));
        List<Map<String, Object>> sent = List.of(Map.of("a", 1, "b", "two"), Map.of("a", 1L), Map.of("b", "three"), Map.of());
        for (int i = 0; i < sent.size(); i++) {
            send(ch, x, "", new AMQP.BasicProperties.Builder().headers(sent.get(i)).build(), "" + i);
        }
        bodies(ch, all, "0");
        bodies(ch, any, "0", "1");
    }

    private static void toExchange(Fixture t) throws Exception {
        Channel ch = t.channel();
        String a = t.exchange(ch, "topic");
        String b = t.exchange(ch, "fanout");
        String q = t.queue(ch);
        ch.exchangeBind(b, a, "k.#");
        ch.queueBind(q, b, "");
        send(ch, a, "k.1", null, "1");
        ch.exchangeUnbind(b, a, "k.#");
        send(ch, a, "k.2", null, "2");
        bodies(ch, q, "1");
    }

    private static void alternate(Fixture t) throws Exception {
        Channel ch = t.channel();
        String other = t.exchange(ch, "fanout");
        String x = t.exchange(ch, "direct", Map.of("alternate-exchange", other));
        String q = t.queue(ch);
        ch.queueBind(q, other, "");
        send(ch, x, "unbound", null, "found");
        bodies(ch, q, "found");
    }

    private static void internal(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        String x = t.name("internal");
        ch.exchangeDeclare(x, "fanout", false, true, true, null);
        Channel bad = c.createChannel();
        Fixture.closed(403, 60, 40, "^ACCESS_REFUSED - cannot publish to internal exchange '" + x + "' in vhost '/'", bad, () -> send(bad, x, "", null, "no"));
        ch.exchangeDelete(x);
    }

    private static void lifetimes(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        String x = t.name("auto");
        String q = t.queue(ch);
        ch.exchangeDeclare(x, "fanout", false, true, null);
        ch.queueBind(q, x, "");
        refused(406, 40, 20, "^PRECONDITION_FAILED - exchange '" + x + "' in vhost '/' in use$", () -> c.createChannel().exchangeDelete(x, true));
        ch.queueDelete(q);
        refused(404, 40, 10, "^NOT_FOUND", () -> c.createChannel().exchangeDeclarePassive(x));
        ch.exchangeDelete(x);
    }

    private static void inequivalent(Fixture t) throws Exception {
        Connection c = t.connect();
        String x = t.exchange(c.createChannel(), "direct");
        c.createChannel().exchangeDeclare(x, "direct");
        String text = "^PRECONDITION_FAILED - inequivalent arg '%s' for exchange '" + x + "' in vhost '/': received '%s' but current is '%s'$";
        refused(406, 40, 10, text.formatted("type", "topic", "direct"), () -> c.createChannel().exchangeDeclare(x, "topic"));
        refused(406, 40, 10, text.formatted("durable", "true", "false"), () -> c.createChannel().exchangeDeclare(x, "direct", true));
        refused(406, 40, 10, text.formatted("auto_delete", "true", "false"), () -> c.createChannel().exchangeDeclare(x, "direct", false, true, null));
        refused(406, 40, 10, text.formatted("internal", "true", "false"), () -> c.createChannel().exchangeDeclare(x, "direct", false, false, true, null));
    }

    private static void carbonCopies(Fixture t) throws Exception {
        Channel ch = t.channel();
        String x = t.exchange(ch, "direct");
        Map<String, Object> headers = Map.of("CC", List.of("cc"), "BCC", List.of("bcc"));
        List<String> queues = List.of(t.queue(ch), t.queue(ch), t.queue(ch));
        List<String> keys = List.of("to", "cc", "bcc");
        for (int i = 0; i < 3; i++) {
            ch.queueBind(queues.get(i), x, keys.get(i));
        }
        send(ch, x, "to", new AMQP.BasicProperties.Builder().headers(headers).build(), "x");
        for (String q : queues) {
            Map<String, Object> got = Fixture.get(ch, q, true).getProps().getHeaders();
            Suite.equal(got.keySet().toString() + got.get("CC"), "[CC][cc]", q);
        }
    }
}
