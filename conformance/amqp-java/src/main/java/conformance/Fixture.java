package conformance;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** What one check opened and declared; all of it goes when the check ends. */
final class Fixture implements AutoCloseable {
    private static final String RUN = "amqp-java-" + ProcessHandle.current().pid() + "-" + System.currentTimeMillis() / 1000 + "-";

    private final String prefix;
    private int names;
    private final List<Connection> connections = new ArrayList<>();
    private final List<String> queues = new ArrayList<>();
    private final List<String> exchanges = new ArrayList<>();

    Fixture(int number) {
        prefix = RUN + number + "-";
    }

    /** A call that the broker may refuse. */
    interface Call {
        void run() throws Exception;
    }

    ConnectionFactory factory() throws Exception {
        ConnectionFactory f = new ConnectionFactory();
        String url = System.getenv("AMQP_URL");
        String base = url == null ? "amqp://guest:guest@127.0.0.1:5672" : url;
        f.setUri(base.endsWith("/") ? base.substring(0, base.length() - 1) : base);
        f.setAutomaticRecoveryEnabled(false);
        f.setConnectionTimeout(30_000);
        f.setHandshakeTimeout(30_000);
        f.setChannelRpcTimeout(30_000);
        return f;
    }

    Connection connect(ConnectionFactory f) throws Exception {
        Connection c = f.newConnection();
        connections.add(c);
        return c;
    }

    Connection connect() throws Exception {
        return connect(factory());
    }

    Channel channel() throws Exception {
        return connect().createChannel();
    }

    String name(String what) {
        return prefix + what + ++names;
    }

    /** An exclusive queue. */
    String queue(Channel ch, Map<String, Object> arguments) throws IOException {
        return ch.queueDeclare(name("q"), false, true, false, arguments).getQueue();
    }

    String queue(Channel ch) throws IOException {
        return queue(ch, null);
    }

    /** A durable queue that other connections see. */
    String shared(Channel ch, Map<String, Object> arguments) throws IOException {
        return shared(ch, name("q"), arguments);
    }

    String shared(Channel ch, String name, Map<String, Object> arguments) throws IOException {
        queues.add(name);
        return ch.queueDeclare(name, true, false, false, arguments).getQueue();
    }

    String exchange(Channel ch, String kind) throws IOException {
        return exchange(ch, kind, null);
    }

    String exchange(Channel ch, String kind, Map<String, Object> arguments) throws IOException {
        String x = name("x");
        exchanges.add(x);
        ch.exchangeDeclare(x, kind, false, false, arguments);
        return x;
    }

    /** A durable exchange with a name of its own. */
    String durable(Channel ch, String name, String kind) throws IOException {
        exchanges.add(name);
        ch.exchangeDeclare(name, kind, true);
        return name;
    }

    boolean exists(String queue) throws Exception {
        try (Connection c = factory().newConnection()) {
            Channel ch = c.createChannel();
            try {
                ch.queueDeclarePassive(queue);
                return true;
            } catch (IOException e) {
                Suite.equal(code(e), 404, "code");
                return false;
            }
        }
    }

    static void publish(Channel ch, String queue, String... bodies) throws IOException {
        for (String body : bodies) {
            send(ch, "", queue, null, body);
        }
    }

    static void send(Channel ch, String exchange, String key, AMQP.BasicProperties properties, String body) throws IOException {
        ch.basicPublish(exchange, key, properties, bytes(body));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }

    static void until(String what, Callable<Boolean> holds) throws Exception {
        long end = System.nanoTime() + 30_000_000_000L;
        while (!holds.call()) {
            Suite.holds(System.nanoTime() < end, "not within 30 s: " + what);
            Thread.sleep(20);
        }
    }

    static GetResponse get(Channel ch, String queue, boolean autoAck) throws Exception {
        GetResponse[] got = new GetResponse[1];
        until("a message in " + queue, () -> (got[0] = ch.basicGet(queue, autoAck)) != null);
        return got[0];
    }

