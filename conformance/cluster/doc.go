// Cluster runs three Naru brokers over a real etcd and a real S3 server (versitygw), kills, stops and ends whoever owns the log,
// again and again, while Kafka clients and SQS workers go on, and judges in the end what all of them saw.
//
//	go run . --faults 8 --seed 1
//
// It is also a cluster to try: with --dev it starts the same, prints the addresses, and waits for Ctrl-C.
//
//	go run . --dev
//
// It is a module of its own, so that the servers' dependencies weigh on nobody who only builds Naru.
package main
