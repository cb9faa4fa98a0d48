package journal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// What nobody waits for shares the commit of what comes next, and does not wait long for it, nor at all when somebody does.
func TestPatientEntriesShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		fs.MkdirAll("d")
		j, err := Open(fs, "d", Options{SegmentBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		base := record.Offset(0)
		enqueue := func(patient bool) <-chan error {
			done := make(chan error, 1)
			if err := j.Admit(context.Background(), 8); err != nil {
				t.Fatal(err)
			}
			e := &Entry{Stream: 1, Base: base, Count: 1, Payload: make([]byte, 8), Patient: patient, Done: func(e *Entry, err error) {
				j.Release(len(e.Payload))
				done <- err
			}}
			base++
			if err := j.Enqueue(e); err != nil {
				t.Fatal(err)
			}
			return done
		}
		await := func(done <-chan error, after time.Duration, commits int64) {
			t.Helper()
			began := time.Now()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if took, n := time.Since(began), j.Stats().Commits; took != after || n != commits {
				t.Errorf("durable after %v, in %d commits by then; want %v, %d", took, n, after, commits)
			}
		}
		<-enqueue(false)
		first := enqueue(true)
		synctest.Wait()
		if n := j.Stats().Commits; n != 1 {
			t.Errorf("%d commits, want 1: nobody waits for the second entry", n)
		}
		await(enqueue(false), 0, 2)
		await(first, 0, 2)
		synctest.Wait() // the timer of the first is still set, and finds nothing
		alone := enqueue(true)
		await(alone, PatienceMax, 3)
		hurried := enqueue(true)
		j.Hurry()
		await(hurried, 0, 4)
	})
}
