package catalog

import (
	"fmt"
	"strings"
)

// TopicNameMax is the longest name of a topic, in bytes, as in Kafka.
const TopicNameMax = 249

// InternalPrefix begins the names of internal topics and of no others.
const InternalPrefix = "__naru_"

// CheckTopicName applies Kafka's rules for names.
func CheckTopicName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidTopicName)
	case name == "." || name == "..":
		return fmt.Errorf("%w: %q is not allowed", ErrInvalidTopicName, name)
	case len(name) > TopicNameMax:
		return fmt.Errorf("%w: %d characters, at most %d are allowed (%.20s…)",
			ErrInvalidTopicName, len(name), TopicNameMax, strings.ToValidUTF8(name, "?"))
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("%w: %q has a character other than ASCII letters, digits, '.', '_' and '-'",
				ErrInvalidTopicName, name)
		}
	}
	return nil
}

// collisionKey is the same for names that Kafka does not allow side by side:
// its metrics write '.' as '_'.
func collisionKey(name string) string { return strings.ReplaceAll(name, ".", "_") }
