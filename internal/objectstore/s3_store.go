package objectstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Put implements Store. The object comes with its CRC-32C, which the server compares
// if it knows checksums.
func (s *S3) Put(ctx context.Context, key string, body []byte) error {
	op := Op{Kind: OpPut, Key: key, Body: body}
	return s.request(ctx, op, func(ctx context.Context, _ *time.Timer) (int64, error) {
		_, err := s.api.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.cfg.Bucket, Key: s.name(key),
			Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
			ContentType: aws.String("application/octet-stream"), ChecksumCRC32C: checksum(body),
			IfNoneMatch: aws.String("*"),
		})
		return int64(len(body)), err
	})
}

func checksum(body []byte) *string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli))
	return aws.String(base64.StdEncoding.EncodeToString(sum))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Get implements Store.
func (s *S3) Get(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	if length == 0 {
		_, err := s.Stat(ctx, key)
		return nil, err
	}
	op := Op{Kind: OpGet, Key: key, Offset: offset, Length: length}
	var body []byte
	err := s.request(ctx, op, func(ctx context.Context, limit *time.Timer) (_ int64, err error) {
		body, err = s.get(ctx, op, limit)
		return int64(len(body)), err
	})
	return body, err
}

func (s *S3) get(ctx context.Context, op Op, limit *time.Timer) ([]byte, error) {
	in := &s3.GetObjectInput{Bucket: &s.cfg.Bucket, Key: s.name(op.Key)}
	from := fmt.Sprintf("bytes %d-", op.Offset)
	switch {
	case op.Length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", op.Offset, op.Offset+op.Length-1))
	case op.Offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", op.Offset))
	default:
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := s.api.GetObject(ctx, in)
	if beyondEnd(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Body.Close() }() // all that is wanted has been read
	size := aws.ToInt64(out.ContentLength)
	switch {
	case in.Range != nil && !strings.HasPrefix(aws.ToString(out.ContentRange), from):
		return nil, fmt.Errorf("%w: asked for %s, it answered %q", ErrUnavailable, *in.Range, aws.ToString(out.ContentRange))
	case out.ContentLength == nil || size < 0 || op.Length > 0 && size > op.Length:
		return nil, fmt.Errorf("%w: it answered with %d bytes, at most %d were asked for", ErrUnavailable, size, op.Length)
	case size > GetBytesMax:
		return nil, fmt.Errorf("%w: the object has %d bytes, more than %d", ErrInvalid, size, GetBytesMax)
	}
	limit.Reset(s.timeFor(size))
	body := make([]byte, size)
	if _, err := io.ReadFull(out.Body, body); err != nil {
		return nil, err
	}
	// The checksum is compared when the end is read.
	if _, err := out.Body.Read(make([]byte, 1)); err != io.EOF {
		return nil, fmt.Errorf("after %d bytes: %w", size, err)
	}
	return body, nil
}

// Stat implements Store.
func (s *S3) Stat(ctx context.Context, key string) (Info, error) {
	info := Info{Key: key}
	err := s.request(ctx, Op{Kind: OpStat, Key: key}, func(ctx context.Context, _ *time.Timer) (int64, error) {
		out, err := s.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.cfg.Bucket, Key: s.name(key)})
		if err != nil {
			return 0, err
		}
		info.Bytes, info.Modified = aws.ToInt64(out.ContentLength), aws.ToTime(out.LastModified)
		return 0, nil
	})
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

// List implements Store. It asks again while the server gives fewer than it could.
func (s *S3) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	op := Op{Kind: OpList, Key: prefix, After: after, Limit: limit}
	var infos []Info
	for {
		var more bool
		err := s.request(ctx, op, func(ctx context.Context, _ *time.Timer) (_ int64, err error) {
			var page []Info
			page, more, err = s.list(ctx, op)
			infos = append(infos, page...)
			return 0, err
		})
		if err != nil {
			return nil, err
		}
		if !more || len(infos) >= limit {
			return infos, nil
		}
		op.After, op.Limit = infos[len(infos)-1].Key, limit-len(infos)
	}
}

