// Command queues runs Naru and ElasticMQ in turns on one machine, drives both with
// one and the same SQS client, and prints ratios. See the README of bench.
package main
