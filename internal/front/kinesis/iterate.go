package kinesis

import (
	"context"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/record"
)

// GetShardIterator: all five types.
//
// GetRecords: up to 10,000 records and 10 MiB.

const (
	getRecordsMax = 10_000
	getBytesMax   = 10 << 20
	// readsMax is how many answers of GetRecords are put together at once: each may
	// take several times getBytesMax. More wait.
	readsMax = 16
)

func init() {
	register("GetShardIterator", getShardIterator)
	register("GetRecords", getRecords)
	actions["GetRecords"] = inTurn(actions["GetRecords"])
}

// inTurn lets readsMax calls of an action in at once.
func inTurn(f action) action {
	return func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error) {
		select {
		case s.reads <- struct{}{}:
			defer func() { <-s.reads }()
			return f(ctx, s, c)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type getShardIteratorIn struct {
	ShardId                *string `is:"ShardId,required"`
	ShardIteratorType      *string `is:"ShardIteratorType,required"`
	StartingSequenceNumber *string `is:"Sequence"`
	streamRef
	Timestamp *aws.Time
	DryRun    *bool
}

type getShardIteratorOut struct{ ShardIterator string }

func getShardIterator(_ context.Context, s *Server, _ *aws.Call, in *getShardIteratorIn) (*getShardIteratorOut, error) {
	name, err := in.name()
	if err != nil {
		return nil, err
	}
	n, ok := parseShardID(*in.ShardId)
	if !ok {
		return nil, notFound("Could not find shard %s in stream %s under account %s.", clip(*in.ShardId), name, Account)
	}
	t, err := s.topic(name)
	if err != nil || int(n) >= len(t.Partitions) {
		return nil, noShard(n, name)
	}
	from, err := s.place(t, n, start{*in.ShardIteratorType, in.StartingSequenceNumber, in.Timestamp, "GetShardIterator"})
	if err != nil {
		return nil, err
	}
	if in.DryRun != nil && *in.DryRun {
		return nil, dryRun()
	}
	return &getShardIteratorOut{s.tokens.iterator(iterator{t.ID, n, from, t.Name}, s.now())}, nil
}

// start is where a reader wants to begin.
type start struct {
	kind      string
	number    *string
	timestamp *aws.Time
	action    string
}

// place is the offset where a reader begins.
func (s *Server) place(t *catalog.Topic, shard int32, from start) (record.Offset, error) {
	p, err := s.b.PartitionByID(t.ID, shard)
	if err != nil {
		return 0, noShard(shard, t.Name)
	}
	bySequence := from.kind == "AT_SEQUENCE_NUMBER" || from.kind == "AFTER_SEQUENCE_NUMBER"
	const either = "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
	switch {
	case !bySequence && from.number != nil:
		return 0, invalidArgument(either+"Request specified %s and also a StartingSequenceNumber.", from.kind)
	case bySequence && from.number == nil:
		return 0, invalidArgument(either+"Request specified %s and no StartingSequenceNumber.", from.kind)
	case bySequence:
		return placeOfNumber(t, shard, p, from)
	case from.kind == "TRIM_HORIZON":
		start, _, err := p.Bounds()
		return start, err
	case from.kind == "LATEST":
		_, high, err := p.Bounds()
		return high, err
	}
	return s.placeOfTime(p, from.timestamp)
}

func placeOfNumber(t *catalog.Topic, shard int32, p *broker.Partition, from start) (record.Offset, error) {
	where := func() []any { return []any{clip(*from.number), from.action, shardID(shard), t.Name, Account} }
	q, ok := parseSequence(*from.number)
	if !ok {
		return 0, invalidArgument("StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid.", where()...)
	}
	if q.shard != shard {
		return 0, invalidArgument("Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a shard with %s", shardID(q.shard), shardID(shard))
	}
	_, high, err := p.Bounds()
	if err != nil {
		return 0, err
	}
	if q.born != bornOf(&t.Partitions[shard]) || q.after() > high {
		return 0, invalidArgument("StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid because it did not come from this stream.", where()...)
	}
	if from.kind == "AT_SEQUENCE_NUMBER" {
		return q.at(), nil
	}
	return q.after(), nil
}

func (s *Server) placeOfTime(p *broker.Partition, at *aws.Time) (record.Offset, error) {
	if at == nil {
		return 0, invalidArgument("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
	}
	ms, now := at.UnixMilli(), s.now().UnixMilli()
	if ms > now {
		return 0, invalidArgument("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %d, currentTimestampInMillis: %d", ms, now)
	}
	_, end, err := p.Bounds()
	if err != nil {
		return 0, err
	}
	o, _, err := p.OffsetForTime(ms)
	if err != nil {
		return 0, err
	}
	if o < 0 { // nothing is that young
		o = end
	}
	return o, nil
}

type getRecordsIn struct {
	Limit         *int64  `is:"Limit"`
	ShardIterator *string `is:"ShardIterator,required"`
	StreamARN     *string `is:"StreamARN"`
	StreamId      *string `is:"StreamId"`
	DryRun        *bool
}

type getRecordsOut struct {
	Records            []recordOut
	NextShardIterator  *string `json:",omitempty"`
	MillisBehindLatest int64
	ChildShards        []childShard `json:",omitempty"`
}

func getRecords(_ context.Context, s *Server, _ *aws.Call, in *getRecordsIn) (*getRecordsOut, error) {
	now := s.now()
	it, err := s.iterator(*in.ShardIterator, now)
	if err != nil {
		return nil, err
	}
	if in.StreamARN != nil {
		if name, _ := resourceOf(*in.StreamARN); name != it.stream {
			return nil, invalidArgument("StreamARN %s does not match the ShardIterator.", clip(*in.StreamARN))
		}
	}
	t, err := s.b.TopicByID(it.topic)
	if err != nil || int(it.shard) >= len(t.Partitions) {
		return nil, noShard(it.shard, it.stream)
	}
	if in.DryRun != nil && *in.DryRun {
		return nil, dryRun()
	}
	if err := s.limits.read(t, it.shard, now); err != nil {
		return nil, err
	}
	r, err := s.newReading(t, it.shard, it.offset)
	if err != nil {
		return nil, err
	}
	limit := getRecordsMax
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	if err := r.fill(limit, getBytesMax); err != nil {
		return nil, err
	}
	s.limits.returned(t, it.shard, r.bytes, now)
	out := &getRecordsOut{Records: r.records, MillisBehindLatest: r.behind(now)}
	if r.ended() {
		out.ChildShards = children(r.part.Topic(), it.shard)
		return out, nil
	}
	it.offset = r.next
	next := s.tokens.iterator(it, now)
	out.NextShardIterator = &next
	return out, nil
}

// amazonTime is how messages of Kinesis show a time: Thu Jan 22 01:22:02 UTC 2015.
const amazonTime = "Mon Jan 02 15:04:05 UTC 2006"

func (s *Server) iterator(token string, now time.Time) (iterator, error) {
	it, made, ok := s.tokens.parseIterator(token)
	switch {
	case !ok || made.After(now.Add(tokenLife)): // a clock may go back, somewhat
		return it, invalidArgument("Invalid ShardIterator.")
	case now.Sub(made) > tokenLife:
		return it, problem("ExpiredIteratorException",
			"Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
			made.UTC().Format(amazonTime), now.UTC().Format(amazonTime), tokenLife.Milliseconds())
	}
	return it, nil
}
