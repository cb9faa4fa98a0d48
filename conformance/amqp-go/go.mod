module github.com/narumq/naru/conformance/amqp-go

go 1.26.0

require (
	github.com/narumq/naru/conformance v0.0.0
	github.com/rabbitmq/amqp091-go v1.16.0
)

replace github.com/narumq/naru/conformance => ../
