package admin

import (
	"fmt"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
)

func (s *Server) listQueues(*call) (any, error) {
	list := QueueList{Queues: []Queue{}}
	for _, meta := range s.broker.Queues() {
		if q, err := s.broker.Queue(meta.Name); err == nil { // else deleted meanwhile
			list.Queues = append(list.Queues, s.show(q))
		}
	}
	return list, nil
}

func (s *Server) describeQueue(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	return s.show(q), nil
}

func (s *Server) createQueue(c *call) (any, error) {
	var in CreateQueue
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.DeadLetter != "" {
		if _, err := s.broker.Queue(in.DeadLetter); err != nil {
			return nil, fmt.Errorf("dead-letter queue: %w", err)
		}
	}
	if _, err := s.broker.CreateQueue(in.spec()); err != nil {
		return nil, err
	}
	q, err := s.broker.Queue(in.Name)
	if err != nil {
		return nil, err
	}
	return s.show(q), nil
}

func (in *CreateQueue) spec() catalog.QueueSpec {
	set := catalog.DefaultQueueSettings()
	for to, ms := range map[*time.Duration]*int64{
		&set.Lease: in.LeaseMS, &set.Delay: in.DelayMS, &set.Wait: in.WaitMS, &set.Retention: in.RetentionMS,
	} {
		if ms != nil {
			*to = milliseconds(*ms)
		}
	}
	for to, n := range map[*int32]*int32{&set.Lanes: in.Lanes, &set.MessageBytesMax: in.MessageBytesMax} {
		if n != nil {
			*to = *n
		}
	}
	set.Ordered, set.AttemptsMax, set.Filter = in.Ordered, in.AttemptsMax, in.Filter
	set.DeadLetter, set.DeadLetterExpired = in.DeadLetter, in.DeadLetterExpired
	set.Dedup, set.DedupByContent = catalog.DedupScope(in.Dedup), in.DedupByContent
	return catalog.QueueSpec{Name: in.Name, Topic: in.Topic, Settings: set, Tags: in.Tags}
}

// milliseconds is exact, or as much as a duration can be.
func milliseconds(ms int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}

func (s *Server) deleteQueue(c *call) (any, error) {
	return struct{}{}, s.broker.DeleteQueue(c.r.PathValue("name"))
}

func (s *Server) purge(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	return struct{}{}, q.Purge()
}

func (s *Server) show(q *broker.Queue) Queue {
	meta, st := q.Meta(), q.Stats()
	set := &meta.Settings
	sources := s.broker.DeadLetterSources(meta.Name)
	if sources == nil {
		sources = []string{}
	}
	tags := meta.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return Queue{
		Name: meta.Name, Topic: meta.Topic, Owned: meta.Owned, Ordered: set.Ordered, Lanes: set.Lanes,
		LeaseMS: set.Lease.Milliseconds(), DelayMS: set.Delay.Milliseconds(), WaitMS: set.Wait.Milliseconds(),
		RetentionMS: set.Retention.Milliseconds(), MessageBytesMax: set.MessageBytesMax, AttemptsMax: set.AttemptsMax,
		DeadLetter: set.DeadLetter, DeadLetterExpired: set.DeadLetterExpired, Dedup: string(set.Dedup),
		DedupByContent: set.DedupByContent, Filter: set.Filter, Tags: tags, CreatedMS: meta.CreatedAt, Sources: sources,
		Stats: Stats{
			Ready: st.Ready, InFlight: st.InFlight, Delayed: st.Delayed, OldestMS: st.OldestAge.Milliseconds(),
			Sent: st.Sent, Received: st.Received, Redelivered: st.Redelivered, Acked: st.Acked,
			DeadLettered: st.DeadLettered, Expired: st.Expired,
		},
	}
}

func (s *Server) redrives(c *call) (any, error) {
	if _, err := c.queue(); err != nil {
		return nil, err
	}
	list := Redrives{Redrives: []Redrive{}}
	for _, t := range s.broker.Redrives(c.r.PathValue("name")) {
		list.Redrives = append(list.Redrives, showRedrive(t))
	}
	return list, nil
}

func (s *Server) startRedrive(c *call) (any, error) {
	var in RedriveRequest
	if err := c.read(&in); err != nil {
		return nil, err
	}
	t, err := s.broker.StartRedrive(broker.RedriveSpec{From: c.r.PathValue("name"), To: in.To, PerSecond: max(0, in.PerSecond)})
	return showRedrive(t), err
}

func (s *Server) cancelRedrive(c *call) (any, error) {
	t, err := s.broker.CancelRedrive(c.r.PathValue("id"))
	return showRedrive(t), err
}

func showRedrive(t broker.RedriveTask) Redrive {
	return Redrive{
		ID: t.ID, From: t.From, To: t.To, PerSecond: t.PerSecond, State: string(t.State),
		Moved: t.Moved, ToMove: t.ToMove, StartedMS: t.StartedAt, Failure: t.Failure,
	}
}
