package amqp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// addUser makes a user whose password is its name.
func (w *world) addUser(name string, p *user.Permissions, tags ...string) {
	w.t.Helper()
	_, err := w.b.PutUser(name, broker.UserSpec{Password: &name, Tags: tags})
	ok(w.t, err)
	if p != nil {
		ok(w.t, w.b.SetPermissions(name, "/", *p))
	}
}

func (w *world) dialAs(name, password, vhost string) (*client.Connection, error) {
	c, err := client.Dial("amqp://" + name + ":" + password + "@" + w.addr + "/" + vhost)
	if err == nil {
		w.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.All)
	for _, auth := range []client.Authentication{
		&client.PlainAuth{Username: "me", Password: "me"}, &client.AMQPlainAuth{Username: "me", Password: "me"},
	} {
		c, err := client.DialConfig("amqp://"+w.addr+"/", client.Config{SASL: []client.Authentication{auth}})
		ok(t, err)
		c.Close()
	}
	for _, login := range [][2]string{{"me", "wrong"}, {"guest", "guest"}, {"me", ""}} {
		_, err := w.dialAs(login[0], login[1], "")
		refused(t, err, 403, "username or password not allowed")
	}
}

// A client that cannot be told why is told nothing.
func TestLoginRefused(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.All)
	for _, told := range []bool{true, false} {
		p := newPeer(t, must[net.Conn](t)(net.Dial("tcp", w.addr)))
		p.send([]byte(wire.ProtocolHeader))
		want[*wire.ConnectionStart](p)
		properties := wire.NewTable(wire.Field{Name: "capabilities", Value: wire.NewTable(
			wire.Field{Name: "authentication_failure_close", Value: wire.Bool(told)}).Value()})
		p.method(0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00me\x00wrong", ClientProperties: properties})
		if !told {
			if _, _, err := p.in.frame(1 << 20); !errors.Is(err, io.EOF) {
				t.Errorf("%v, want the end", err)
			}
			continue
		}
		if e := want[*wire.ConnectionClose](p); e.ReplyCode != 403 || e.ClassID != 0 || e.MethodID != 0 || e.ReplyText !=
			"ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile." {
			t.Errorf("%+v", e)
		}
	}
}

