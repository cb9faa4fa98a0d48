module github.com/narumq/naru/conformance/management/rabbit-hole

go 1.26.0

require github.com/narumq/naru/conformance v0.0.0

require github.com/michaelklishin/rabbit-hole/v2 v2.12.0

replace github.com/narumq/naru/conformance => ../../
