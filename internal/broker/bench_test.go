package broker

import (
	"context"
	"sync"
	"testing"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// BenchmarkAppend appends batches of 16 records of 1 KiB to six partitions of a
// real directory, with so many on their way at a time, each durable when done.
func BenchmarkAppend(b *testing.B) {
	br, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer br.Close()
	if _, err := br.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 6}, false); err != nil {
		b.Fatal(err)
	}
	const inFlight = 256
	builder := record.NewBuilder(record.None)
	for range 16 {
		builder.Append(br.nowMS(), nil, make([]byte, 1024), nil)
	}
	batch, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	free := make(chan []byte, inFlight)
	for range inFlight {
		free <- append([]byte(nil), batch...)
	}
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	var failed error
	var once sync.Once
	for i := 0; b.Loop(); i++ {
		buf := <-free
		p, _ := br.Partition("t", int32(i%6))
		p.Append(context.Background(), buf, func(_ Appended, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
			free <- buf
		})
	}
	for range inFlight {
		<-free
	}
	if failed != nil {
		b.Fatal(failed)
	}
}