func TestVirtualHostPermissions(t *testing.T) {
	w := newWorld(t)
	ok(t, w.b.CreateNamespace("shop"))
	w.addUser("me", &user.All)
	_, err := w.dialAs("me", "me", "shop")
	refused(t, err, 530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'me'")
	ok(t, w.b.SetPermissions("me", "shop", user.Permissions{}))
	_, err = w.dialAs("me", "me", "shop")
	ok(t, err)
}

// Each operation needs what RabbitMQ's table of access control says, and no more.
func TestPermissions(t *testing.T) {
	w := newWorld(t)
	setUp := w.channel()
	ok(t, setUp.ExchangeDeclare("x", "direct", true, false, false, false, nil))
	ok(t, setUp.ExchangeDeclare("y", "direct", true, false, false, false, nil))
	queueOf(t, setUp, "q", nil)
	c, wr, r := "configure", "write", "read"
	for _, tc := range []struct {
		name  string
		needs map[string]string // permission to pattern
		error string            // of the one who lacks it
		do    func(ch *client.Channel) error
	}{
		{"exchange.declare", map[string]string{c: "^new$"}, "exchange 'new'", func(ch *client.Channel) error {
			return ch.ExchangeDeclare("new", "direct", true, false, false, false, nil)
		}},
		{"exchange.declare with an alternate", map[string]string{c: "^alt$", r: "^alt$", wr: "^x$"}, "exchange ", func(ch *client.Channel) error {
			err := ch.ExchangeDeclare("alt", "direct", true, false, false, false, client.Table{"alternate-exchange": "x"})
			if err == nil {
				err = ch.ExchangeDelete("alt", false, false)
			}
			return err
		}},
		{"passive exchange.declare", nil, "", func(ch *client.Channel) error {
			return ch.ExchangeDeclarePassive("x", "direct", true, false, false, false, nil)
		}},
		{"exchange.delete", map[string]string{c: "^new$"}, "exchange 'new'", func(ch *client.Channel) error {
			return ch.ExchangeDelete("new", false, false)
		}},
		{"queue.declare", map[string]string{c: "^new$"}, "queue 'new'", func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("new", true, false, false, false, nil)
			return err
		}},
		{"queue.declare with dead letters", map[string]string{c: "^dead$", r: "^dead$", wr: "^x$"}, " in vhost", func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("dead", true, false, false, false, client.Table{"x-dead-letter-exchange": "x"})
			if err == nil {
				_, err = ch.QueueDelete("dead", false, false, false)
			}
			return err
		}},
		{"queue.declare of the server's name", map[string]string{c: `^amq\.gen-`}, "queue 'amq.gen-", func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("", false, true, true, false, nil)
			return err
		}},
		{"passive queue.declare", nil, "", func(ch *client.Channel) error {
			_, err := ch.QueueDeclarePassive("q", true, false, false, false, nil)
			return err
		}},
		{"queue.bind", map[string]string{wr: "^q$", r: "^x$"}, " in vhost", func(ch *client.Channel) error {
			return ch.QueueBind("q", "k", "x", false, nil)
		}},
		{"queue.unbind", map[string]string{wr: "^q$", r: "^x$"}, " in vhost", func(ch *client.Channel) error {
			return ch.QueueUnbind("q", "k", "x", nil)
		}},
		{"exchange.bind", map[string]string{wr: "^y$", r: "^x$"}, "exchange ", func(ch *client.Channel) error {
			return ch.ExchangeBind("y", "k", "x", false, nil)
		}},
		{"exchange.unbind", map[string]string{wr: "^y$", r: "^x$"}, "exchange ", func(ch *client.Channel) error {
			return ch.ExchangeUnbind("y", "k", "x", false, nil)
		}},
		{"basic.publish", map[string]string{wr: "^x$"}, "exchange 'x'", publishOnce("x", "k")},
		{"basic.publish to a queue", map[string]string{wr: `^amq\.default$`}, "exchange 'amq.default'", publishOnce("", "q")},
		{"basic.get", map[string]string{r: "^q$"}, "queue 'q'", func(ch *client.Channel) error {
			_, _, err := ch.Get("q", true)
			return err
		}},
		{"basic.consume", map[string]string{r: "^q$"}, "queue 'q'", func(ch *client.Channel) error {
			_, err := ch.Consume("q", "", true, false, false, false, nil)
			return err
		}},
		{"queue.purge", map[string]string{r: "^q$"}, "queue 'q'", func(ch *client.Channel) error {
			_, err := ch.QueuePurge("q", false)
			return err
		}},
		{"queue.delete", map[string]string{c: "^new$"}, "queue 'new'", func(ch *client.Channel) error {
			_, err := ch.QueueDelete("new", false, false, false)
			return err
		}},
		{"direct replies", nil, "", func(ch *client.Channel) error {
			_, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := user.Permissions{Configure: tc.needs[c], Write: tc.needs[wr], Read: tc.needs[r]}
			ok(t, tc.do(w.channelWith(p)))
			for i := range 3 {
				lacks := p
				part := []*string{&lacks.Configure, &lacks.Write, &lacks.Read}[i]
				if *part == "" {
					continue
				}
				*part = "^other$"
				err := tc.do(w.channelWith(lacks))
				refused(t, err, 403, "ACCESS_REFUSED - access to ")
				refused(t, err, 403, tc.error)
				refused(t, err, 403, "in vhost '/' refused for user 'me'")
			}
		})
	}
}

// channelWith is a channel of a user who may do that.
func (w *world) channelWith(p user.Permissions) *client.Channel {
	w.t.Helper()
	w.addUser("me", &p)
	return w.channel(must[*client.Connection](w.t)(w.dialAs("me", "me", "")))
}

// publishOnce publishes with a confirm, or returns why the channel ended.
func publishOnce(exchange, key string) func(ch *client.Channel) error {
	return func(ch *client.Channel) error { return publishTo(ch, exchange, key, client.Publishing{}) }
}

func publishTo(ch *client.Channel, exchange, key string, m client.Publishing) error {
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	if err := ch.Confirm(false); err != nil {
		return err
	}
	d, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), exchange, key, false, false, m)
	if err != nil {
		return err
	}
	select {
	case <-d.Done():
		if d.Acked() {
			return nil
		}
	case <-time.After(patience):
		return errors.New("neither confirmed nor refused")
	}
	return <-closed // which ends what is to be confirmed, too
}

func TestTopicPermissions(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.All)
	ok(t, w.b.SetTopicPermissions("me", "/", "amq.topic", user.TopicPermissions{Write: `^{username}\.`, Read: "^open"}))
	dial := func() *client.Channel { return w.channel(must[*client.Connection](t)(w.dialAs("me", "me", ""))) }
	ch := dial()
	queueOf(t, ch, "q", nil)
	ok(t, publishTo(ch, "amq.topic", "me.x", client.Publishing{}))
	ok(t, ch.QueueBind("q", "open.#", "amq.topic", false, nil))
	ok(t, publishTo(ch, "amq.direct", "other", client.Publishing{}))
	refused(t, publishTo(ch, "amq.topic", "other.x", client.Publishing{}), 403,
		"ACCESS_REFUSED - access to topic 'other.x' in exchange 'amq.topic' in vhost '/' refused for user 'me'")
	refused(t, publishTo(dial(), "amq.topic", "me.x", client.Publishing{Headers: client.Table{"CC": []any{"other"}}}), 403, "access to topic 'other'")
	refused(t, dial().QueueBind("q", "closed", "amq.topic", false, nil), 403, "access to topic 'closed'")
}

