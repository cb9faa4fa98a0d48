// Cluster runs three Naru brokers over a real etcd and a real S3 server (versitygw), lets everything go wrong that may, while Kafka
// clients and SQS workers go on, and judges in the end what all of them saw.
//
//	go run . --limit 4m --seed 1     # ends when a minute is left for the clients to come to an end
//	go run . --limit 1h --rate 100   # everything that was seen is kept in memory
//	go run . --faults 5 --only etcd  # only what has this in its name
//	go run . --break                 # the bucket loses what it acknowledged; passes only if that shows
//
// One broker begins, two others join it, then one fault follows the other, in the seed's order: brokers are killed, stopped, ended and
// restarted one after the other; etcd and the bucket are stopped and killed; every wire between a broker and them can be cut (one way
// or both), slowed, torn, or refuse; the bucket answers 503, or does what it was asked for and does not say so. In the end one broker
// is left. What must hold: nothing acknowledged is lost, offsets and values agree, each group of each kind is in order, nothing comes
// again after its deletion was confirmed, no broker speaks for a log that it lost, no client meets an error that it must not try again
// after, everything is served again within the lease and --grace, and etcd, once it forgets its past, has no more in use than before.
//
// It is also a cluster to try: with --dev it starts the same, prints the addresses, and waits for Ctrl-C.
//
//	go run . --dev
//
// It is a module of its own, so that the servers' dependencies weigh on nobody who only builds Naru.
package main
