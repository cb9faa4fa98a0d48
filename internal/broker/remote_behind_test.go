package broker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
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
	reads := func() int64 { return w.quorum.Usage()[coord.CallGet] }
	before, retained := reads(), make(chan error, 1)
	go func() { retained <- a.Retain(time.Now()) }()
	until(t, func() bool { return len(retained) > 0 || reads() > before })
	if len(retained) > 0 {
		t.Error("did not look what is new")
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

// A redrive is found and cancelled, whatever other queues are nobody's at the moment.
func TestCancelRedriveBesideQueuesThatNobodyHas(t *testing.T) {
	w, a, _ := newPairWith(t, waits{owner: time.Millisecond, redrive: time.Millisecond})
	from := w.queue("from", nil)
	to := w.queue(w.outside("to", from.home()), nil)
	for i := range 5 { // they are looked at in any order
		w.queue(w.outside(fmt.Sprintf("other-%d-", i), from.home()), nil)
	}
	sendTo(t, from, "m")
	for slot := range journal.SlotID(pairSlots) {
		if slot != from.home() {
			w.take(slot)
		}
	}
	task, err := a.StartRedrive(RedriveSpec{From: "from", To: to.Meta().Name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CancelRedrive(task.ID); err != nil {
		t.Error(err)
	}
	if _, err := a.CancelRedrive("none"); !errors.Is(err, ErrNotOwner) {
		t.Errorf("what nobody can tell: %v", err)
	}
}

func TestRedriveWaitsForAQueueThatNobodyHas(t *testing.T) {
	w, a, _ := newPairWith(t, waits{owner: time.Millisecond, redrive: time.Millisecond})
	from := w.queue("from", nil)
	name := w.outside("to", from.home())
	to := w.queue(name, nil)
	sendTo(t, from, "m")
	w.take(to.home())
	handle, err := a.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	asked := &asking{queueBackend: handle.backend()}
	handle.move(asked)
	if _, err := a.StartRedrive(RedriveSpec{From: "from", To: name}); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return asked.forwards.Load() > 1 }) // none waited so long
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

// While etcd does not answer nobody says that something does not exist: another broker may have made it.
func TestWhatCannotBeLookedUpIsNotSaidToBeMissing(t *testing.T) {
	w, a, b := newPairWith(t, waits{lookUp: 50 * time.Millisecond})
	w.queue("known", nil)
	w.quorum.SetRates(coord.Rates{coord.FateBroken: 1})
	defer w.quorum.SetRates(coord.Rates{})
	both := make(chan error, 2) // the second looks while the first does
	for range 2 {
		go func() { _, err := b.Queue("q"); both <- err }()
	}
	_, topic := b.Topic("t")
	_, partition := b.Partition("t", 0)
	_, x := a.Exchange(DefaultNamespace, "t")
	for _, err := range []error{<-both, <-both, topic, partition, x, publish(t, a.Broker, "t", "key", "m").Err} {
		if fault.CodeOf(err) != fault.Unavailable || errors.Is(err, catalog.ErrUnknownQueue) || errors.Is(err, catalog.ErrUnknownTopic) {
			t.Errorf("etcd is away: %v", err)
		}
	}
	if p := publishByName(t, a, "q"); fault.CodeOf(p.Err) != fault.Unavailable || p.Queues != 0 {
		t.Errorf("etcd is away: published to %d, %v", p.Queues, p.Err)
	}
	asked, published := a.following.begun.Load(), make(chan Published, 1)
	go func() { published <- publishByName(t, a, "known", "q") }()
	until(t, func() bool { return a.following.begun.Load() > asked })
	if err := a.following.turn.lock(t.Context()); err != nil { // it has its answer
		t.Fatal(err)
	}
	a.following.turn.unlock()
	w.quorum.SetRates(coord.Rates{})
	if p := <-published; fault.CodeOf(p.Err) != fault.Unavailable || p.Queues != 1 {
		t.Errorf("etcd was away: published to %d, %v", p.Queues, p.Err)
	}
	if _, err := b.Queue("q"); !errors.Is(err, catalog.ErrUnknownQueue) {
		t.Errorf("etcd is back: %v", err)
	}
}

// A topic that was deleted and made anew is not there again before what groups had committed for it is forgotten: what they commit
// then would be forgotten with it.
func TestOffsetsOfATopicThatWasMadeAnewElsewhereStay(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	old, err := a.Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	a.following.mu.Lock() // it does not take up what others do
	if err := b.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 1}, false); err != nil {
		t.Fatal(err)
	}
	if err := a.catalog.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	groups, taken := a.slot(0).groups, make(chan struct{})
	groups.mu.Lock()
	go func() {
		defer close(taken)
		a.takeUpTopics()
	}()
	until(t, func() bool { return a.topics.byIDOf(old.ID) == nil })
	if _, err := a.topics.partition("t", 0); err == nil {
		t.Error("offsets can be committed, and will be forgotten")
	}
	groups.mu.Unlock()
	<-taken
	a.following.mu.Unlock()
	if _, err := a.Partition("t", 0); err != nil {
		t.Error(err)
	}
}

// Of all who are refused it is asked, so that nobody finds out by the time that takes who exists.
func TestAUserThatAnotherBrokerJustMadeMayLogIn(t *testing.T) {
	w, a, b := newPair(t)
	a.cfg.PasswordRounds, b.cfg.PasswordRounds = 1, 1
	password := "secret"
	if _, err := b.PutUser("first", UserSpec{Password: &password}); err != nil {
		t.Fatal(err)
	}
	w.known(func(b *Broker) bool { return len(b.Users()) == 1 })
	for i := range 10 {
		w.quorum.CutWatches(coord.ErrUnavailable) // it does not hear of it
		name := fmt.Sprint("user-", i)
		if _, err := b.PutUser(name, UserSpec{Password: &password}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authenticate(t.Context(), name, password); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.quorum.CutWatches(coord.ErrUnavailable)
		other := "other"
		if _, err := b.PutUser("first", UserSpec{Password: &other}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authenticate(t.Context(), "first", other); err != nil {
			t.Errorf("a new password: %v", err)
		}
		if _, err := b.PutUser("first", UserSpec{Password: &password}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authenticate(t.Context(), name+"x", password); !errors.Is(err, ErrLoginRefused) {
			t.Errorf("nobody: %v", err)
		}
	}
}
