package main

import "github.com/narumq/naru/bench/internal/peer"

// burnt is CPU time, in seconds.
type burnt struct{ brokers, s3, etcd, client float64 }

func (b burnt) since(a burnt) burnt {
	return burnt{b.brokers - a.brokers, b.s3 - a.s3, b.etcd - a.etcd, b.client - a.client}
}

// burnt is what all processes used so far.
func (w *world) burnt() burnt {
	b := burnt{s3: w.cpu(s3Server), etcd: w.cpu(etcdServer), client: peer.OwnCPU().Seconds()}
	for _, p := range w.brokers {
		if u, err := p.Usage(); err == nil {
			b.brokers += u.CPU.Seconds()
		}
	}
	return b
}

// noteCPU notes what a row took, for each GiB of records.
func (s *session) noteCPU(id string, b burnt, mib float64) {
	gib := mib / 1024
	s.values[id+".cpu"], s.values[id+".client"] = b.brokers/gib, b.client/gib
	if s.spec.parts {
		s.values[id+".s3cpu"], s.values[id+".etcdcpu"] = b.s3/gib, b.etcd/gib
	}
	s.say("%s: %.1f MiB/s; CPU in s per GiB: brokers %.2f, S3 server %.2f, etcd %.2f, client %.2f",
		id, s.values[id+".mib"], b.brokers/gib, b.s3/gib, b.etcd/gib, b.client/gib)
}
