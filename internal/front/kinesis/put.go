package kinesis

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/record"
)

// PutRecord: answered when the record is durable.
//
// PutRecords: the same for up to 500 records, each with its own outcome.

// HeaderHashKey is the header of a record that was put with an ExplicitHashKey. On
// disk: never rename.
const HeaderHashKey = "naru.hash-key"

// requestRecordsMax bounds the records of a PutRecords: data and partition keys.
const requestRecordsMax = 10 << 20

func init() {
	register("PutRecord", putRecord)
	register("PutRecords", putRecords)
}

type putRecordIn struct {
	SequenceNumberForOrdering *string `is:"Sequence"`
	putEntry
	streamRef
	DryRun *bool
}

// putEntry is one record.
type putEntry struct {
	PartitionKey    *string `is:"PartitionKey,required"`
	ExplicitHashKey *string `is:"HashKey"`
	Data            []byte  `is:"Data,required"`
}

type putRecordOut struct {
	ShardId        string
	SequenceNumber string
	EncryptionType string `json:",omitempty"`
}

func putRecord(ctx context.Context, s *Server, _ *aws.Call, in *putRecordIn) (*putRecordOut, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	if n := in.SequenceNumberForOrdering; n != nil {
		if q, ok := parseSequence(*n); !ok || int(q.shard) >= len(t.Partitions) || q.born > s.now().Unix()+1 {
			return nil, invalidArgument("ExclusiveMinimumSequenceNumber %s used in PutRecord on stream %s under account %s is invalid.", clip(*n), t.Name, Account)
		}
	}
	p, err := s.newPutting(t, []putEntry{in.putEntry})
	if err != nil {
		return nil, err
	}
	if in.DryRun != nil && *in.DryRun {
		return nil, dryRun()
	}
	sent, err := p.put(ctx)
	if err != nil {
		return nil, err
	}
	if err := sent[0].Err; err != nil {
		return nil, err
	}
	out := p.placed(&sent[0])
	return &putRecordOut{out.ShardId, out.SequenceNumber, p.traits.encryption()}, nil
}

type putRecordsIn struct {
	Records []putEntry `is:"Records,required"`
	streamRef
	DryRun *bool
}

type putRecordsOut struct {
	FailedRecordCount int64
	Records           []putResult
	EncryptionType    string `json:",omitempty"`
}

