package catalog

import (
	"encoding/base64"
	"fmt"
	"io"
)

// UUID identifies a topic for as long as it lives: a topic that is deleted and
// created anew has another (KIP-516).
type UUID [16]byte

// String returns the id as Kafka writes it: 22 characters of unpadded base64url.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// IsZero reports whether u is the id that stands for none.
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads what String wrote.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 22 {
		return u, fmt.Errorf("uuid %.40q has %d characters, not 22", s, len(s))
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(u[:], []byte(s)); err != nil {
		return UUID{}, fmt.Errorf("uuid %q: %w", s, err)
	}
	return u, nil
}

// uuidTries bounds the search for a usable id: 64 out of 65 random ones are.
const uuidTries = 100

// newUUID returns a random id (RFC 9562, version 4). As in Kafka, none begins
// with '-', which would look like an option on a command line.
func newUUID(random io.Reader) (UUID, error) {
	for range uuidTries {
		var u UUID
		if _, err := io.ReadFull(random, u[:]); err != nil {
			return UUID{}, fmt.Errorf("random id: %w", err)
		}
		u[6] = u[6]&0x0f | 0x40
		u[8] = u[8]&0x3f | 0x80
		if u.String()[0] != '-' {
			return u, nil
		}
	}
	return UUID{}, fmt.Errorf("random id: %d in a row are unusable", uuidTries)
}
