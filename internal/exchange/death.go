package exchange

import "slices"

// Reason is why a message was dead-lettered, as its headers say it.
type Reason string

// Reasons.
const (
	Expired       Reason = "expired"
	Rejected      Reason = "rejected" // the only one that a consumer chose
	MaxLength     Reason = "maxlen"
	DeliveryLimit Reason = "delivery_limit"
)

// Death is all deaths of a message in one queue for one reason.
type Death struct {
	Queue  string
	Reason Reason
	Count  int64
	// As it was at the first of these deaths:
	Exchange           string   // that it was published to
	RoutingKeys        []string // with CC, without BCC
	TimeMillis         int64
	OriginalExpiration string // what the message asked for; empty if it did not
}

// Place is a death as the headers of a message's first and last one say it.
type Place struct {
	Reason   Reason
	Queue    string
	Exchange string
}

// Deaths is a message's history, as its header x-death holds it.
type Deaths struct {
	List        []Death // the latest first; one for each queue and reason
	First, Last Place
}

// Record returns the history after another death; Count is for Record to set. What was
// known of that queue and reason keeps its exchange, keys and time, counts up, and
// comes first.
func (d Deaths) Record(death Death) Deaths {
	place := Place{Reason: death.Reason, Queue: death.Queue, Exchange: death.Exchange}
	next := Deaths{First: d.First, Last: place}
	if len(d.List) == 0 {
		next.First = place
	}
	i := slices.IndexFunc(d.List, func(x Death) bool { return x.Queue == death.Queue && x.Reason == death.Reason })
	death.Count = 1
	rest := d.List
	if i >= 0 {
		death = d.List[i]
		death.Count++
		rest = slices.Delete(slices.Clone(d.List), i, i+1)
	}
	next.List = append([]Death{death}, rest[:min(len(rest), DeathsMax-1)]...)
	return next
}

// Cycle tells whether a message that died must not go to a queue: it has died there, and
// since then no consumer rejected it, so that it would go round for ever. The history
// has this death already. What was rejected just now may go anywhere.
func (d Deaths) Cycle(queue string) bool {
	for _, death := range d.List {
		if death.Reason == Rejected {
			return false
		}
		if death.Queue == queue {
			return true
		}
	}
	return false
}

// DeathHeader is a header that tells of a message's first or last death.
type DeathHeader struct{ Name, Value string }

// Headers are those of the first and the last death; none without a death.
func (d Deaths) Headers() []DeathHeader {
	if len(d.List) == 0 {
		return nil
	}
	return []DeathHeader{
		{"x-first-death-reason", string(d.First.Reason)},
		{"x-first-death-queue", d.First.Queue},
		{"x-first-death-exchange", d.First.Exchange},
		{"x-last-death-reason", string(d.Last.Reason)},
		{"x-last-death-queue", d.Last.Queue},
		{"x-last-death-exchange", d.Last.Exchange},
	}
}
