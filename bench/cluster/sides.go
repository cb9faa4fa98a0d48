package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/narumq/naru/bench/internal/load"
	"github.com/narumq/naru/bench/internal/peer"
)

const (
	sideKafScale = "kafscale"
	sideDisk     = "disk"
)

// spec is one side of the comparison.
type spec struct {
	name, title, durability string
	plain                   bool // it knows no idempotent producers
	brokersMax              int  // how many it can be asked to be
	parts                   bool // it needs a bucket and etcd
	readyz                  bool // its second port says when it is ready
	// command is the command line of the broker with this number.
	command func(p *parts, h peer.Home, number int) []string
}

func (c *command) naruCluster() spec {
	return spec{
		name: "naru", title: "Naru", durability: "in the bucket", brokersMax: 3, parts: true, readyz: true,
		command: func(p *parts, h peer.Home, _ int) []string {
			return []string{
				"env", "AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
				c.Naru, "serve", "--cluster", "s3://" + bucket + "/naru?endpoint=" + url.QueryEscape(p.endpoint), "--etcd", p.etcd,
				"--lease", c.lease.String(), "--kafka", h.Addr(), "--http", fmt.Sprintf("127.0.0.1:%d", h.SecondPort), "--aws", "off", "--amqp", "off",
				"--peer", fmt.Sprintf("127.0.0.1:%d", h.ThirdPort),
			}
		},
	}
}

func (c *command) naruDisk() spec {
	return spec{
		name: sideDisk, title: "Naru alone", durability: "on its disk", brokersMax: 1,
		command: func(_ *parts, h peer.Home, _ int) []string {
			return []string{c.Naru, "serve", "--data", h.Data(), "--kafka", h.Addr(), "--http", "off", "--aws", "off", "--amqp", "off"}
		},
	}
}

// kafScale is its broker with its defaults: a request is answered when what it wrote is in the bucket. It is one broker: the list of
// several, and who leads what, is written by its operator, which needs Kubernetes.
func (c *command) kafScale() spec {
	return spec{
		name: sideKafScale, title: "KafScale", durability: "in the bucket", plain: true, brokersMax: 1, parts: true,
		command: func(p *parts, h peer.Home, number int) []string {
			return []string{
				"env", "KAFSCALE_BROKER_ID=" + fmt.Sprint(number), "KAFSCALE_BROKER_ADDR=" + h.Addr(),
				fmt.Sprintf("KAFSCALE_METRICS_ADDR=127.0.0.1:%d", h.SecondPort), fmt.Sprintf("KAFSCALE_CONTROL_ADDR=127.0.0.1:%d", h.ThirdPort),
				"KAFSCALE_S3_BUCKET=" + bucket, "KAFSCALE_S3_REGION=us-east-1", "KAFSCALE_S3_ENDPOINT=" + p.endpoint, "KAFSCALE_S3_PATH_STYLE=true",
				"KAFSCALE_S3_ACCESS_KEY=" + accessKey, "KAFSCALE_S3_SECRET_KEY=" + secretKey,
				"KAFSCALE_ETCD_ENDPOINTS=http://" + p.etcd, "KAFSCALE_LOG_LEVEL=error", c.kafscale,
			}
		},
	}
}

// world is brokers of one side, with what they need.
type world struct {
	*parts
	spec    spec
	homes   []peer.Home
	brokers []*peer.Process
}

func (s *session) world(ctx context.Context, dir string, brokers int, counted bool) (w *world, err error) {
	w = &world{parts: &parts{dir: dir}, spec: s.spec}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if s.spec.parts {
		if w.parts, err = startParts(ctx, s.command, dir, counted); err != nil {
			return w, err
		}
	}
	for range brokers {
		h, err := peer.NewHome(dir, false)
		if err != nil {
			return w, err
		}
		w.homes = append(w.homes, h)
	}
	return w, w.start(ctx)
}

// start starts all brokers, and waits until they answer.
func (w *world) start(ctx context.Context) error {
	w.brokers = nil
	for i, h := range w.homes {
		p, err := peer.Spec{Name: w.spec.name, Command: func(h peer.Home) []string { return w.spec.command(w.parts, h, i+1) }}.Start(h)
		if err != nil {
			return err
		}
		w.brokers = append(w.brokers, p)
	}
	for _, h := range w.homes {
		if err := until(ctx, startPatience, func() error { return peer.AskMetadata(h.Addr()) }); err != nil {
			return err
		}
		if w.spec.readyz {
			if err := answers(ctx, fmt.Sprintf("http://127.0.0.1:%d/readyz", h.SecondPort)); err != nil {
				return err
			}
		}
	}
	return nil
}

// stop ends the brokers, not what they share.
func (w *world) stop() (err error) {
	for _, b := range w.brokers {
		err = errors.Join(err, b.Stop())
	}
	return err
}

func (w *world) close() {
	_ = w.stop()
	w.parts.close()
}

func (w *world) seeds() (addrs []string) {
	for _, h := range w.homes {
		addrs = append(addrs, h.Addr())
	}
	return addrs
}

func (w *world) options() load.Options {
	return load.Options{Addr: strings.Join(w.seeds(), ","), Plain: w.spec.plain}
}

// storedBytes are those of the bucket's files.
func (w *world) storedBytes() (int64, error) { return treeBytes(filepath.Join(w.dir, "s3", bucket)) }

// flushes are the objects of appends that were committed, where a broker says so.
func (w *world) flushes() (n float64) {
	for _, h := range w.homes {
		_ = metrics(fmt.Sprintf("http://127.0.0.1:%d/metrics", h.SecondPort), func(name, _ string, v float64) {
			if name == "naru_flush_commit_seconds_count" {
				n += v
			}
		})
	}
	return n
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
