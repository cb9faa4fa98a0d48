package api

import (
	"context"
	"testing"

	"connectrpc.com/connect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

func TestUsersByREST(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/users", `{"user":"a/b","password":"secret","tags":["monitoring"]}`)
	refused := func(method, path, body string, want int) {
		t.Helper()
		if code, answer, _ := w.call(method, path, body); code != want {
			t.Errorf("%s %s %s: %d %v, want %d", method, path, body, code, answer, want)
		}
	}
	refused("POST", "/v1/users", `{"user":"a/b","password":"other"}`, 409)
	refused("POST", "/v1/users", `{"user":"c"}`, 400) // no password
	refused("PATCH", "/v1/users/c", `{"password":"x"}`, 404)
	refused("PATCH", "/v1/users/a%2Fb", `{"password":""}`, 400)
	refused("POST", "/v1/users/a%2Fb:permit", `{"namespace":"nowhere"}`, 404)
	refused("POST", "/v1/users/a%2Fb:permit", `{"read":"("}`, 400)
	if _, err := w.s.broker.Authenticate(context.Background(), "a/b", "secret"); err != nil {
		t.Error(err)
	}
	w.must("PATCH", "/v1/users/a%2Fb", `{"password":"other"}`)
	if _, err := w.s.broker.Authenticate(context.Background(), "a/b", "other"); err != nil {
		t.Error(err)
	}
	w.must("POST", "/v1/users/a%2Fb:permit", `{"configure":"","write":"^orders$","read":".*"}`)
	users := w.must("GET", "/v1/users", "")["users"].([]any)
	u := users[0].(map[string]any)
	p := u["permissions"].([]any)[0].(map[string]any)
	if len(users) != 1 || u["user"] != "a/b" || u["hasPassword"] != true || p["namespace"] != "/" || p["write"] != "^orders$" {
		t.Errorf("%v", users)
	}
	want(t, stringsOf(u["tags"]), "monitoring")
	u = w.must("PATCH", "/v1/users/a%2Fb", `{"tags":{}}`)
	if tags := stringsOf(u["tags"]); len(tags) != 0 {
		t.Errorf("tags %v", tags)
	}
	u = w.must("POST", "/v1/users/a%2Fb:forbid", `{}`)
	if list, _ := u["permissions"].([]any); len(list) != 0 {
		t.Errorf("permissions %v", list)
	}
	w.must("DELETE", "/v1/users/a%2Fb", "")
	refused("DELETE", "/v1/users/a%2Fb", "", 404)
}

func stringsOf(v any) (out []string) {
	list, _ := v.([]any)
	for _, x := range list {
		out = append(out, x.(string))
	}
	return out
}

// What a password is hashed to is told to nobody.
func TestUsersHaveNoHashes(t *testing.T) {
	fields := (&naruv1.User{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := fields.Get(i).Name(); name == "hash" || name == "password" {
			t.Errorf("a user has %s", name)
		}
	}
	if _, err := newWorld(t).s.DeleteUser(context.Background(), &naruv1.DeleteUserRequest{User: "x"}); codeOf(err) != connect.CodeNotFound {
		t.Error(err)
	}
}
