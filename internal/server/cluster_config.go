package server

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
)

// validateCluster checks the settings of a cluster against each other.
func (c *Config) validateCluster() error {
	if c.Cluster == "" {
		if c.Etcd != "" {
			return fmt.Errorf("--etcd is for a broker of a cluster: set --cluster s3://BUCKET/PREFIX too")
		}
		return nil
	}
	if _, err := c.bucket(); err != nil {
		return err
	}
	if c.Etcd == "" {
		return fmt.Errorf("--cluster needs --etcd HOST:PORT, where the brokers agree on who owns what")
	}
	for _, e := range c.endpoints() {
		if err := checkAddress(e); err != nil && !strings.Contains(e, "://") {
			return fmt.Errorf("--etcd %q: %w", e, err)
		}
	}
	if c.PeerAddr == Off {
		return fmt.Errorf("--peer is off: the brokers of a cluster need to reach each other")
	}
	if given := []bool{c.PeerCert != "", c.PeerKey != "", c.PeerCA != ""}; slices.Contains(given, true) && slices.Contains(given, false) {
		return fmt.Errorf("--peer-cert, --peer-key and --peer-ca belong together: set all of them, or none")
	}
	for _, addr := range []string{c.KafkaAddr, c.AWSAddr, c.AMQPAddr, c.HTTPAddr, c.PeerAddr} {
		if host, _, err := net.SplitHostPort(addr); err == nil && unspecified(host) && c.Advertise == "" {
			return fmt.Errorf("%s stands for all addresses of this machine, and clients need one: set --advertise HOST", addr)
		}
	}
	if c.Lease%time.Second != 0 || c.Lease > coord.TTLMax {
		return fmt.Errorf("--lease %v: want whole seconds, at most %v", c.Lease, coord.TTLMax)
	}
	return nil
}

func (c *Config) endpoints() []string {
	list := strings.Split(c.Etcd, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// bucket is where the cluster's bucket is.
func (c *Config) bucket() (objectstore.S3Config, error) {
	where, err := objectstore.ParseS3URL(c.Cluster)
	if err != nil {
		return where, fmt.Errorf("--cluster: %w", err)
	}
	return where, nil
}

// quorum prepares access to the cluster's etcd, whose keys begin with the bucket's name, so that one etcd serves many clusters. A
// request may take limit; 0: coord.RequestTimeoutDefault.
func (c *Config) quorum(limit time.Duration) (*coord.Etcd, error) {
	bucket, err := c.bucket()
	if err != nil {
		return nil, err
	}
	prefix := "naru/" + bucket.Bucket + "/"
	if bucket.Prefix != "" {
		prefix += bucket.Prefix + "/"
	}
	e, err := coord.NewEtcd(coord.EtcdConfig{Endpoints: c.endpoints(), Prefix: prefix, RequestTimeout: limit})
	if err != nil {
		return nil, fmt.Errorf("--etcd: %w", err)
	}
	return e, nil
}

// reachable is where clients find an endpoint that listens at addr.
func (c *Config) reachable(addr net.Addr) string {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil || c.Advertise == "" {
		return addr.String()
	}
	return net.JoinHostPort(c.Advertise, port)
}

// kafkaReachable is reachable for Kafka's clients, who may be told another address.
func (c *Config) kafkaReachable(addr net.Addr) string {
	if c.KafkaAdvertised != "" {
		return c.KafkaAdvertised
	}
	return c.reachable(addr)
}
