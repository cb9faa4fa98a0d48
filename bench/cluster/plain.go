package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/bench/internal/load"
)

// What the plain uploader does: objects as large as Naru's get, and as many at a time as a broker has on their way.
const (
	plainObject = 8 << 20
	plainFlight = 4
)

// plain puts objects into the bucket from memory, as Naru does and with nothing else to do: brokers on this machine cannot write more
// than that.
func (s *session) plain(ctx context.Context, w *world) error {
	u := uploads{most: s.records * load.SyntheticBytes / plainObject, failed: make([]error, plainFlight)}
	u.api = s3.New(s3.Options{
		BaseEndpoint: &w.endpoint, Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		APIOptions:  []func(*middleware.Stack) error{v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware},
	})
	source := load.NewSynthetic(5)
	for r := new(kgo.Record); len(u.body) < plainObject; u.body = append(u.body, r.Value...) {
		source.Fill(r)
	}
	defer u.remove(ctx)
	before, began := w.burnt(), time.Now()
	u.run(ctx, began.Add(s.produce))
	took := time.Since(began).Seconds()
	if err := errors.Join(u.failed...); err != nil {
		return fmt.Errorf("a plain uploader: %w", err)
	}
	mib := mebibytes(max(1, u.done.Load()) * plainObject)
	s.values["plain.mib"] = mib / took
	s.noteCPU("plain", w.burnt().since(before), mib)
	for _, width := range widths {
		id := fmt.Sprintf("b1.p%d", width)
		s.values[id+".ofplain"] = s.values[id+".mib"] / s.values["plain.mib"]
	}
	return nil
}

// uploads of one body under many names.
type uploads struct {
	api        *s3.Client
	body       []byte
	most       int64
	next, done atomic.Int64
	failed     []error // of each that uploads
}

func (u *uploads) run(ctx context.Context, end time.Time) {
	var work sync.WaitGroup
	for i := range u.failed {
		work.Go(func() {
			for n := u.next.Add(1); n <= u.most && time.Now().Before(end) && u.failed[i] == nil; n = u.next.Add(1) {
				if u.failed[i] = u.put(ctx, n); u.failed[i] == nil {
					u.done.Add(1)
				}
			}
		})
	}
	work.Wait()
}

func (u *uploads) put(ctx context.Context, n int64) error {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(u.body, crc32.MakeTable(crc32.Castagnoli)))
	_, err := u.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: u.key(n), Body: bytes.NewReader(u.body), IfNoneMatch: aws.String("*"),
		ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(sum)),
	})
	return err
}

func (u *uploads) key(n int64) *string { return aws.String(fmt.Sprintf("plain/%08d", n)) }

// remove leaves the disk as it was: what is written back later would be the next row's.
func (u *uploads) remove(ctx context.Context) {
	for n := range min(u.next.Load(), u.most) {
		_, _ = u.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: u.key(n + 1)}) // perhaps it is not there
	}
}
