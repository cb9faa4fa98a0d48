package admin

// Queue is a queue as the API shows it. Times are milliseconds.
type Queue struct {
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
	Stats             Stats             `json:"stats"`
}

// Stats says where a queue's messages are, and what happened since the start.
type Stats struct {
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

// QueueList is the answer to a list.
type QueueList struct {
	Queues []Queue `json:"queues"`
}

// CreateQueue asks for a queue. A nil field takes the default.
type CreateQueue struct {
	Name              string            `json:"name"`
	Topic             string            `json:"topic,omitempty"` // "": one of the queue's name, made unless it exists
	Ordered           bool              `json:"ordered,omitempty"`
	Lanes             *int32            `json:"lanes,omitempty"`
	LeaseMS           *int64            `json:"lease_ms,omitempty"`
	DelayMS           *int64            `json:"delay_ms,omitempty"`
	WaitMS            *int64            `json:"wait_ms,omitempty"`
	RetentionMS       *int64            `json:"retention_ms,omitempty"`
	MessageBytesMax   *int32            `json:"message_bytes_max,omitempty"`
	AttemptsMax       int32             `json:"attempts_max,omitempty"`
	DeadLetter        string            `json:"dead_letter,omitempty"`
	DeadLetterExpired bool              `json:"dead_letter_expired,omitempty"`
	Dedup             string            `json:"dedup,omitempty"`
	DedupByContent    bool              `json:"dedup_by_content,omitempty"`
	Filter            string            `json:"filter,omitempty"`
	Tags              map[string]string `json:"tags,omitempty"`
}

// Header is a header of a message. A nil value is null.
type Header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// Message is one to send. Bytes are base64 in JSON; nil is null.
type Message struct {
	Group    []byte   `json:"group,omitempty"` // the record's key
	Value    []byte   `json:"value"`
	Headers  []Header `json:"headers,omitempty"`
	Lane     int32    `json:"lane,omitempty"`
	DelayMS  *int64   `json:"delay_ms,omitempty"` // nil: the queue's
	ExpiryMS int64    `json:"expiry_ms,omitempty"`
	DedupID  string   `json:"dedup_id,omitempty"`
}

// SendRequest sends messages, in order.
type SendRequest struct {
	Messages []Message `json:"messages"`
}

// Sent is where a message went, or why it did not.
type Sent struct {
	ID        string `json:"id,omitempty"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Duplicate bool   `json:"duplicate,omitempty"`
	Error     *Error `json:"error,omitempty"`
}

// SendAnswer has an outcome for each message.
type SendAnswer struct {
	Results []Sent `json:"results"`
}

// ReceiveRequest leases messages.
type ReceiveRequest struct {
	Max     int    `json:"max"`
	WaitMS  int64  `json:"wait_ms"`
	LeaseMS *int64 `json:"lease_ms,omitempty"` // nil: the queue's
}

// Delivery is a message that was leased, or that was looked at.
type Delivery struct {
	Receipt         string   `json:"receipt,omitempty"` // for ack and nack
	ID              string   `json:"id"`
	Partition       int32    `json:"partition"`
	Offset          int64    `json:"offset"`
	Attempts        int32    `json:"attempts"`
	SentMS          int64    `json:"sent_ms"`           // since 1970
	FirstReceivedMS int64    `json:"first_received_ms"` // since 1970; 0 = never
	Group           []byte   `json:"group"`
	Value           []byte   `json:"value"`
	Headers         []Header `json:"headers"`
}

// Deliveries are the answer to receiving and to peeking.
type Deliveries struct {
	Messages []Delivery `json:"messages"`
	LeaseMS  int64      `json:"lease_ms,omitempty"`
}

// AckRequest ends deliveries for good.
type AckRequest struct {
	Receipts []string `json:"receipts"`
}

// NackRequest gives deliveries back.
type NackRequest struct {
	Receipts []string `json:"receipts"`
	DelayMS  int64    `json:"delay_ms,omitempty"`
}

// Outcomes are the answer to both, one for each receipt; null is success.
type Outcomes struct {
	Errors []*Error `json:"errors"`
}

// RedriveRequest moves messages back to where they came from.
type RedriveRequest struct {
	To        string `json:"to,omitempty"` // a queue for all of them
	PerSecond int32  `json:"per_second,omitempty"`
}

// Redrive is a redrive that runs, or ran.
type Redrive struct {
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

// Redrives is a list of them.
type Redrives struct {
	Redrives []Redrive `json:"redrives"`
}

// Error is why something was refused.
type Error struct {
	Code    string `json:"code"` // of package fault
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

type errorAnswer struct {
	Error *Error `json:"error"`
}
