package peer

import (
	"net"
	"testing"
)

// A call and its answer of 1 KiB over loopback, many at a time.
func BenchmarkCalls(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := NewServer(Config{Node: 2, Cluster: "c"}, func(c *Call) { c.Answer(c.Payload) }, nil)
	go s.Serve(l)
	defer s.Close()
	client, err := NewClient(Config{Node: 1, Cluster: "c"}, 2, l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	payload := make([]byte, 1<<10)
	b.SetBytes(1 << 10)
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := client.Do(b.Context(), 1, payload); err != nil {
				b.Error(err)
			}
		}
	})
}
