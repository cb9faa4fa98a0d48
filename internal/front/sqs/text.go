package sqs

import "unicode/utf8"

// text is a string or its bytes.
type text interface{ ~string | ~[]byte }

// validText reports whether s is UTF-8 and holds only characters that a message
// may hold: those of XML 1.0 (section 2.2), which is what both protocols can
// carry. Empty text is valid here; where SQS refuses it, the caller does.
func validText[T text](s T) bool {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				return false
			}
			i++
			continue
		}
		n := validRune(s[i:])
		if n == 0 {
			return false
		}
		i += n
	}
	return true
}

// validRune returns how many bytes the first character of s has, or 0 if it is
// not UTF-8 or one of the two that XML leaves out above ASCII.
func validRune[T text](s T) int {
	var buf [utf8.UTFMax]byte
	r, n := utf8.DecodeRune(buf[:copy(buf[:], s)])
	if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
		return 0
	}
	return n
}

// fifoIDMax is how many bytes a group id, a deduplication id or a receive
// attempt id may have.
const fifoIDMax = 128

// validID reports whether s may be a MessageGroupId, a MessageDeduplicationId
// or a ReceiveRequestAttemptId: 1 to 128 letters, digits and punctuation marks
// of ASCII.
func validID[T text](s T) bool {
	if len(s) < 1 || len(s) > fifoIDMax {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

const batchEntryIDMax = 80

// validBatchEntryID reports whether s may name an entry of a batch.
func validBatchEntryID(s string) bool {
	if len(s) < 1 || len(s) > batchEntryIDMax {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
