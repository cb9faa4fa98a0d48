// Package s3 holds Naru's object store to real S3 servers: versitygw, which the tests
// build and start, and any other that the environment names. It is a module of its
// own, so that the server's dependencies weigh on nobody who only builds Naru.
//
// With NARU_TEST_S3 set to a URL as `naru serve --cluster` takes it
// (s3://BUCKET/PREFIX?endpoint=…), and AWS's own variables for the credentials, the
// tests run against that bucket too. They delete all that is under the prefix.
package s3
