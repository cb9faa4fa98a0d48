package conformance;

import static conformance.Fixture.bodies;
import static conformance.Fixture.closed;
import static conformance.Fixture.cutOff;
import static conformance.Fixture.publish;
import static conformance.Fixture.refused;

import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/** Connections and channels: how they open, and what ends them. */
final class ConnectionChecks {
    private ConnectionChecks() {}

    static void run(Suite s) {
        s.run("connection: tuned, with the server's properties", ConnectionChecks::tuned);
        s.run("connection: wrong password", ConnectionChecks::password);
        s.run("connection: unknown virtual host", ConnectionChecks::virtualHost);
        s.run("connection: heartbeats keep an idle one", ConnectionChecks::heartbeat);
        s.run("connection: automatic recovery finds its queue, bindings and consumer again", ConnectionChecks::recovery);
        s.run("connection: immediate, prefetch size, recover without requeue are not implemented", ConnectionChecks::notImplemented);
        s.run("connection: a consumer tag used twice", ConnectionChecks::tagTwice);
        s.run("channel: many at once, no more than tuned", ConnectionChecks::many);
        s.run("channel: errors have code, class and method, and leave the connection", ConnectionChecks::errors);
    }

    private static void tuned(Fixture t) throws Exception {
        ConnectionFactory f = t.factory();
        f.setRequestedFrameMax(8192);
        f.setRequestedChannelMax(9);
        f.setRequestedHeartbeat(7);
        Connection c = t.connect(f);
        Suite.equal(c.getFrameMax(), 8192, "frame_max");
        Suite.equal(c.getChannelMax(), 9, "channel_max");
        Suite.equal(c.getHeartbeat(), 7, "heartbeat");
        Map<?, ?> capabilities = (Map<?, ?>) c.getServerProperties().get("capabilities");
        for (String name : new String[] {"publisher_confirms", "basic.nack", "exchange_exchange_bindings", "consumer_cancel_notify", "connection.blocked"}) {
            Suite.equal(capabilities.get(name), true, name);
        }
    }

    private static void password(Fixture t) throws Exception {
        ConnectionFactory f = t.factory();
        f.setPassword("wrong");
        try {
            t.connect(f);
        } catch (AuthenticationFailureException e) {
            Suite.holds(e.getMessage().startsWith("ACCESS_REFUSED - Login was refused"), e.getMessage());
            return;
        }
        throw new AssertionError("it let us in");
    }

    private static void virtualHost(Fixture t) throws Exception {
        ConnectionFactory f = t.factory();
        f.setVirtualHost("nowhere");
        try {
            t.connect(f);
        } catch (IOException e) {
            Suite.equal(Fixture.code(e), 530, e.toString());
            return;
        }
        throw new AssertionError("it let us in");
    }

    private static void heartbeat(Fixture t) throws Exception {
        ConnectionFactory f = t.factory();
        f.setRequestedHeartbeat(2);
        Connection c = t.connect(f);
        Thread.sleep(6000);
        t.queue(c.createChannel());
    }

    private static void recovery(Fixture t) throws Exception {
        ConnectionFactory f = t.factory();
        f.setAutomaticRecoveryEnabled(true);
        f.setTopologyRecoveryEnabled(true);
        f.setNetworkRecoveryInterval(100);
        AtomicReference<java.net.Socket> socket = new AtomicReference<>();
        f.setSocketConfigurator(socket::set);
        Connection c = t.connect(f);
        Channel ch = c.createChannel();
        String x = t.exchange(ch, "topic");
        String q = t.queue(ch);
        ch.queueBind(q, x, "a.*");
        var got = t.consume(ch, q, true);
        java.net.Socket first = socket.get();
        first.close();
        Fixture.until("another connection", () -> socket.get() != first && c.isOpen());
        Channel other = t.channel();
        Fixture.until("a delivery", () -> {
            Fixture.send(other, x, "a.b", null, "again");
            return got.poll(200, java.util.concurrent.TimeUnit.MILLISECONDS) != null;
        });
    }

