package broker

import (
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// A dead letter that was durable in its new queue, when the process ended before it
// was done in the old one, is there once.
func TestDeadLetterOfACrashIsThereOnce(t *testing.T) {
	w := newQueueWorld(t)
	makeQueue(t, w.b, "dead", nil)
	makeQueue(t, w.b, "q", func(s *catalog.QueueSettings) { s.AttemptsMax, s.DeadLetter, s.Lease = 1, "dead", 10*time.Second })
	sendAll(t, w.queue("q"), text("moved"), text("not yet"))
	list := mustReceive(t, w.queue("q"), ReceiveRequest{Max: 2})
	if len(list) != 2 {
		t.Fatal(list)
	}
	q, done := w.queue("q"), make(chan Sent, 1)
	letter := q.local().deadLetter(&list[0].Record, &queue.DeadLetter{Tag: list[0].Tag, Reason: queue.ReasonAttempts})
	w.queue("dead").backend().Forward(&letter, 0, func(s Sent) { done <- s })
	if s := <-done; s.Err != nil {
		t.Fatal(s.Err)
	}
	w.restart()
	w.add(11 * time.Second)
	if got := mustReceive(t, w.queue("q"), ReceiveRequest{Max: 10}); len(got) != 0 {
		t.Errorf("delivered more often than allowed: %v", values(got))
	}
	var got []string
	for len(got) < 2 {
		got = append(got, values(waitFor(t, w.queue("dead")))...)
	}
	if len(got) != 2 || got[0] != "moved" || got[1] != "not yet" {
		t.Errorf("%q", got)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		if st := w.queue("q").Stats(); st.Ready+st.InFlight == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", w.queue("q").Stats())
		}
	}
	if st := w.queue("dead").Stats(); st.Ready+st.InFlight != 2 {
		t.Errorf("%+v", st)
	}
}

// A redrive that cannot move all leaves no message in both queues.
func TestRedriveThatFailsLeavesNothingTwice(t *testing.T) {
	w := newQueueWorld(t)
	dead := makeQueue(t, w.b, "dead", nil)
	home := makeQueue(t, w.b, "home", nil)
	from := func(name string) []record.HeaderField {
		return []record.HeaderField{{Key: HeaderDeadQueue, Value: []byte(name)}}
	}
	lost, back := text("lost"), text("back")
	back.Headers, lost.Headers = from("home"), from("nowhere")
	sendAll(t, dead, back, lost, back)
	if _, err := w.b.StartRedrive(RedriveSpec{From: "dead"}); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return w.b.Redrives("dead")[0].State == RedriveFailed })
	if task := w.b.Redrives("dead")[0]; task.Moved != 1 {
		t.Errorf("%+v", task)
	}
	wantValues(t, mustReceive(t, home, ReceiveRequest{Max: 10}), "back")
	wantValues(t, mustReceive(t, dead, ReceiveRequest{Max: 10}), "lost", "back")
}