    /** Takes the messages that are wanted, and sees that no other follows. */
    static void bodies(Channel ch, String queue, String... want) throws Exception {
        for (String w : want) {
            Suite.equal(text(get(ch, queue, true).getBody()), w, queue);
        }
        GetResponse more = ch.basicGet(queue, true);
        Suite.holds(more == null, "one more in " + queue);
    }

    static void ready(Channel ch, String queue, long messages) throws Exception {
        until(messages + " messages ready in " + queue, () -> ch.messageCount(queue) == messages);
    }

    BlockingQueue<Delivery> consume(Channel ch, String queue, boolean autoAck, Map<String, Object> arguments) throws IOException {
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        ch.basicConsume(queue, autoAck, name("tag"), false, false, arguments == null ? Map.of() : arguments, (tag, d) -> got.add(d), tag -> {});
        return got;
    }

    BlockingQueue<Delivery> consume(Channel ch, String queue, boolean autoAck) throws IOException {
        return consume(ch, queue, autoAck, null);
    }

    static Delivery next(BlockingQueue<Delivery> from) throws InterruptedException {
        Delivery d = from.poll(30, TimeUnit.SECONDS);
        Suite.holds(d != null, "no delivery for 30 s");
        return d;
    }

    static void quiet(BlockingQueue<Delivery> from) throws InterruptedException {
        Suite.holds(from.poll(300, TimeUnit.MILLISECONDS) == null, "delivered what was not expected");
    }

    static long tag(Delivery d) {
        return d.getEnvelope().getDeliveryTag();
    }

    static String body(Delivery d) {
        return text(d.getBody());
    }

    static int code(Throwable e) {
        Method m = reason(e);
        return m instanceof AMQP.Channel.Close c ? c.getReplyCode() : m instanceof AMQP.Connection.Close c ? c.getReplyCode() : 0;
    }

    private static Method reason(Throwable e) {
        for (Throwable x = e; x != null; x = x.getCause()) {
            if (x instanceof ShutdownSignalException s) {
                return s.getReason();
            }
        }
        return null;
    }

    /** The channel is closed with this code, class, method and a text that has the pattern. */
    static void refused(int code, int classId, int methodId, String pattern, Call call) throws Exception {
        try {
            call.run();
        } catch (Exception e) {
            if (!(reason(e) instanceof AMQP.Channel.Close c)) {
                throw e;
            }
            Suite.equal(List.of(c.getReplyCode(), c.getClassId(), c.getMethodId()), List.of(code, classId, methodId), c.getReplyText());
            Suite.holds(c.getReplyText().matches("(?s).*" + pattern + ".*"), "text " + c.getReplyText() + ", want " + pattern);
            return;
        }
        throw new AssertionError("nothing was refused, want " + code + " " + pattern);
    }

    /** As refused, for what is answered later than the call returns. */
    static void closed(int code, int classId, int methodId, String pattern, Channel ch, Call call) throws Exception {
        refused(code, classId, methodId, pattern, () -> {
            call.run();
            until("the channel is closed", () -> !ch.isOpen());
            throw ch.getCloseReason();
        });
    }

    /** The connection is closed with this code and a text that has the pattern. */
    static void cutOff(int code, String pattern, Connection connection, Call call) throws Exception {
        try {
            call.run();
            until("the connection is closed", () -> !connection.isOpen());
        } catch (Exception e) {
            if (connection.isOpen()) {
                throw e;
            }
        }
        Method m = connection.getCloseReason().getReason();
        Suite.holds(m instanceof AMQP.Connection.Close, "closed with " + m);
        AMQP.Connection.Close c = (AMQP.Connection.Close) m;
        Suite.equal(c.getReplyCode(), code, c.getReplyText());
        Suite.holds(c.getReplyText().matches("(?s).*" + pattern + ".*"), "text " + c.getReplyText() + ", want " + pattern);
    }

    @Override
    public void close() throws Exception {
        for (Connection c : connections) {
            c.abort(2000);
        }
        if (queues.isEmpty() && exchanges.isEmpty()) {
            return;
        }
        try (Connection c = factory().newConnection()) {
            Channel ch = c.createChannel();
            for (String q : queues) {
                ch.queueDelete(q);
            }
            for (String x : exchanges) {
                ch.exchangeDelete(x);
            }
        }
    }
}
