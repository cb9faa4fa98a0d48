package conformance;

import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Counts checks. A check fails when it throws or takes longer than two minutes. */
final class Suite {
    /** The body of a check. */
    interface Check {
        void run(Fixture t) throws Exception;
    }

    private final String name;
    private final String only;
    private final ExecutorService threads = Executors.newCachedThreadPool(r -> {
        Thread t = new Thread(r);
        t.setDaemon(true);
        return t;
    });
    private int number;
    private int passed;
    private int failed;

    Suite(String name, String only) {
        this.name = name;
        this.only = only;
    }

    void run(String title, Check check) {
        number++;
        if (!title.contains(only)) {
            return;
        }
        long start = System.nanoTime();
        Fixture t = new Fixture(number);
        Future<?> done = threads.submit(() -> {
            try (t) {
                check.run(t);
            }
            return null;
        });
        Throwable failure = null;
        try {
            done.get(120, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            failure = e.getCause();
        } catch (Exception e) {
            failure = e;
            done.cancel(true);
        }
        long took = (System.nanoTime() - start) / 1_000_000;
        if (failure == null) {
            passed++;
            System.out.println("ok   " + title + " (" + took + "ms)");
        } else {
            failed++;
            System.out.println("FAIL " + title + " (" + took + "ms): " + failure);
            failure.printStackTrace();
        }
    }

    int finish() {
        System.out.println(name + ": " + passed + " passed, " + failed + " failed");
        return failed > 0 || passed == 0 ? 1 : 0;
    }

    static void equal(Object got, Object want, String what) {
        if (!Objects.deepEquals(got, want)) {
            throw new AssertionError(what + ": got " + brief(got) + ", want " + brief(want));
        }
    }

    private static String brief(Object value) {
        String text = String.valueOf(value);
        return text.length() < 300 ? text : text.substring(0, 300) + "…";
    }

    static void holds(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }
}
