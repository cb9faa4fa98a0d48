package server

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// The constructors of settings: one per kind of value. Set leaves the value
// alone when it fails.

func assign[T any](to *T, s string, parse func(string) (T, error)) error {
	v, err := parse(s)
	if err == nil {
		*to = v
	}
	return err
}

func text(name, kind, help string, to *string) Setting {
	return Setting{
		Name: name, Kind: kind, Help: help,
		Set: func(s string) error { *to = s; return nil },
		Get: func() string { return *to },
	}
}

func choice(name, help string, to *string, known ...string) Setting {
	s := text(name, "FORMAT", help+": "+strings.Join(known, " or "), to)
	s.Set = func(v string) error {
		for _, k := range known {
			if v == k {
				*to = v
				return nil
			}
		}
		return fmt.Errorf("want %s", strings.Join(known, " or "))
	}
	return s
}

func address(name, help string, to *string) Setting {
	s := text(name, "ADDR", help, to)
	s.Set = func(v string) error {
		if v != Off {
			if err := checkAddress(v); err != nil {
				return err
			}
		}
		*to = v
		return nil
	}
	return s
}

// advertised is an address for others to use: a name or a number that can be
// connected to.
func advertised(name, help string, to *string) Setting {
	s := text(name, "ADDR", help, to)
	s.Set = func(v string) error {
		if v == "" {
			*to = v
			return nil
		}
		if err := checkAddress(v); err != nil {
			return err
		}
		if host, port, _ := net.SplitHostPort(v); unspecified(host) || port == "0" {
			return fmt.Errorf("nobody can connect to that: want a host and a port that clients can reach")
		}
		*to = v
		return nil
	}
	return s
}

func boolean(name, help string, to *bool) Setting {
	return Setting{
		Name: name, Help: help,
		Set: func(s string) error {
			v, err := strconv.ParseBool(s)
			if err != nil {
				return fmt.Errorf("want true or false")
			}
			*to = v
			return nil
		},
		Get: func() string { return strconv.FormatBool(*to) },
	}
}

func integer[T int | int32](name, help string, to *T, least, most int64) Setting {
	return Setting{
		Name: name, Kind: "N", Help: help,
		Set: func(s string) error {
			v, err := strconv.ParseInt(s, 10, 64)
			if err != nil || v < least || v > most {
				return fmt.Errorf("want a number from %d to %d", least, most)
			}
			*to = T(v)
			return nil
		},
		Get: func() string { return strconv.FormatInt(int64(*to), 10) },
	}
}

func duration(name, help string, to *time.Duration, least time.Duration) Setting {
	return Setting{
		Name: name, Kind: "DURATION", Help: help,
		Set: func(s string) error {
			v, err := time.ParseDuration(s)
			if err != nil || v < least {
				return fmt.Errorf("want a duration of at least %v, such as 500ms or 3s", least)
			}
			*to = v
			return nil
		},
		Get: func() string { return to.String() },
	}
}

func size[T int | int64](name, help string, to *T, least, most int64) Setting {
	return Setting{
		Name: name, Kind: "BYTES", Help: help,
		Set: func(s string) error {
			v, err := ParseBytes(s)
			if err != nil {
				return err
			}
			if v < least || v > most {
				return fmt.Errorf("want %s to %s", FormatBytes(least), FormatBytes(most))
			}
			*to = T(v)
			return nil
		},
		Get: func() string { return FormatBytes(int64(*to)) },
	}
}

var byteUnits = []struct {
	suffix string
	bytes  int64
}{
	{"tib", 1 << 40}, {"gib", 1 << 30}, {"mib", 1 << 20}, {"kib", 1 << 10},
	{"tb", 1e12}, {"gb", 1e9}, {"mb", 1e6}, {"kb", 1e3},
	{"t", 1 << 40}, {"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"b", 1},
}

// ParseBytes reads a size: a number of bytes, or one with a unit, such as
// 64MiB (2^20), 64M (the same) or 64MB (10^6).
func ParseBytes(s string) (int64, error) {
	t, unit := lower(strings.TrimSpace(s)), int64(1)
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(t, u.suffix); ok {
			t, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	v, err := strconv.ParseInt(t, 10, 64)
	if err != nil || v < 0 || v > math.MaxInt64/unit {
		return 0, fmt.Errorf("want a size in bytes, such as 67108864 or 64MiB")
	}
	return v * unit, nil
}

// FormatBytes is exact and reads back with ParseBytes: the largest binary unit
// that divides v.
func FormatBytes(v int64) string {
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if v != 0 && v%u.bytes == 0 {
			return strconv.FormatInt(v/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(v, 10)
}

func lower(s string) string { return strings.ToLower(s) }
