package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// BuildNaru compiles the broker from the module at root into binary.
func BuildNaru(ctx context.Context, root, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/naru")
	cmd.Dir = root
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build naru in %s: %w", root, err)
	}
	return nil
}

// Naru is `naru serve` as it comes (sync "always"), or with another --sync.
func Naru(name, title, durability, binary, sync string) Spec {
	return Spec{
		Name:       name,
		Title:      title,
		Durability: durability,
		Command: func(h Home) []string {
			argv := []string{binary, "serve", "--data", h.Data(), "--kafka", h.Addr(), "--sync", sync}
			if h.Profiled {
				return append(argv, "--http", "127.0.0.1:"+strconv.Itoa(h.SecondPort), "--pprof")
			}
			return append(argv, "--aws", "off", "--amqp", "off", "--http", "off")
		},
	}
}
