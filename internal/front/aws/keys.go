package aws

import (
	"fmt"
	"strings"
)

// Keys are the access keys that may be used.
type Keys struct{ secrets map[string]string }

// ParseKeys reads a file of access keys: a line each, the access key id and the
// secret, separated by white space. Empty lines and those that begin with # do not
// count.
func ParseKeys(file []byte) (*Keys, error) {
	k := &Keys{secrets: make(map[string]string)}
	n := 0
	for line := range strings.Lines(string(file)) {
		n++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("line %d: want an access key id and a secret, there are %d words", n, len(fields))
		}
		if _, twice := k.secrets[fields[0]]; twice {
			return nil, fmt.Errorf("line %d: access key %s is there twice", n, fields[0])
		}
		k.secrets[fields[0]] = fields[1]
	}
	if len(k.secrets) == 0 {
		return nil, fmt.Errorf("no access keys: want lines of an access key id and a secret")
	}
	return k, nil
}

func (k *Keys) secret(access string) (string, bool) {
	s, ok := k.secrets[access]
	return s, ok
}
