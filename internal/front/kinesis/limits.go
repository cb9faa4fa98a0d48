package kinesis

import (
	"fmt"
	"sync"
	"time"

	"github.com/narumq/naru/internal/catalog"
)

// The limits of Kinesis (Developer Guide, "Quotas and limits"), which hold where the
// server was told so.
const (
	shardRecordsIn = 1_000   // a second
	shardBytesIn   = 1 << 20 // a second
	shardReads     = 5       // a second
	shardBytesOut  = 2 << 20 // a second, and of each registered consumer

	consumersMax     = 20
	shardsMax        = 10_000
	onDemandMax      = 50
	onDemandShards   = 4
	controlCallsMax  = 5 // a second, of actions that are not in callsMax
	limitsForgotten  = time.Minute
	limitsForgetPast = 10_000
)

// callsMax is how many calls of an action an account may make in a second; 0 is no
// limit but the shards'.
var callsMax = map[string]float64{
	"PutRecord": 0, "PutRecords": 0, "GetRecords": 0, "GetShardIterator": 0, subscribeToShard: 0,
	"DescribeStream": 10, "DescribeLimits": 1, "DescribeStreamSummary": 20, "DescribeStreamConsumer": 20,
	"ListShards": 1_000, "UpdateShardCount": 10,
}

// limits hold clients to what Kinesis allows. A nil *limits allows everything.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*bucket // guarded by mu
}

func newLimits() *limits { return &limits{buckets: make(map[string]*bucket)} }

// bucket fills at a rate, up to what comes in a second. What is taken may leave it in
// debt: then nothing more can be had until that is paid.
type bucket struct {
	left float64
	at   time.Time
}

func (l *limits) bucket(name string, rate float64, now time.Time) *bucket {
	b := l.buckets[name]
	if b == nil {
		l.forget(now)
		b = &bucket{left: rate, at: now}
		l.buckets[name] = b
	}
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.left, b.at = min(rate, b.left+passed*rate), now
	}
	return b
}

// forget drops buckets that are full again.
func (l *limits) forget(now time.Time) {
	if len(l.buckets) < limitsForgetPast {
		return
	}
	for name, b := range l.buckets {
		if now.Sub(b.at) > limitsForgotten {
			delete(l.buckets, name)
		}
	}
}

// call counts a call of an action.
func (l *limits) call(action string, now time.Time) error {
	if l == nil {
		return nil
	}
	rate, known := callsMax[action]
	if !known {
		rate = controlCallsMax
	}
	if rate == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(action, rate, now)
	if b.left < 1 {
		return limitExceeded("Rate exceeded for account %s.", Account)
	}
	b.left--
	return nil
}

// put counts a record of that many bytes, or refuses it.
func (l *limits) put(t *catalog.Topic, shard int32, bytes int, now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	records := l.bucket(bucketName("records", t, shard), shardRecordsIn, now)
	in := l.bucket(bucketName("in", t, shard), shardBytesIn, now)
	if records.left < 1 || in.left < min(float64(bytes), shardBytesIn) {
		return throttled(t, shard)
	}
	records.left--
	in.left -= float64(bytes)
	return nil
}

// read counts a call of GetRecords, or refuses it. What it returns is counted by
// returned.
func (l *limits) read(t *catalog.Topic, shard int32, now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	reads := l.bucket(bucketName("reads", t, shard), shardReads, now)
	out := l.bucket(bucketName("out", t, shard), shardBytesOut, now)
	if reads.left < 1 || out.left <= 0 {
		return throttled(t, shard)
	}
	reads.left--
	return nil
}

func (l *limits) returned(t *catalog.Topic, shard int32, bytes int, now time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket(bucketName("out", t, shard), shardBytesOut, now).left -= float64(bytes)
}

// pause is how long a subscription waits after it got so many bytes.
func (l *limits) pause(bytes int) time.Duration {
	if l == nil {
		return 0
	}
	return time.Duration(float64(bytes) / shardBytesOut * float64(time.Second))
}

func bucketName(what string, t *catalog.Topic, shard int32) string {
	return fmt.Sprintf("%s/%s/%d", what, t.ID, shard)
}

func throttled(t *catalog.Topic, shard int32) error {
	return problem(throughputExceeded, "Rate exceeded for shard %s in stream %s under account %s.", shardID(shard), t.Name, Account)
}

const throughputExceeded = "ProvisionedThroughputExceededException"
