package kafka

import (
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// settle waits for partitions that change hands, so that the answer has their records, or says who has them.
func (f *fetching) settle() {
	list := f.found
	if f.full {
		list = f.set.parts
	}
	change := handOver{conn: f.call.conn}
	for _, p := range list {
		if p.part == nil || p.part.Local() == nil {
			continue
		}
		if change.await(p.part); p.part.Local() == nil {
			f.total -= p.avail
			f.look(p)
		}
	}
}

// read makes the answer from what was found: in turn, until the bytes are used
// up. A full answer names the other partitions too.
func (f *fetching) read() {
	f.granted = f.s.fetchMemory.take(min(f.bytesMax, f.total))
	left := f.granted
	list := f.found
	if f.full {
		list = f.set.parts
	}
	for _, p := range list {
		if !f.full && left <= 0 && f.bytes > 0 {
			break // it stays in the queue, before those that had their turn
		}
		n := f.readPart(p, left)
		left -= n
		f.bytes += n
	}
	// One batch is sent whatever the grant was.
	f.s.fetchMemory.adjust(f.bytes - f.granted)
	f.granted = f.bytes
}

// readPart puts a partition into the answer, with up to left bytes, and returns
// how many those are.
func (f *fetching) readPart(p *fetchPart, left int) int {
	d := wire.FetchResponsePartitionData{
		PartitionIndex: p.index, ErrorCode: p.code, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1,
		AbortedTransactions: f.aborted, PreferredReadReplica: -1, Records: wire.Pieces{},
	}
	n := 0
	if p.code == codeNone && p.avail > 0 && (left > 0 || f.bytes == 0) {
		s, err := p.part.Read(p.offset, min(p.bytesMax, max(left, 0)), f.bytes == 0)
		if err != nil {
			p.code = storageCode(codeOf(err), f.version)
		} else {
			f.slices = append(f.slices, s)
			if s.Bytes > 0 {
				d.Records, n = s.Payloads, s.Bytes
			}
		}
	}
	if p.part != nil {
		var high, stable, start record.Offset
		if p.part.Local() == nil { // else its owner would be asked
			high, stable, start = p.part.HighWatermark(), p.part.LastStable(), p.part.LogStart()
		}
		switch {
		case p.part.Local() != nil: // asked again: it may be lost only now, and what was read is not to be relied on
			n = 0
			f.lost(p, &d)
		case p.code == codeNone || p.code == codeOffsetOutOfRange:
			d.HighWatermark, d.LastStableOffset, d.LogStartOffset = int64(high), int64(stable), int64(start)
			if !f.full && n == 0 && p.code == codeNone && !p.diverges && p.toldHigh == high && p.toldStart == start {
				return 0 // nothing new after all, or no room: not this time
			}
			p.toldHigh, p.toldStart = high, start
		}
	}
	d.ErrorCode = p.code
	if p.diverges {
		d.DivergingEpoch = &wire.FetchResponseEpochEndOffset{Epoch: recordEpoch, EndOffset: d.HighWatermark}
	}
	if p.code != codeNone {
		f.call.note(p.code)
		p.toldHigh = -1 // KIP-227: told anew when the error is over
	}
	if n > 0 || p.code != codeNone {
		p.turned = true
		f.back = append(f.back, p)
	}
	f.add(p, d)
	return n
}

// lost answers for a partition that another broker has, or nobody.
func (f *fetching) lost(p *fetchPart, d *wire.FetchResponsePartitionData) {
	p.code, p.diverges = codeNotLeader, false
	d.Records, d.HighWatermark, d.LastStableOffset, d.LogStartOffset = wire.Pieces{}, -1, -1, -1
	if f.version < 16 {
		return
	}
	if id, epoch, ok := f.leaders.of(f.call.conn, p.part); ok {
		d.CurrentLeader = &wire.FetchResponseLeaderIdAndEpoch{LeaderId: id, LeaderEpoch: epoch}
	}
}

// endpoints are where the leaders are that the answer names.
func (f *fetching) endpoints() (list []wire.FetchResponseNodeEndpoint) {
	for _, n := range f.leaders.told {
		list = append(list, wire.FetchResponseNodeEndpoint{NodeId: n.id, Host: n.host, Port: n.port})
	}
	return list
}

// add appends to the answer. Partitions of one topic that follow each other
// share an entry; a topic may have several.
func (f *fetching) add(p *fetchPart, d wire.FetchResponsePartitionData) {
	n := len(f.parts)
	f.parts = append(f.parts, d)
	if k := len(f.topics) - 1; k >= 0 && f.topics[k].Topic == p.topic && f.topics[k].TopicId == p.id {
		t := &f.topics[k]
		if from := n - len(t.Partitions); from >= 0 {
			t.Partitions = f.parts[from : n+1]
			return
		}
	}
	f.topics = append(f.topics, wire.FetchResponseFetchableTopicResponse{
		Topic: p.topic, TopicId: p.id, Partitions: f.parts[n : n+1],
	})
}

// requeue puts what was found back in line: those that had no turn first, those
// that had one last, since they are likely to have more. Who had nothing left to
// tell waits for news.
func (f *fetching) requeue() {
	set := f.set
	next := set.spare[:0]
	for _, p := range f.found {
		p.found = false
		if !p.turned && !p.queued && !p.gone && p.avail > 0 {
			p.queued = true
			next = append(next, p)
		}
	}
	next = append(next, set.queue...)
	for _, p := range f.back {
		p.turned = false
		if !p.queued && !p.gone {
			p.queued = true
			next = append(next, p)
		}
	}
	set.spare, set.queue = set.queue, next
}

// storageCode says a storage error in the words of an old version: before 6,
// clients do not know KAFKA_STORAGE_ERROR.
func storageCode(code, version int16) int16 {
	if code == codeStorageError && version < 6 {
		return codeNotLeader
	}
	return code
}

// probe sees what a partition has to tell: an error, or how many bytes.
func (p *fetchPart) probe(s *Server, set *fetchSet, version int16) {
	p.avail, p.diverges = 0, false
	part, err := s.partition(p.topic, p.id, p.index)
	set.point(p, part, err == nil)
	if err != nil {
		p.code = partitionCode(err, version >= 13)
		return
	}
	if p.code = epochCode(part, p.epoch); p.code != codeNone {
		return
	}
	start, high := part.LogStart(), part.HighWatermark()
	switch c := part.Topic().Settings.Compression; {
	case p.lastEpoch > recordEpoch:
		p.code = codeOffsetOutOfRange // KIP-595: there is no such epoch to diverge from
	case p.lastEpoch == recordEpoch && p.offset > high:
		p.diverges = true
	case p.offset < start || p.offset > high:
		p.code = codeOffsetOutOfRange
	case version < 10 && !c.Producer && c.Codec == record.Zstd:
		p.code = codeUnsupportedCompression // KIP-110
	case p.offset < high:
		// A batch that is there and cannot be read counts too: reading says why.
		p.avail = max(1, min(part.Available(p.offset, p.bytesMax), p.bytesMax))
	}
	if part.Local() != nil { // lost since: its offsets were not to be relied on
		p.code, p.avail, p.diverges = codeNotLeader, 0, false
	}
}
