package objectstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/internal/fault"
)

// Store keeps objects that are written once and never changed. Any number of
// goroutines may use it.
//
// Errors are wrapped with the call and the key. One that is none of this package's
// may be a context's, or ErrUnavailable's code.
type Store interface {
	// Put creates an object of body, which may be empty. ErrExists: one of that
	// name is there, perhaps by an earlier try of ours. After any other error it
	// is unknown whether it is there, or will be. body must not change meanwhile.
	Put(ctx context.Context, key string, body []byte) error
	// Get returns the bytes [offset, offset+length), fewer if the object ends
	// before; none if it ends before offset. With length < 0 it is all up to the
	// end. ErrNotFound; ErrInvalid if that would be more than GetBytesMax.
	Get(ctx context.Context, key string, offset, length int64) ([]byte, error)
	// Stat tells what there is of one object. ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)
	// List returns objects whose keys begin with prefix and come after the key
	// after ("" for all), in the order of their keys' bytes: at most limit, which
	// is 1 to ListMax. Fewer than limit means that there are no more.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)
	// Delete removes objects, at most DeleteMax. One that is not there is no
	// error. After an error any of them may be gone, or go later.
	Delete(ctx context.Context, keys ...string) error
}

// Info is what a store tells about an object.
type Info struct {
	Key      string
	Bytes    int64
	Modified time.Time // by the store's own clock
}

// Limits of calls.
const (
	KeyBytesMax = 512
	PutBytesMax = 256 << 20 // one request; Amazon S3 takes 5 GiB
	GetBytesMax = 256 << 20
	ListMax     = 1000 // of one page, as in Amazon S3
	DeleteMax   = 1000 // of one request, as in Amazon S3
)

// What stores answer.
var (
	// ErrExists says that an object of that name is there already.
	ErrExists = fault.New(fault.AlreadyExists, "the object exists")
	// ErrNotFound says that there is no object of that name.
	ErrNotFound = fault.New(fault.NotFound, "no such object")
	// ErrThrottled asks for fewer requests: 503 SlowDown, 429.
	ErrThrottled = fault.New(fault.ResourceExhausted, "the object store asks for fewer requests")
	// ErrUnavailable covers whatever may work if it is tried again: no connection,
	// a broken one, an answer of 5xx.
	ErrUnavailable = fault.New(fault.Unavailable, "the object store is unavailable")
	// ErrDenied says that the credentials are wrong, missing, or allow too little.
	ErrDenied = fault.New(fault.PermissionDenied, "the object store refuses the credentials")
	// ErrNoBucket says that the bucket does not exist.
	ErrNoBucket = fault.New(fault.FailedPrecondition, "no such bucket")
	// ErrNoConditions says that the store does not refuse to write over objects.
	ErrNoConditions = fault.New(fault.FailedPrecondition, "the object store has no conditional writes")
	// ErrInvalid is the caller's mistake: a key or a size beyond the limits.
	ErrInvalid = fault.New(fault.InvalidArgument, "invalid call of the object store")
)

// CheckKey tells whether a key is one that every store takes: up to KeyBytesMax
// bytes in elements between slashes, each of small letters, digits and "-_.="
// and neither empty nor "." nor "..".
func CheckKey(key string) error {
	if len(key) > KeyBytesMax {
		return fmt.Errorf("%w: a key of %d bytes, more than %d", ErrInvalid, len(key), KeyBytesMax)
	}
	for element := range strings.SplitSeq(key, "/") {
		if element == "" || element == "." || element == ".." || strings.Trim(element, keyBytes) != "" {
			return fmt.Errorf("%w: the key %q", ErrInvalid, key)
		}
	}
	for i := range len(key) {
		if !strings.Contains(keyBytes, key[i:i+1]) && key[i] != '/' {
			return fmt.Errorf("%w: the key %q", ErrInvalid, key)
		}
	}
	return nil
}

const keyBytes = "abcdefghijklmnopqrstuvwxyz0123456789-_.="