// What a user may do changes for connections that are open.
func TestPermissionsChange(t *testing.T) {
	w := newWorld(t)
	ended := w.dial().NotifyClose(make(chan *client.Error, 1))
	w.addUser("me", &user.All)
	refused(t, next(t, ended), 320, "CONNECTION_FORCED - there are users now")

	c := must[*client.Connection](t)(w.dialAs("me", "me", ""))
	gone := c.NotifyClose(make(chan *client.Error, 1))
	ch := w.channel(c)
	queueOf(t, ch, "q", nil)
	ok(t, publishTo(ch, "", "q", client.Publishing{}))
	ok(t, w.b.SetPermissions("me", "/", user.Permissions{Configure: ".*", Read: ".*"}))
	refused(t, publishTo(ch, "", "q", client.Publishing{}), 403, "access to exchange 'amq.default'")
	ok(t, w.b.DeleteUser("me"))
	refused(t, next(t, gone), 320, "CONNECTION_FORCED - user 'me' was deleted")
	w.dial() // nobody is left: everybody is let in
}

// Who waits for room can be sent away.
func TestForcedWhileBlocked(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.All)
	c := must[*client.Connection](t)(w.dialAs("me", "me", ""))
	gone := c.NotifyClose(make(chan *client.Error, 1))
	blocked := c.NotifyBlocked(make(chan client.Blocking, 1))
	ch := w.channel(c)
	w.s.Block("low on disk")
	defer w.s.Unblock()
	publish(t, ch, "", "q", "x")
	next(t, blocked)
	ok(t, w.b.DeleteUser("me"))
	refused(t, next(t, gone), 320, "CONNECTION_FORCED - user 'me' was deleted")
}

// A connection remembers no more answers than it may, whatever it asks.
func TestAnswers(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.Permissions{Write: "7$"})
	c := &conn{s: w.s, user: "me", vhost: "/"}
	ok(t, c.assume("me"))
	for round := range 2 {
		for i := range 2*answersMax + 1 {
			if err := c.mayQueue(user.Write, fmt.Sprint(i)); (err == nil) != (i%10 == 7) {
				t.Fatalf("round %d, %d: %v", round, i, err)
			}
			if len(c.answers) > answersMax {
				t.Fatalf("%d answers", len(c.answers))
			}
		}
	}
}

func TestUserID(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.All)
	w.addUser("actor", &user.All, user.TagImpersonator)
	dial := func(name string) *client.Channel {
		return w.channel(must[*client.Connection](t)(w.dialAs(name, name, "")))
	}
	queueOf(t, dial("me"), "q", nil)
	ok(t, publishTo(dial("me"), "", "q", client.Publishing{UserId: "me"}))
	ok(t, publishTo(dial("actor"), "", "q", client.Publishing{UserId: "me"}))
	refused(t, publishTo(dial("me"), "", "q", client.Publishing{UserId: "actor"}), 406,
		"user_id property set to 'actor' but authenticated user was 'me'")
}

func TestUpdateSecret(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.All)
	c := must[*client.Connection](t)(w.dialAs("me", "me", ""))
	ok(t, c.UpdateSecret("a token of another kind", "why"))
	ok(t, w.channel(c).Close())
}

// A thousand connections of a user keep its patterns once, and a change of them is not missed.
func TestRightsAreShared(t *testing.T) {
	w := newWorld(t)
	w.addUser("me", &user.Permissions{Configure: "a", Write: "a", Read: "a"})
	find := func() *user.Rights {
		u := must[*user.User](t)(w.b.User("me"))
		r, may := w.s.rights.find(u, "/")
		if _, other := w.s.rights.find(u, "other"); !may || other {
			t.Errorf("%v, %v", may, other)
		}
		return r
	}
	first := find()
	if find() != first {
		t.Error("compiled anew")
	}
	ok(t, w.b.SetPermissions("me", "/", user.Permissions{Configure: "b"}))
	if now := find(); now.Allow(user.Configure, "a") || !now.Allow(user.Configure, "b") {
		t.Error("rights are old")
	}
}

// A queue that is somebody's own is nobody else's, not even before its owner is noted.
func TestExclusiveWithoutOwner(t *testing.T) {
	w := newWorld(t)
	d := must[*declaration](t)(declarationOf("q", &wire.QueueDeclare{Exclusive: true}, "/"))
	must[*broker.Queue](t)(w.b.CreateNamespaceQueue("/", "q", d.spec()))
	_, err := w.channel().QueueDeclarePassive("q", false, false, false, false, nil)
	refused(t, err, 405, "cannot obtain exclusive access")
	_, err = w.channel().QueueDeclare("q", false, false, false, false, nil)
	refused(t, err, 405, "cannot obtain exclusive access")
	if code, _ := Explain(w.s.PurgeQueue("/", "q")); code != 405 {
		t.Error(code)
	}
}
