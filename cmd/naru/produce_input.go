package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordBytesMax bounds one record read from an input.
const recordBytesMax = batchBytesLimit

// input is where produce reads records from.
type input struct {
	sources     []inputSource
	total       int64 // bytes, -1 if not known
	interactive bool  // standard input is among the sources

	whole     bool
	delimiter []byte
	make      func(content []byte) (*kgo.Record, error)
}

type inputSource struct {
	name string
	io.Reader
	closer io.Closer
}

// inputItem is a record, the bytes of input that it took, or an error.
type inputItem struct {
	record *kgo.Record
	bytes  int64
	err    error
}

func (a *app) openInput(p *produceFlags) (*input, error) {
	in := &input{whole: p.whole}
	if err := in.parse(p); err != nil {
		return nil, err
	}
	files := p.files
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if name == "-" {
			in.interactive, in.total = true, -1
			in.sources = append(in.sources, inputSource{"standard input", a.in, io.NopCloser(nil)})
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			in.close()
			return nil, fmt.Errorf("--file: %w", err)
		}
		in.sources = append(in.sources, inputSource{name, f, f})
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			in.total = -1
		} else if in.total >= 0 {
			in.total += info.Size()
		}
	}
	return in, nil
}

func (in *input) close() {
	for _, s := range in.sources {
		s.closer.Close()
	}
}

// parse reads the flags that say what a record is.
func (in *input) parse(p *produceFlags) error {
	separator, err := unescape(p.keySeparator)
	if err != nil {
		return usageError("--key-separator %q: %w", p.keySeparator, err)
	}
	delimiter, err := unescape(p.delimiter)
	if err == nil && delimiter == "" {
		err = errors.New("want at least one character")
	}
	if err != nil {
		return usageError("--delimiter %q: %w", p.delimiter, err)
	}
	in.delimiter = []byte(delimiter)
	if p.json && (p.whole || p.keySeparator != "" || p.hasKey || p.hasNull || delimiter != "\n") {
		return usageError("--json records carry their own key and nulls: it excludes --whole, --delimiter, --key, --key-separator and --null-marker")
	}
	if p.hasKey && p.keySeparator != "" {
		return usageError("want either --key or --key-separator")
	}
	headers, err := p.parseHeaders()
	if err != nil {
		return err
	}
	if p.json {
		in.make = func(b []byte) (*kgo.Record, error) {
			r, err := parseJSON(b)
			if err == nil {
				r.Headers = append(r.Headers, headers...)
			}
			return r, err
		}
		return nil
	}
	in.make = func(b []byte) (*kgo.Record, error) {
		r := &kgo.Record{Value: b, Headers: headers}
		if p.hasKey {
			r.Key = p.nullable([]byte(p.key))
		}
		if separator != "" {
			key, value, ok := bytes.Cut(b, []byte(separator))
			if !ok {
				return nil, fmt.Errorf("no %q between key and value in %q", separator, clip(b))
			}
			r.Key, r.Value = p.nullable(key), value
		}
		r.Value = p.nullable(r.Value)
		return r, nil
	}
	return nil
}

func (p *produceFlags) parseHeaders() ([]kgo.RecordHeader, error) {
	var headers []kgo.RecordHeader
	for _, h := range p.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, usageError("--header %q: want name=value", h)
		}
		headers = append(headers, kgo.RecordHeader{Key: name, Value: p.nullable([]byte(value))})
	}
	return headers, nil
}

// nullable is b, or nil if b is the null marker.
func (p *produceFlags) nullable(b []byte) []byte {
	if p.hasNull && string(b) == p.nullMarker {
		return nil
	}
	if b == nil {
		return []byte{}
	}
	return b
}

func clip(b []byte) string {
	if len(b) > 60 {
		return string(b[:60]) + "..."
	}
	return string(b)
}

// read sends the inputs' records until they end, one fails, or stop closes.
// It has a goroutine of its own because reading a terminal cannot be
// interrupted.
func (in *input) read(stop <-chan struct{}) <-chan inputItem {
	items := make(chan inputItem, 64)
	emit := func(item inputItem) bool {
		select {
		case items <- item:
			return item.err == nil
		case <-stop:
			return false
		}
	}
	go func() {
		defer close(items)
		for _, s := range in.sources {
			if !in.readSource(s, emit) {
				return
			}
		}
	}()
	return items
}

func (in *input) readSource(s inputSource, emit func(inputItem) bool) bool {
	if in.whole {
		b, err := io.ReadAll(io.LimitReader(s, recordBytesMax+1))
		if err == nil && len(b) > recordBytesMax {
			err = fmt.Errorf("more than %s in one record", humanBytes(recordBytesMax))
		}
		return in.emit(emit, s.name, 0, b, int64(len(b)), err)
	}
	scan := bufio.NewScanner(s)
	scan.Buffer(make([]byte, 64<<10), recordBytesMax)
	scan.Split(splitOn(in.delimiter))
	n := 0
	for scan.Scan() {
		n++
		took := int64(len(scan.Bytes()) + len(in.delimiter))
		if !in.emit(emit, s.name, n, bytes.Clone(scan.Bytes()), took, nil) {
			return false
		}
	}
	err := scan.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = fmt.Errorf("no %q within %s", in.delimiter, humanBytes(recordBytesMax))
	}
	return err == nil || in.emit(emit, s.name, n+1, nil, 0, err)
}

func (in *input) emit(emit func(inputItem) bool, name string, n int, b []byte, took int64, err error) bool {
	var r *kgo.Record
	if err == nil {
		r, err = in.make(b)
	}
	if err != nil && n > 0 {
		err = fmt.Errorf("%s, record %d: %w", name, n, err)
	} else if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return emit(inputItem{r, took, err})
}

// splitOn ends tokens at the delimiter. A delimiter at the very end does not
// begin another, empty one.
func splitOn(delimiter []byte) bufio.SplitFunc {
	return func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.Index(data, delimiter); i >= 0 {
			return i + len(delimiter), data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	}
}
