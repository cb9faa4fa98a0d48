// Cluster measures Naru over a bucket and etcd, beside KafScale, which keeps Kafka's topics in the same way, and beside Naru on its own disk.
// All sides get a real etcd and a real S3 server (versitygw), started anew for each scene, on this machine.
//
// KafScale is run if --kafscale names its broker's program; nothing here builds it.
//
// It is a module of its own, so that the servers' dependencies weigh on nobody who only runs the other comparisons.
package main
