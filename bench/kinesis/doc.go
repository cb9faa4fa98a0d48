// Command kinesis runs Naru and kinesalite in turns on one machine, drives both with
// one and the same Kinesis client, and prints ratios. See the README of bench.
package main
