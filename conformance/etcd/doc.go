// Package etcd holds Naru's coordinator to a real etcd, whose server runs in the test's
// process. It is a module of its own, so that the server's dependencies weigh on
// nobody who only builds Naru.
package etcd
