package broker

import (
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
)

func TestRetentionKnowsTheQueuesOfOtherBrokers(t *testing.T) {
	w, a, b := newPair(t)
	q := w.queue("q", nil)
	sendTo(t, q, "m")
	list, err := q.Receive(t.Context(), ReceiveRequest{Max: 1, Wait: time.Minute})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	ackAll(t, q, list)
	a.queues.admin.Lock() // what others do does not get through
	if _, err := b.CreateQueue(catalog.QueueSpec{Name: "view", Topic: "q", Settings: catalog.DefaultQueueSettings()}); err != nil {
		t.Fatal(err)
	}
	retained := make(chan error, 1)
	go func() { retained <- a.Retain(time.Now()) }()
	select {
	case err := <-retained:
		retained <- err
		t.Error("did not look what is new")
	case <-time.After(300 * time.Millisecond):
	}
	a.queues.admin.Unlock()
	if err := <-retained; err != nil {
		t.Fatal(err)
	}
	p, err := a.Partition("q", 0)
	if err != nil {
		t.Fatal(err)
	}
	if at := p.LogStart(); at != 0 {
		t.Errorf("what the view has to read is gone up to %d", at)
	}
}

func TestRedriveWaitsForAQueueThatNobodyHas(t *testing.T) {
	w, a, _ := newPair(t)
	from := w.queue("from", nil)
	name := "to"
	for a.homeOf(name) == a.homeOf("from") {
		name += "o"
	}
	to := w.queue(name, nil)
	sendTo(t, from, "m")
	w.take(to.home())
	if _, err := a.StartRedrive(RedriveSpec{From: "from", To: name}); err != nil {
		t.Fatal(err)
	}
	<-time.After(ownerWaitMax + ownerWaitMax/4) // longer than a call waits
	w.give(to.home(), a)
	list, err := to.Receive(t.Context(), ReceiveRequest{Max: 1, Wait: 10 * time.Second})
	if err != nil || len(list) != 1 {
		t.Errorf("%d were moved, %v; %+v", len(list), err, a.Redrives("from"))
	}
}

func TestAQueueThatCameSinceTopicsWereTakenUpHasItsPartitions(t *testing.T) {
	_, a, b := newPair(t)
	a.following.mu.Lock() // it has taken up topics
	if _, err := b.CreateQueue(catalog.QueueSpec{Name: "q", Settings: catalog.DefaultQueueSettings()}); err != nil {
		t.Fatal(err)
	}
	if err := a.catalog.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.takeUpQueues()
	a.following.mu.Unlock()
	if err := a.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue("q")
	if err != nil {
		t.Fatal(err)
	}
	sendTo(t, q, "m")
}

func TestATopicThatGrewElsewhereAndIsAlteredHereGrowsForItsQueues(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	q, err := a.CreateQueue(catalog.QueueSpec{Name: "q", Topic: "t", Settings: catalog.DefaultQueueSettings()})
	if err != nil {
		t.Fatal(err)
	}
	a.following.mu.Lock() // it takes up nothing
	defer a.following.mu.Unlock()
	if err := b.AddPartitions("t", 3, false); err != nil {
		t.Fatal(err)
	}
	if err := a.AnnotateTopic("t", func(_, labels map[string]string) error { labels["x"] = "y"; return nil }); err != nil {
		t.Fatal(err)
	}
	if n := a.queues.find(q.Name).local().partsN.Load(); n != 3 {
		t.Errorf("the queue reads %d partitions", n)
	}
}
