package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// dev is a cluster to try.
func dev(ctx context.Context, o options, dir string) error {
	fmt.Println("building what is not given, and starting etcd, versitygw and three brokers …")
	p, err := startParts(ctx, dir, wants{naru: o.naru, s3: o.versitygw, lease: o.lease, first: brokerCount, amqp: true, keys: o.keys})
	if err != nil {
		return err
	}
	defer p.close()
	p.introduce()
	if o.env != "" {
		if err := p.tell(ctx, o.env); err != nil {
			return err
		}
	}
	<-ctx.Done()
	fmt.Println("\nending all …")
	return nil
}

// introduce prints where everything is. The brokers' numbers are etcd's to give, and cluster status tells them.
func (p *parts) introduce() {
	fmt.Printf("\netcd    %s\nbucket  %s at %s, with the key %s and the secret %s\n\n", p.etcdAddr, bucket, p.endpoint, accessKey, secretKey)
	for _, b := range p.brokers {
		fmt.Printf("broker  pid %-7d kafka %s  http http://%s  aws http://%s  amqp %s  amqp-management http://%s\n",
			b.cmd.Process.Pid, b.kafka, b.http, b.aws, b.amqp, b.management)
	}
	one := p.brokers[0]
	fmt.Printf(`
Kafka    bootstrap servers %s
         kcat -b %s -t hello -P
SQS      aws sqs create-queue --queue-name jobs --endpoint-url http://%s   (any credentials)
AMQP     amqp://%s
HTTP     curl http://%s/readyz; the console is at the same address
status   AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s %s cluster status --cluster '%s' --etcd %s

End a broker (kill -9 PID) and see others take over. Logs are in %s. Ctrl-C ends and removes all.
`, p.bootstrap(), p.bootstrap(), one.aws, one.amqp, one.http, accessKey, secretKey, p.naru, one.args[2], p.etcdAddr, p.dir)
}

func (p *parts) bootstrap() string {
	var list []string
	for _, b := range p.brokers {
		list = append(list, b.kafka)
	}
	return strings.Join(list, ",")
}

// tell writes the addresses as a shell reads them, when no slot moves any more: those of one broker where there can be only one.
func (p *parts) tell(ctx context.Context, file string) error {
	if err := p.settled(ctx); err != nil {
		return fmt.Errorf("all slots where they belong: %w", err)
	}
	b, err := p.carrier(ctx)
	if err != nil {
		return err
	}
	return writeWhole(file, fmt.Sprintf(
		"bootstrap=%s\nAWS_ENDPOINT_URL=http://%s\nNARU_HTTP=http://%s\nAMQP_URL=amqp://guest:guest@%s/\nAMQP_MANAGEMENT_URL=http://%s\n",
		p.bootstrap(), b.aws, b.http, b.amqp, b.management))
}

// writeWhole lets nobody see a part of a file.
func writeWhole(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
