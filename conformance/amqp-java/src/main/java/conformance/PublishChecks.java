package conformance;

import static conformance.Fixture.bodies;
import static conformance.Fixture.bytes;
import static conformance.Fixture.get;
import static conformance.Fixture.publish;
import static conformance.Fixture.ready;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.impl.LongStringHelper;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;

/** Properties, returns, confirms and transactions. */
final class PublishChecks {
    private PublishChecks() {}

    static void run(Suite s) {
        s.run("publish: properties and headers come back", PublishChecks::properties);
        s.run("publish: empty, binary and large bodies", PublishChecks::bodiesOfAllSizes);
        s.run("publish: mandatory returns", PublishChecks::mandatory);
        s.run("publish: the wrong user-id", PublishChecks::userId);
        s.run("confirms: a thousand, singly or multiple", PublishChecks::confirms);
        s.run("confirms: nack when the queue is full", PublishChecks::nack);
        s.run("confirms: a return comes before its ack", PublishChecks::returnFirst);
        s.run("transactions: commit, rollback, acks", PublishChecks::transactions);
    }

    private static void properties(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch);
        Map<String, Object> headers = new HashMap<>(Map.of("bool", true, "int", 7, "long", 1L << 60, "short", (short) -3, "byte", (byte) 5, "float", 1.5f, "double", 2.25,
                "decimal", new BigDecimal("3.14"), "text", LongStringHelper.asLongString("나루 🛶"), "time", new Date(1_700_000_000_000L)));
        headers.put("null", null);
        headers.put("list", Arrays.asList(1, null, List.of(true)));
        headers.put("table", Map.of("deep", Map.of("deeper", 1)));
        AMQP.BasicProperties sent = new AMQP.BasicProperties.Builder().headers(headers).contentType("a/b").contentEncoding("gzip").deliveryMode(2).priority(3).correlationId("c")
                .replyTo("r").expiration("60000").messageId("m").timestamp(new Date(1_700_000_000_000L)).type("t").userId("guest").appId("a").clusterId("x").build();
        ch.basicPublish("", q, sent, bytes("b"));
        AMQP.BasicProperties got = get(ch, q, true).getProps();
        Suite.equal(got.getHeaders().keySet(), headers.keySet(), "headers");
        for (var e : headers.entrySet()) {
            Suite.equal(got.getHeaders().get(e.getKey()), e.getValue(), e.getKey());
        }
        Suite.equal(got.builder().headers(null).build(), sent.builder().headers(null).build(), "properties");
        ch.basicPublish("", q, null, bytes("b"));
        got = get(ch, q, true).getProps();
        Suite.equal(got, new AMQP.BasicProperties(), "properties where there were none");
    }

    private static void bodiesOfAllSizes(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch);
        for (int size : new int[] {0, 1, 131_064, 131_065, 1 << 20}) {
            byte[] body = new byte[size];
            new Random(size).nextBytes(body);
            ch.basicPublish("", q, null, body);
            Suite.equal(get(ch, q, true).getBody(), body, size + " bytes");
        }
    }

    private static void mandatory(Fixture t) throws Exception {
        Channel ch = t.channel();
        List<String> back = Collections.synchronizedList(new ArrayList<>());
        ch.addReturnListener(r -> back.add(r.getReplyCode() + r.getReplyText() + r.getExchange() + r.getRoutingKey() + Fixture.text(r.getBody())));
        String no = t.name("no");
        ch.basicPublish("", no, false, null, bytes("dropped"));
        ch.basicPublish("amq.topic", no, true, null, bytes("back"));
        Fixture.until("the return", () -> !back.isEmpty());
        Suite.equal(back, List.of("312NO_ROUTEamq.topic" + no + "back"), "return");
    }

    private static void userId(Fixture t) throws Exception {
        Channel ch = t.channel();
        Fixture.closed(406, 60, 40, "^PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'$", ch,
                () -> ch.basicPublish("", "q", new AMQP.BasicProperties.Builder().userId("somebody").build(), bytes("x")));
    }

    private static void confirms(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.shared(ch, null);
        Suite.equal(ch.getNextPublishSeqNo(), 0L, "before confirm.select");
        ch.confirmSelect();
        ConcurrentSkipListSet<Long> open = new ConcurrentSkipListSet<>();
        List<Long> nacked = Collections.synchronizedList(new ArrayList<>());
        ch.addConfirmListener((tag, multiple) -> {
            if (multiple) {
                open.headSet(tag, true).clear();
            } else {
                open.remove(tag);
            }
        }, (tag, multiple) -> nacked.add(tag));
        for (int i = 0; i < 1000; i++) {
            open.add(ch.getNextPublishSeqNo());
            ch.basicPublish("", q, new AMQP.BasicProperties.Builder().deliveryMode(2).build(), bytes("" + i));
        }
        Fixture.until("a thousand confirms", open::isEmpty);
        Suite.equal(nacked, List.of(), "nacks");
        ready(ch, q, 1000);
    }

    private static void nack(Fixture t) throws Exception {
        Channel ch = t.channel();
        String q = t.queue(ch, Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
        ch.confirmSelect();
        publish(ch, q, "1");
        Suite.holds(ch.waitForConfirms(30_000), "the first was nacked");
        publish(ch, q, "2");
        Suite.holds(!ch.waitForConfirms(30_000), "the second was acked");
        bodies(ch, q, "1");
    }

    private static void returnFirst(Fixture t) throws Exception {
        Channel ch = t.channel();
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        ch.addReturnListener(r -> heard.add("return"));
        ch.addConfirmListener((tag, multiple) -> heard.add("ack"), (tag, multiple) -> heard.add("nack"));
        ch.confirmSelect();
        ch.basicPublish("", t.name("no"), true, null, bytes("x"));
        Fixture.until("both", () -> heard.size() == 2);
        Suite.equal(heard, List.of("return", "ack"), "order");
    }

    private static void transactions(Fixture t) throws Exception {
        Channel ch = t.channel();
        Channel other = t.channel();
        String q = t.shared(ch, null);
        ch.txSelect();
        publish(ch, q, "1", "2");
        Suite.equal(other.messageCount(q), 0L, "before the commit");
        ch.txCommit();
        Suite.equal(other.messageCount(q), 2L, "after the commit");
        publish(ch, q, "3");
        ch.txRollback();
        GetResponse first = get(ch, q, false);
        ch.basicAck(first.getEnvelope().getDeliveryTag(), false);
        ch.txCommit();
        ch.basicAck(get(ch, q, false).getEnvelope().getDeliveryTag(), false);
        ch.txRollback();
        ch.close();
        Suite.equal(Set.of(Fixture.text(get(other, q, true).getBody())), Set.of("2"), "the ack rolled back");
        bodies(other, q);
    }
}
