package kafka

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// The most that a session may allocate for bytes it was sent: for each of them,
// and for being there at all (which includes the first step of a frame whose
// length lies, the broker's own doing, and goroutines).
const (
	fuzzAllocFactor = 4000 // a topic is 8 bytes to ask for and some 30 KiB to make
	fuzzAllocBase   = 16 << 20
)

// FuzzSession feeds a connection with bytes: it must end, without a panic, and
// must not allocate more than its input is worth. What is answered is a frame.
func FuzzSession(f *testing.F) {
	for _, seed := range fuzzSeeds(f) {
		f.Add(seed)
	}
	b := newBroker(f)
	if _, err := b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 2}, false); err != nil {
		f.Fatal(err)
	}
	panics := make(chan string, 1)
	s, err := New(Config{
		Broker: b, Logger: slog.New(slog.NewTextHandler(panicLog{panics}, &slog.HandlerOptions{Level: slog.LevelError})),
		Limits: Limits{RequestBytesMax: 1 << 20, FrameMax: time.Minute, IdleMax: time.Minute},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			t.Skip()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ours, theirs := net.Pipe()
		s.accept(theirs)
		answers := make(chan error, 1)
		go func() { answers <- readFrames(ours) }()
		ours.SetWriteDeadline(time.Now().Add(patience))
		ours.Write(data) // the server may close before it has it all
		ours.Close()
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
		for s.Connections() > 0 {
			runtime.Gosched()
		}
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(fuzzAllocBase+fuzzAllocFactor*len(data)); got > most {
			t.Fatalf("%d bytes made the server allocate %d, at most %d are allowed", len(data), got, most)
		}
		select {
		case p := <-panics:
			t.Fatal(p)
		default:
		}
	})
}

// readFrames reads answers until the connection ends.
func readFrames(nc net.Conn) error {
	var size [4]byte
	for {
		if _, err := io.ReadFull(nc, size[:]); err != nil {
			return nil
		}
		if _, err := io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(size[:]))); err != nil {
			return nil
		}
	}
}

// fuzzSeeds are requests of every API and version, and a few conversations.
func fuzzSeeds(t testing.TB) [][]byte {
	c := &client{t: t}
	var seeds [][]byte
	for _, key := range wire.Keys() {
		for version := served[key].Min; version <= served[key].high; version++ {
			req := wire.NewRequest(key)
			req.Default()
			seeds = append(seeds, c.frame(version, req))
		}
	}
	join := func(parts ...[]byte) {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		seeds = append(seeds, all)
	}
	full := fetchRequest("t", 0, 0)
	full.SessionEpoch = epochFull
	join(c.frame(9, produceRequest(-1, "t", batch(t, 2, 10), batch(t, 1, 1))), c.frame(12, full), c.frame(3, produceRequest(0, "t", batch(t, 1, 1))))
	name := "auto"
	join(c.frame(4, &wire.ApiVersionsRequest{ClientSoftwareName: "x", ClientSoftwareVersion: "1"}),
		c.frame(12, &wire.MetadataRequest{Topics: []wire.MetadataRequestMetadataRequestTopic{{Name: &name}}, AllowAutoTopicCreation: true}))
	join(c.frame(5, joinRequest("a")), c.frame(4, &wire.HeartbeatRequest{GroupId: "g"}))
	join(c.frame(11, listRequest("t", timeLatest)), c.frame(11, listRequest("t", 5)))
	return append(seeds, []byte{0x7f, 0xff, 0xff, 0xff}, []byte("GET / HTTP/1.1\r\n"))
}

// panicLog passes on what conn.survive logs.
type panicLog struct{ c chan string }

func (l panicLog) Write(b []byte) (int, error) {
	select {
	case l.c <- string(b):
	default:
	}
	return len(b), nil
}
