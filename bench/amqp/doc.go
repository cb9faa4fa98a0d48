// Command amqp runs Naru and RabbitMQ in turns on one machine, drives both with one and
// the same AMQP 0-9-1 client, and prints ratios. See the README of bench.
package main
