package main

import (
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// What commands for queues write with --json: the names that the other commands
// use, times in milliseconds, and every field always there.

type queueJSON struct {
	Name              string            `json:"name"`
	Topic             string            `json:"topic"`
	Owned             bool              `json:"owned"` // the topic was made for the queue and goes with it
	Ordered           bool              `json:"ordered"`
	Lanes             int32             `json:"lanes"`
	LeaseMS           int64             `json:"lease_ms"`
	DelayMS           int64             `json:"delay_ms"`
	WaitMS            int64             `json:"wait_ms"`
	RetentionMS       int64             `json:"retention_ms"`
	MessageBytesMax   int32             `json:"message_bytes_max"`
	AttemptsMax       int32             `json:"attempts_max"` // 0: no limit
	DeadLetter        string            `json:"dead_letter"`
	DeadLetterExpired bool              `json:"dead_letter_expired"`
	Dedup             string            `json:"dedup"` // "", queue or group
	DedupByContent    bool              `json:"dedup_by_content"`
	Filter            string            `json:"filter"`
	Tags              map[string]string `json:"tags"`
	CreatedMS         int64             `json:"created_ms"` // since 1970
	Sources           []string          `json:"dead_letter_sources"`
	Stats             queueStatsJSON    `json:"stats"`
}

type queueStatsJSON struct {
	Ready        int64 `json:"ready"`
	InFlight     int64 `json:"in_flight"`
	Delayed      int64 `json:"delayed"`
	OldestMS     int64 `json:"oldest_ms"`
	Sent         int64 `json:"sent"`
	Received     int64 `json:"received"`
	Redelivered  int64 `json:"redelivered"`
	Acked        int64 `json:"acked"`
	DeadLettered int64 `json:"dead_lettered"`
	Expired      int64 `json:"expired"`
}

type redriveJSON struct {
	ID        string `json:"id"`
	From      string `json:"from"`
	To        string `json:"to"` // "": where each came from
	PerSecond int32  `json:"per_second"`
	State     string `json:"state"`
	Moved     int64  `json:"moved"`
	ToMove    int64  `json:"to_move"`
	StartedMS int64  `json:"started_ms"` // since 1970
	Failure   string `json:"failure,omitempty"`
}

func ms(d *durationpb.Duration) int64 { return d.AsDuration().Milliseconds() }

func queueOf(q *naruv1.Queue) queueJSON {
	set, st := q.GetSettings(), q.GetStats()
	out := queueJSON{
		Name: q.GetQueue(), Topic: q.GetTopic(), Owned: q.GetOwned(), Ordered: set.GetOrdered(), Lanes: set.GetLanes(),
		LeaseMS: ms(set.GetLease()), DelayMS: ms(set.GetDelay()), WaitMS: ms(set.GetWait()), RetentionMS: ms(set.GetRetention()),
		MessageBytesMax: set.GetMessageBytesMax(), AttemptsMax: set.GetAttemptsMax(), DeadLetter: set.GetDeadLetter(),
		DeadLetterExpired: set.GetDeadLetterExpired(), Dedup: set.GetDedup(), DedupByContent: set.GetDedupByContent(), Filter: set.GetFilter(),
		Tags: q.GetTags(), CreatedMS: q.GetCreatedTime().AsTime().UnixMilli(), Sources: q.GetDeadLetterSources(),
		Stats: queueStatsJSON{
			Ready: st.GetReady(), InFlight: st.GetInFlight(), Delayed: st.GetDelayed(), OldestMS: ms(st.GetOldestAge()), Sent: st.GetSent(),
			Received: st.GetReceived(), Redelivered: st.GetRedelivered(), Acked: st.GetAcked(), DeadLettered: st.GetDeadLettered(), Expired: st.GetExpired(),
		},
	}
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	if out.Sources == nil {
		out.Sources = []string{}
	}
	return out
}

func redriveOf(r *naruv1.Redrive) redriveJSON {
	return redriveJSON{
		ID: r.GetId(), From: r.GetQueue(), To: r.GetTo(), PerSecond: r.GetPerSecond(), State: r.GetState(), Moved: r.GetMoved(),
		ToMove: r.GetToMove(), StartedMS: r.GetStartedTime().AsTime().UnixMilli(), Failure: r.GetFailure(),
	}
}
