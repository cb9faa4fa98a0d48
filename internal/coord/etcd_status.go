package coord

import (
	"context"
	"fmt"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Status implements Store. It asks every endpoint, and takes sizes from the member
// that has most, since each has its own quota to keep.
func (e *Etcd) Status(ctx context.Context) (Status, error) {
	out := Status{MembersAsked: len(e.cfg.Endpoints)}
	err := e.call(ctx, "status", func(ctx context.Context, c *clientv3.Client) error {
		type answer struct {
			status *clientv3.StatusResponse
			err    error
		}
		answers := make(chan answer, len(e.cfg.Endpoints))
		for _, endpoint := range e.cfg.Endpoints {
			go func() {
				status, err := c.Status(ctx, endpoint)
				answers <- answer{status, err}
			}()
		}
		var last error
		for range e.cfg.Endpoints {
			if a := <-answers; a.err != nil {
				last = a.err
			} else {
				out.add(a.status)
			}
		}
		if out.MembersUp == 0 {
			return last
		}
		return nil
	})
	if err != nil {
		return Status{}, err
	}
	return out, nil
}

func (s *Status) add(r *clientv3.StatusResponse) {
	s.MembersUp++
	if r.Leader != 0 {
		s.Leader = fmt.Sprintf("%x", r.Leader)
	}
	s.Revision = max(s.Revision, r.Header.Revision)
	if r.DbSize > s.Bytes {
		s.Bytes, s.BytesInUse, s.BytesMax = r.DbSize, r.DbSizeInUse, r.DbSizeQuota
	}
	s.NoSpace = s.NoSpace || slices.ContainsFunc(r.Errors, func(text string) bool { return strings.Contains(text, "NOSPACE") })
}