// putResult is where a record went, or why it did not.
type putResult struct {
	SequenceNumber string `json:",omitempty"`
	ShardId        string `json:",omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

func putRecords(ctx context.Context, s *Server, _ *aws.Call, in *putRecordsIn) (*putRecordsOut, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	p, err := s.newPutting(t, in.Records)
	if err != nil {
		return nil, err
	}
	if in.DryRun != nil && *in.DryRun {
		return nil, dryRun()
	}
	sent, err := p.put(ctx)
	if err != nil {
		return nil, err
	}
	out := &putRecordsOut{Records: make([]putResult, len(sent)), EncryptionType: p.traits.encryption()}
	for i := range sent {
		if err := sent[i].Err; err != nil {
			out.FailedRecordCount++
			out.Records[i] = failedRecord(err)
			continue
		}
		out.Records[i] = p.placed(&sent[i])
	}
	return out, nil
}

// failedRecord is the outcome of a record that was refused. A client tries again
// what failed with one of these two codes.
func failedRecord(err error) putResult {
	out := putResult{ErrorCode: "InternalFailure", ErrorMessage: err.Error()}
	var e *aws.Error
	if errors.As(err, &e) {
		out.ErrorMessage = e.Message
		if e.Shape == throughputExceeded {
			out.ErrorCode = e.Shape
		}
	}
	return out
}

func dryRun() error {
	return problem("DryRunOperationException", "The request would have succeeded, but the DryRun parameter is set.")
}

// putting is a call that puts records.
type putting struct {
	s      *Server
	topic  *catalog.Topic
	traits traits
	list   []broker.NewRecord
}

// newPutting makes the records, and refuses them all if one is not possible.
func (s *Server) newPutting(t *catalog.Topic, entries []putEntry) (*putting, error) {
	p := &putting{s: s, topic: t, list: make([]broker.NewRecord, len(entries))}
	var err error
	if p.traits, err = traitsOf(t); err != nil {
		return nil, err
	}
	total := 0
	for i := range entries {
		e := &entries[i]
		size := len(e.Data) + len(*e.PartitionKey)
		if size > p.traits.recordBytesMax() {
			return nil, invalidArgument("Record of %d bytes is larger than the %d KiB that stream %s under account %s takes (MaxRecordSizeInKiB).",
				size, p.traits.recordBytesMax()>>10, t.Name, Account)
		}
		if total += size; total > requestRecordsMax {
			return nil, invalidArgument("Records size exceeds 10 MB limit")
		}
		if err := e.record(&p.list[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// record is the record that an entry asks for.
func (e *putEntry) record(r *broker.NewRecord) error {
	if !utf8.ValidString(*e.PartitionKey) { // in CBOR it may be anything
		return &aws.Error{Shape: "SerializationException", Message: "partitionKey is not UTF-8", Common: true}
	}
	*r = broker.NewRecord{Partition: -1, Hashed: true, Timestamp: -1, Key: []byte(*e.PartitionKey), Value: e.Data}
	if e.ExplicitHashKey == nil {
		r.Hash = catalog.HashKeyOfKey(r.Key)
		return nil
	}
	var err error
	if r.Hash, err = catalog.ParseHashKey(*e.ExplicitHashKey); err != nil {
		return invalidArgument("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", *e.ExplicitHashKey)
	}
	r.Headers = []record.HeaderField{{Key: HeaderHashKey, Value: []byte(*e.ExplicitHashKey)}}
	return nil
}

// put appends the records that the limits let pass.
func (p *putting) put(ctx context.Context) ([]broker.Sent, error) {
	if p.s.limits == nil {
		return p.append(ctx, p.list)
	}
	out := make([]broker.Sent, len(p.list))
	var passed []broker.NewRecord
	var at []int
	open, now := p.topic.Open(), p.s.now()
	for i := range p.list {
		r := &p.list[i]
		if out[i].Err = p.s.limits.put(p.topic, shardOf(p.topic, open, r.Hash), len(r.Key)+len(r.Value), now); out[i].Err == nil {
			passed, at = append(passed, *r), append(at, i)
		}
	}
	sent, err := p.append(ctx, passed)
	if err != nil {
		return nil, err
	}
	for i := range sent {
		out[at[i]] = sent[i]
	}
	return out, nil
}

func shardOf(t *catalog.Topic, open []int32, k catalog.HashKey) int32 {
	for _, i := range open {
		if t.Partitions[i].Keys.Has(k) {
			return i
		}
	}
	return 0
}

func (p *putting) append(ctx context.Context, list []broker.NewRecord) ([]broker.Sent, error) {
	sent, err := p.s.b.ProduceWait(ctx, p.topic.Name, list)
	switch {
	case errors.Is(err, catalog.ErrUnknownTopic), errors.Is(err, commitlog.ErrDeleted):
		return nil, noStream(p.topic.Name)
	case err != nil:
		return nil, err
	}
	// Where they went may not have been there when the call came.
	if t, err := p.s.b.Topic(p.topic.Name); err == nil && t.ID == p.topic.ID {
		p.topic = t
	}
	return sent, nil
}

func (p *putting) placed(sent *broker.Sent) putResult {
	if int(sent.Partition) >= len(p.topic.Partitions) { // the topic was deleted meanwhile
		return putResult{ErrorCode: "InternalFailure", ErrorMessage: "Internal Service Failure"}
	}
	meta := &p.topic.Partitions[sent.Partition]
	return putResult{ShardId: shardID(sent.Partition), SequenceNumber: recordSequence(meta, sent.Partition, sent.Offset).String()}
}
