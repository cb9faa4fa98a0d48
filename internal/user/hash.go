package user

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"slices"
)

// Algorithm is how a password was hashed.
type Algorithm string

// Algorithms. On disk: never rename. The salted ones are what RabbitMQ exports: 4 bytes
// of salt, and the digest of salt and password.
const (
	SaltedMD5    Algorithm = "md5"
	SaltedSHA256 Algorithm = "sha256"
	SaltedSHA512 Algorithm = "sha512"
	// PBKDF2 is RFC 8018's with HMAC-SHA-512: 4 bytes with the number of rounds,
	// big-endian, 16 bytes of salt, 32 bytes of key. New passwords are hashed by it.
	PBKDF2 Algorithm = "pbkdf2-sha512"
)

const (
	saltedSaltBytes = 4
	// SaltBytes is the salt of PBKDF2.
	SaltBytes = 16
	keyBytes  = 32
)

// Hash is what is stored of a password. JSON has its value as standard base64.
type Hash struct {
	Algorithm Algorithm `json:"algorithm,omitempty"`
	Value     []byte    `json:"value,omitempty"`
}

// IsZero tells whether there is no password.
func (h Hash) IsZero() bool { return len(h.Value) == 0 }

// Equal tells whether it is the same hash.
func (h Hash) Equal(o Hash) bool { return h.Algorithm == o.Algorithm && slices.Equal(h.Value, o.Value) }

// Derive hashes a password by PBKDF2. The salt has SaltBytes. Errors: ErrInvalid for an
// empty password, and one of more than PasswordBytesMax.
func Derive(password string, salt []byte, rounds int) (Hash, error) {
	switch {
	case password == "" || len(password) > PasswordBytesMax:
		return Hash{}, invalid("password of %d bytes, 1 to %d are allowed", len(password), PasswordBytesMax)
	case len(salt) != SaltBytes || rounds < 1 || rounds > RoundsMax:
		return Hash{}, invalid("%d rounds with %d bytes of salt", rounds, len(salt))
	}
	key, err := pbkdf2.Key(sha512.New, password, salt, rounds, keyBytes)
	if err != nil {
		return Hash{}, invalid("password: %v", err)
	}
	value := binary.BigEndian.AppendUint32(nil, uint32(rounds))
	return Hash{PBKDF2, append(append(value, salt...), key...)}, nil
}

// Verify tells whether a password is the one that was hashed. PBKDF2 takes a while.
func (h Hash) Verify(password string) bool {
	if password == "" || len(password) > PasswordBytesMax || h.IsZero() || h.check() != nil {
		return false
	}
	if h.Algorithm == PBKDF2 {
		rounds, salt := int(binary.BigEndian.Uint32(h.Value)), h.Value[4:4+SaltBytes]
		key, err := pbkdf2.Key(sha512.New, password, salt, rounds, keyBytes)
		return err == nil && subtle.ConstantTimeCompare(key, h.Value[4+SaltBytes:]) == 1
	}
	salted := append(slices.Clone(h.Value[:saltedSaltBytes]), password...)
	return subtle.ConstantTimeCompare(digest(h.Algorithm, salted), h.Value[saltedSaltBytes:]) == 1
}

func digest(a Algorithm, b []byte) []byte {
	switch a {
	case SaltedMD5:
		sum := md5.Sum(b)
		return sum[:]
	case SaltedSHA256:
		sum := sha256.Sum256(b)
		return sum[:]
	default:
		sum := sha512.Sum512(b)
		return sum[:]
	}
}

func (h Hash) check() error {
	var want int
	switch h.Algorithm {
	case "":
	case SaltedMD5:
		want = saltedSaltBytes + md5.Size
	case SaltedSHA256:
		want = saltedSaltBytes + sha256.Size
	case SaltedSHA512:
		want = saltedSaltBytes + sha512.Size
	case PBKDF2:
		want = 4 + SaltBytes + keyBytes
	default:
		return invalid("password hashing algorithm %q", h.Algorithm)
	}
	if len(h.Value) != want && len(h.Value) != 0 {
		return invalid("password hash of %d bytes, %s has %d", len(h.Value), h.Algorithm, want)
	}
	if h.Algorithm == PBKDF2 && want == len(h.Value) {
		if n := binary.BigEndian.Uint32(h.Value); n < 1 || n > RoundsMax {
			return invalid("password hash of %d rounds, 1 to %d are allowed", n, RoundsMax)
		}
	}
	return nil
}
