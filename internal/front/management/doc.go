// Package management serves the part of RabbitMQ's management HTTP API (the plugin rabbitmq_management, version 3) that
// people's tools call: rabbitmqadmin, client libraries, monitoring, provisioning.
//
// A request finds its function by the table routes (routes.go), which docs/amqp.md repeats. Functions read the broker, and do
// by way of the AMQP front end, which Config.AMQP stands for, what clients could do over AMQP: so the same checks hold and the
// same errors come back. They return objects as maps, because tools choose columns and order by any field's name (list.go).
//
// # Who may ask
//
// Users prove themselves with HTTP basic authentication for each request. While there are no users everybody is let in, but only
// from this machine. What a user may do to a queue or an exchange is what the user may do over AMQP; users, virtual hosts
// and definitions are an administrator's. Pages of other origins get nothing.
//
// # What always holds
//
//   - A body, a list of messages, a page and what is remembered for rates have named limits (limits.go).
//   - An import can be repeated: what is the same is left alone, and what cannot be done is reported and keeps nothing else back.
package management