    private static void notImplemented(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        cutOff(540, "^NOT_IMPLEMENTED - immediate=true", c, () -> ch.basicPublish("", "q", false, true, null, new byte[0]));
        Connection d = t.connect();
        cutOff(540, "^NOT_IMPLEMENTED - prefetch_size!=0 \\(9\\)", d, () -> d.createChannel().basicQos(9, 1, false));
        Connection e = t.connect();
        cutOff(540, "^NOT_IMPLEMENTED - requeue=false", e, () -> e.createChannel().basicRecover(false));
    }

    private static void tagTwice(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel ch = c.createChannel();
        String q = t.queue(ch);
        ch.basicConsume(q, true, "mine", (tag, d) -> {}, tag -> {});
        cutOff(530, "^NOT_ALLOWED - attempt to reuse consumer tag 'mine'", c, () -> ch.basicConsume(q, true, "mine", (tag, d) -> {}, tag -> {}));
    }

    private static void many(Fixture t) throws Exception {
        ConnectionFactory f = t.factory();
        f.setRequestedChannelMax(100);
        Connection c = t.connect(f);
        Channel first = c.createChannel();
        String q = t.queue(first);
        for (int i = 1; i < 100; i++) {
            publish(c.createChannel(), q, "x");
        }
        Suite.equal(c.createChannel(), null, "channel 101");
        Fixture.ready(first, q, 99);
    }

    private static void errors(Fixture t) throws Exception {
        Connection c = t.connect();
        Channel keep = c.createChannel();
        String q = t.queue(keep);
        String no = t.name("no");
        refused(404, 50, 10, "^NOT_FOUND - no queue '" + no + "' in vhost '/'$", () -> c.createChannel().queueDeclarePassive(no));
        refused(404, 40, 10, "^NOT_FOUND - no exchange '" + no + "' in vhost '/'$", () -> c.createChannel().exchangeDeclarePassive(no));
        refused(404, 50, 20, "^NOT_FOUND - no exchange", () -> c.createChannel().queueBind(q, no, "k"));
        refused(404, 40, 30, "^NOT_FOUND - no exchange", () -> c.createChannel().exchangeBind(no, "amq.direct", "k"));
        refused(404, 50, 30, "^NOT_FOUND - no queue", () -> c.createChannel().queuePurge(no));
        refused(404, 60, 70, "^NOT_FOUND - no queue", () -> c.createChannel().basicGet(no, true));
        refused(404, 60, 20, "^NOT_FOUND - no queue", () -> c.createChannel().basicConsume(no, (tag, d) -> {}, tag -> {}));
        refused(403, 40, 10, "^ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix", () -> c.createChannel().exchangeDeclare("amq.mine", "direct"));
        refused(403, 50, 10, "^ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix", () -> c.createChannel().queueDeclare("amq.mine", false, true, false, null));
        refused(403, 40, 20, "^ACCESS_REFUSED - operation not permitted on the default exchange", () -> c.createChannel().exchangeDelete(""));
        refused(406, 50, 10, "^PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue", () -> c.createChannel().queueDeclare(q, false, true, true, null));
        refused(406, 90, 20, "^PRECONDITION_FAILED - channel is not transactional", () -> c.createChannel().txCommit());
        Channel other = t.channel();
        refused(405, 50, 40, "^RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '" + q + "' in vhost '/'", () -> other.queueDelete(q));
        Channel a = c.createChannel();
        closed(404, 60, 40, "^NOT_FOUND - no exchange '" + no + "' in vhost '/'$", a, () -> a.basicPublish(no, "k", null, new byte[0]));
        Channel b = c.createChannel();
        closed(406, 60, 80, "^PRECONDITION_FAILED - unknown delivery tag 9$", b, () -> b.basicAck(9, false));
        Channel d = c.createChannel();
        closed(406, 60, 120, "^PRECONDITION_FAILED - unknown delivery tag 9$", d, () -> d.basicNack(9, true, false));
        publish(keep, q, "still open");
        bodies(keep, q, "still open");
    }
}
