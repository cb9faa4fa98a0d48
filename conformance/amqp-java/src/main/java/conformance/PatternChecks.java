package conformance;

import static conformance.Fixture.next;
import static conformance.Fixture.publish;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.RpcServer;
import java.util.Map;
import java.util.concurrent.BlockingQueue;

/** What programs build of it. */
final class PatternChecks {
    private PatternChecks() {}

    static void run(Suite s) {
        s.run("pattern: the client's own RPC classes, over a queue and direct", PatternChecks::rpc);
        s.run("pattern: a work queue whose worker dies", PatternChecks::workerDies);
        s.run("pattern: a stream read twice", PatternChecks::stream);
    }

    private static void rpc(Fixture t) throws Exception {
        Channel server = t.channel();
        String q = t.queue(server);
        RpcServer capitals = new RpcServer(server, q) {
            @Override
            public byte[] handleCall(Delivery request, AMQP.BasicProperties reply) {
                return Fixture.bytes(Fixture.body(request).toUpperCase());
            }
        };
        Thread loop = new Thread(() -> {
            try {
                capitals.mainloop();
            } catch (Exception e) {
                // The channel was closed.
            }
        });
        loop.setDaemon(true);
        loop.start();
        Channel ch = t.channel();
        String replies = t.queue(ch);
        for (String replyTo : new String[] {replies, "amq.rabbitmq.reply-to"}) {
            RpcClient client = new RpcClient(new RpcClientParams().channel(ch).exchange("").routingKey(q).replyTo(replyTo).timeout(30_000));
            for (int i = 0; i < 20; i++) {
                Suite.equal(client.stringCall("ask " + i), "ASK " + i, replyTo);
            }
            client.close();
        }
    }

    private static void workerDies(Fixture t) throws Exception {
        Channel producer = t.channel();
        String q = t.shared(producer, null);
        Connection c = t.connect();
        Channel first = c.createChannel();
        first.basicQos(2);
        BlockingQueue<Delivery> held = t.consume(first, q, false);
        publish(producer, q, "1", "2", "3");
        next(held);
        next(held);
        c.abort();
        BlockingQueue<Delivery> second = t.consume(t.channel(), q, false);
        for (String want : new String[] {"1true", "2true", "3false"}) {
            Delivery d = next(second);
            Suite.equal(Fixture.body(d) + d.getEnvelope().isRedeliver(), want, "delivery");
        }
    }

    private static void stream(Fixture t) throws Exception {
        Channel ch = t.channel();
        ch.confirmSelect();
        String q = t.shared(ch, Map.of("x-queue-type", "stream"));
        publish(ch, q, "0", "1", "2", "3");
        ch.waitForConfirmsOrDie(30_000);
        for (int start : new int[] {0, 2}) {
            Channel reader = t.channel();
            reader.basicQos(10);
            BlockingQueue<Delivery> got = t.consume(reader, q, false, Map.of("x-stream-offset", start == 0 ? "first" : start));
            for (int i = start; i < 4; i++) {
                Delivery d = next(got);
                Suite.equal(Fixture.body(d) + "/" + d.getProperties().getHeaders().get("x-stream-offset"), i + "/" + i, "from " + start);
                reader.basicAck(Fixture.tag(d), false);
            }
        }
    }
}
