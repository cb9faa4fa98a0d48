package history

import (
	"fmt"
	"reflect"
	"testing"
)

// log is a small builder of histories: every event gets the next instant.
type log struct {
	events []Event
	now    int64
}

func (l *log) add(e Event) *log {
	l.now++
	e.Time = l.now
	l.events = append(l.events, e)
	return l
}

func (l *log) send(process string, partition int32, value string) *log {
	return l.add(Event{Kind: Send, Process: process, Partition: partition, Value: value})
}

func (l *log) ack(process string, partition int32, offset int64, value string) *log {
	return l.add(Event{Kind: Ack, Process: process, Partition: partition, Offset: offset, Value: value})
}

func (l *log) poll(process string, partition int32, offset int64, value string) *log {
	return l.add(Event{Kind: Poll, Process: process, Partition: partition, Offset: offset, Value: value})
}

func (l *log) groupPoll(process string, partition int32, offset int64, value string) *log {
	return l.add(Event{Kind: Poll, Process: process, Group: "g", Partition: partition, Offset: offset, Value: value})
}

func (l *log) assign(process string, partition int32) *log {
	return l.add(Event{Kind: Assign, Process: process, Partition: partition})
}

func (l *log) commit(partition int32, offset int64) *log {
	return l.add(Event{Kind: Commit, Group: "g", Partition: partition, Offset: offset})
}

func (l *log) committed(partition int32, offset int64) *log {
	return l.add(Event{Kind: Committed, Group: "g", Partition: partition, Offset: offset})
}

func (l *log) end(partition int32, offset int64) *log {
	return l.add(Event{Kind: End, Process: "reader", Partition: partition, Offset: offset})
}

// three returns a log in which p sent a, b, c to partition 0, all acknowledged.
func three() *log {
	l := &log{}
	for i, v := range []string{"a", "b", "c"} {
		l.send("p", 0, v).ack("p", 0, int64(i), v)
	}
	return l
}

// read adds a reader that reads a, b, c and the end.
func (l *log) readAll() *log {
	return l.poll("r", 0, 0, "a").poll("r", 0, 1, "b").poll("r", 0, 2, "c").end(0, 3)
}

func TestSoundHistories(t *testing.T) {
	for name, l := range map[string]*log{
		"nothing":          {},
		"write and read":   three().readAll(),
		"unknown, absent":  three().send("p", 0, "d").readAll(),
		"unknown, present": three().send("p", 0, "d").readAll().poll("r", 0, 3, "d").end(0, 4),
		"gap of nothing":   three().send("p", 0, "d").ack("p", 0, 9, "d").readAll().poll("r", 0, 9, "d").end(0, 10),
		"read again after assignment": three().poll("r", 0, 0, "a").poll("r", 0, 1, "b").
			assign("r", 0).poll("r", 0, 0, "a"),
		"two partitions": three().readAll().send("p", 1, "x").ack("p", 1, 0, "x").poll("r", 1, 0, "x").end(1, 1),
		"group takes over at its commit": three().groupPoll("m", 0, 0, "a").groupPoll("m", 0, 1, "b").commit(0, 1).
			assign("n", 0).groupPoll("n", 0, 1, "b").groupPoll("n", 0, 2, "c").commit(0, 3).committed(0, 3),
		"unseen confirmation": three().commit(0, 1).committed(0, 2),
	} {
		if found := Check(l.events); len(found) != 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func TestBrokenHistories(t *testing.T) {
	tests := []struct {
		name  string
		log   *log
		wants []string
	}{
		{"acknowledged beyond the end", three().poll("r", 0, 0, "a").poll("r", 0, 1, "b").end(0, 2), []string{LostWrite}},
		{"acknowledged and missing", three().poll("r", 0, 0, "a").assign("r", 0).poll("r", 0, 2, "c").end(0, 3), []string{LostWrite}},
		{"never sent", three().readAll().poll("r", 0, 3, "z").end(0, 4), []string{Phantom}},
		{"stored twice", three().readAll().poll("r", 0, 3, "a").end(0, 4), []string{Duplicate}},
		{"stored in two partitions", three().readAll().poll("r", 1, 0, "a").end(1, 1), []string{Duplicate}},
		{"retry of an unknown send stored twice", three().send("p", 0, "d").readAll().
			poll("r", 0, 3, "d").poll("r", 0, 4, "d").end(0, 5), []string{Duplicate}},
		{"read differs from acknowledged", three().send("q", 0, "d").poll("r", 0, 0, "a").poll("r", 0, 1, "d").
			poll("r", 0, 2, "c").end(0, 3), []string{InconsistentOffset}},
		{"two acknowledgements of one offset", three().send("q", 0, "d").ack("q", 0, 2, "d"), []string{InconsistentOffset}},
		{"two readers disagree", three().send("p", 0, "d").send("p", 0, "e").poll("r", 0, 3, "d").poll("s", 0, 3, "e"),
			[]string{InconsistentOffset}},
		{"jumped over b", three().poll("r", 0, 0, "a").poll("r", 0, 2, "c"), []string{PollSkip}},
		{"went back to b", three().poll("r", 0, 1, "b").poll("r", 0, 2, "c").poll("r", 0, 1, "b"), []string{NonMonotonicPoll}},
		{"the same again", three().poll("r", 0, 1, "b").poll("r", 0, 1, "b"), []string{NonMonotonicPoll}},
		{"later send, earlier offset", (&log{}).send("p", 0, "a").send("p", 0, "b").
			ack("p", 0, 1, "a").ack("p", 0, 0, "b"), []string{NonMonotonicSend}},
		{"commit forgotten", three().commit(0, 2).committed(0, -1), []string{CommitRegression}},
		{"commit went back", three().commit(0, 1).commit(0, 2).committed(0, 1), []string{CommitRegression}},
		{"delivered again after commit", three().groupPoll("m", 0, 0, "a").groupPoll("m", 0, 1, "b").
			groupPoll("m", 0, 2, "c").commit(0, 3).groupPoll("n", 0, 2, "c"), []string{ReRead}},
		{"skipped by the group", three().groupPoll("m", 0, 0, "a").commit(0, 1).groupPoll("n", 0, 2, "c"),
			[]string{Undelivered}},
	}
	seen := map[string]bool{}
	for _, test := range tests {
		var names []string
		for _, a := range Check(test.log.events) {
			if len(names) == 0 || names[len(names)-1] != a.Name {
				names = append(names, a.Name)
			}
			seen[a.Name] = true
		}
		if !reflect.DeepEqual(names, test.wants) {
			t.Errorf("%s: found %v, want %v", test.name, names, test.wants)
		}
	}
	for _, name := range Names() {
		if !seen[name] {
			t.Errorf("no broken history shows %q", name)
		}
	}
}

func TestCommittedIsComparedWithEarlierCommitsOnly(t *testing.T) {
	events := []Event{
		{Kind: Commit, Group: "g", Offset: 5, Time: 20},
		{Kind: Committed, Group: "g", Offset: 0, Start: 10, Time: 30},
	}
	if found := Check(events); len(found) != 0 {
		t.Errorf("asked at 10, committed at 20: %v", found)
	}
	events[1].Start = 25
	if found := Check(events); len(found) != 1 {
		t.Errorf("asked at 25, committed at 20: %v", found)
	}
}

func TestReportIsStable(t *testing.T) {
	l := three()
	for i := range 20 {
		l.poll("r", 0, int64(100+i), fmt.Sprint("ghost", i))
	}
	if a, b := Check(l.events), Check(l.events); !reflect.DeepEqual(a, b) {
		t.Error("two checks of one history differ")
	}
}