// list asks for one page. More pages are asked for by the last key, which any server
// knows, so that there is no token that could end.
func (s *S3) list(ctx context.Context, op Op) (page []Info, more bool, err error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &s.cfg.Bucket, Prefix: aws.String(s.root() + op.Key), MaxKeys: aws.Int32(int32(op.Limit)),
	}
	if op.After != "" {
		in.StartAfter = s.name(op.After)
	}
	out, err := s.api.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, false, err
	}
	last := op.After
	for _, o := range out.Contents {
		key, ok := strings.CutPrefix(aws.ToString(o.Key), s.root())
		if !ok || key <= last && last != "" || len(page) == op.Limit {
			return nil, false, fmt.Errorf("%w: the listing has %q after %q", ErrUnavailable, aws.ToString(o.Key), last)
		}
		page = append(page, Info{Key: key, Bytes: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)})
		last = key
	}
	return page, aws.ToBool(out.IsTruncated) && len(page) > 0, nil
}

// Delete implements Store, with one request.
func (s *S3) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	return s.request(ctx, Op{Kind: OpDelete, Keys: keys}, func(ctx context.Context, _ *time.Timer) (int64, error) {
		if len(keys) == 1 {
			_, err := s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.cfg.Bucket, Key: s.name(keys[0])})
			return 0, err
		}
		in := &s3.DeleteObjectsInput{Bucket: &s.cfg.Bucket, Delete: &types.Delete{Quiet: aws.Bool(true)}}
		for _, key := range keys {
			in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: s.name(key)})
		}
		out, err := s.api.DeleteObjects(ctx, in)
		if err != nil {
			return 0, err
		}
		for _, e := range out.Errors {
			if code := aws.ToString(e.Code); code != "NoSuchKey" {
				return 0, refusal(code, fmt.Errorf("%s: %s: %s", aws.ToString(e.Key), code, aws.ToString(e.Message)))
			}
		}
		return 0, nil
	})
}

// root is what the names of all objects begin with.
func (s *S3) root() string {
	if s.cfg.Prefix == "" {
		return ""
	}
	return s.cfg.Prefix + "/"
}

func (s *S3) name(key string) *string { return aws.String(s.root() + key) }

// timeFor is how long a request with so large a body may take.
func (s *S3) timeFor(bytes int64) time.Duration {
	return s.cfg.RequestTimeout + time.Duration(bytes/BytesPerSecondMin)*time.Second
}

// request checks a call, waits for its turn, and does it until the timer ends it.
func (s *S3) request(ctx context.Context, op Op, do func(context.Context, *time.Timer) (int64, error)) error {
	if err := s.begin(ctx, op); err != nil {
		return fmt.Errorf("objectstore: %s: %w", op, err)
	}
	defer func() { <-s.turns(op.Kind) }()
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	limit := time.AfterFunc(s.timeFor(int64(len(op.Body))), cancel)
	defer limit.Stop()
	start := time.Now()
	size, err := do(limited, limit)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = ctx.Err()
	case limited.Err() != nil:
		err = context.DeadlineExceeded
	default:
		err = classify(op.Kind, err)
	}
	if s.cfg.Observe != nil {
		s.cfg.Observe(S3Request{Kind: op.Kind, Bytes: size, Took: time.Since(start), Err: err})
	}
	if err != nil {
		return fmt.Errorf("objectstore: %s: %w", op, err)
	}
	return nil
}

// turns has a place for each request of a kind that may be on its way.
func (s *S3) turns(kind OpKind) chan struct{} {
	if kind == OpPut {
		return s.writes
	}
	return s.reads
}

// begin takes a turn.
func (s *S3) begin(ctx context.Context, op Op) error {
	if err := op.check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turns(op.Kind) <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
