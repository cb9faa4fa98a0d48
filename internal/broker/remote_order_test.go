package broker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/record"
)

// Others see who owns a slot before it is open there: what is refused until then stays before what was sent behind it.
func TestRemoteSendsStayInOrderWhileTheSlotOpens(t *testing.T) {
	w, a, _ := newPair(t)
	q := w.queue("q", nil)
	const n = 1000
	for range 20 {
		w.take(q.home())
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			w.give(q.home(), a)
		}()
		var outcomes [n]chan Sent
		for i := range n {
			outcomes[i] = make(chan Sent, 1)
			q.Send(t.Context(), []Message{{Value: fmt.Append(nil, i), Delay: -1}}, func(s []Sent) { outcomes[i] <- s[0] })
		}
		last := Sent{Offset: -1}
		for i := range n {
			s := <-outcomes[i]
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			if s.Offset <= last.Offset {
				t.Fatalf("%d is at %d, after %d", i, s.Offset, last.Offset)
			}
			last = s
		}
		<-opened
	}
}

// What was sent behind a call that was refused, or that a session took with it, is refused until that was asked again.
func TestCallsBehindOneThatWasRefused(t *testing.T) {
	w, a, b := newPair(t)
	q := w.queue("q", nil)
	r := q.backend().(*remoteQueue)
	body := r.body(func(e *encoder) {
		e.once(nil)
		e.messages([]Message{{Value: []byte("m"), Delay: -1}})
	})
	ask := func(m peer.Method) error {
		t.Helper()
		client, err := b.Peer(a.node)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(t.Context(), m, body...)
		return err
	}
	expect := func(what string, want error, m peer.Method) {
		t.Helper()
		if err := ask(m); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	expect("a session that begins in the middle", errNotHere, askSend)
	expect("the first", nil, askSend|askFirst)
	expect("the next", nil, askSend)
	w.take(q.home())
	expect("nobody has it", errNotHere, askSend|askFirst)
	w.give(q.home(), a)
	expect("behind what was refused", errNotHere, askSend)
	expect("what was refused", nil, askSend|askFirst)
	b.cut()
	err := ask(askSend)
	for range 1000 { // until the cut was seen
		if errors.Is(err, errNotHere) {
			break
		}
		err = ask(askSend)
	}
	if !errors.Is(err, errNotHere) {
		t.Error("behind what another session took with it: ", err)
	}
	expect("a new session", nil, askSend|askFirst)
}

// What waits for an owner when the slot comes here stays before what is sent then.
func TestSendsStayInOrderWhenTheSlotComesHere(t *testing.T) {
	w, a, b := newPair(t)
	q := w.queue("q", nil)
	for round := range 20 {
		w.strand(q.home(), a)
		var outcomes [2]chan Sent
		send := func(i int) {
			outcomes[i] = make(chan Sent, 1)
			if round%2 == 0 {
				q.Send(t.Context(), []Message{{Value: fmt.Append(nil, i), Delay: -1}}, func(s []Sent) { outcomes[i] <- s[0] })
				return
			}
			q.forward(&record.Record{Value: fmt.Append(nil, i)}, 0, func(s Sent) { outcomes[i] <- s })
		}
		send(0)
		until(t, func() bool {
			q.away.mu.Lock()
			defer q.away.mu.Unlock()
			return len(q.away.stalled) > 0 // it was refused
		})
		w.give(q.home(), b)
		send(1)
		first, second := <-outcomes[0], <-outcomes[1]
		if first.Err != nil || second.Err != nil || first.Offset >= second.Offset {
			t.Errorf("round %d: the first is at %d, %v; the second at %d, %v", round, first.Offset, first.Err, second.Offset, second.Err)
		}
	}
}
