package coord

import (
	"fmt"
	"strings"
)

// checkOps finds keys beyond the limits, and those that one list changes twice:
// etcd refuses a key that is put twice, or put and deleted.
func checkOps(ops []Op) error {
	put := map[string]bool{}
	for _, op := range ops {
		if err := checkKey(op.Key); err != nil {
			return err
		}
		if op.Kind == OpPut && put[op.Key] {
			return fmt.Errorf("%w: the key %q is put twice", ErrInvalid, op.Key)
		}
		if op.Kind == OpPut {
			put[op.Key] = true
		}
	}
	for _, op := range ops {
		if op.Kind == OpDelete && put[op.Key] {
			return fmt.Errorf("%w: the key %q is put and deleted", ErrInvalid, op.Key)
		}
		if op.Kind != OpDeletePrefix {
			continue
		}
		for key := range put {
			if strings.HasPrefix(key, op.Key) {
				return fmt.Errorf("%w: a key is put and deleted with the prefix %q", ErrInvalid, op.Key)
			}
		}
	}
	return nil
}
