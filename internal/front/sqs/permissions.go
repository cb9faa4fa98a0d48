package sqs

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// AddPermission, RemovePermission: they edit the attribute Policy as SQS does.
// Deviation: the policy is kept and shown, and not enforced.

func init() {
	simple("AddPermission", addPermission)
	simple("RemovePermission", removePermission)
}

const policyLabel = labelPrefix + "Policy"

type policy struct {
	Version   string            `json:"Version"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

type statement struct {
	Sid       string         `json:"Sid"`
	Effect    string         `json:"Effect"`
	Principal map[string]any `json:"Principal"`
	Action    any            `json:"Action"`
	Resource  string         `json:"Resource"`
}

func sidOf(raw json.RawMessage) string {
	var x struct{ Sid string }
	if json.Unmarshal(raw, &x) != nil {
		return ""
	}
	return x.Sid
}

type addPermissionIn struct {
	QueueUrl      string
	Label         string
	AWSAccountIds []string `query:"AWSAccountId"`
	Actions       []string `query:"ActionName"`
}

// oneOrAll is how policies write lists.
func oneOrAll(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func addPermission(_ context.Context, s *Server, c *aws.Call, in *addPermissionIn) (*nothing, error) {
	name, err := queueName(c, in.QueueUrl)
	switch {
	case err != nil:
		return nil, err
	case in.Label == "":
		return nil, missingParameter("Label")
	case len(in.AWSAccountIds) == 0:
		return nil, missingParameter("AWSAccountId.1")
	case len(in.Actions) == 0:
		return nil, missingParameter("ActionName.1")
	}
	st := statement{Sid: in.Label, Effect: "Allow", Resource: arnOf(c, name)}
	var who, what []string
	for _, id := range in.AWSAccountIds {
		who = append(who, "arn:aws:iam::"+id+":root")
	}
	for _, a := range in.Actions {
		if _, ok := actions[a]; !ok && a != "*" {
			return nil, invalidParameter("ActionName", clip(a), "Please refer to the appropriate WSDL for a list of valid actions.")
		}
		what = append(what, "SQS:"+a)
	}
	st.Principal, st.Action = map[string]any{"AWS": oneOrAll(who)}, oneOrAll(what)
	raw, err := json.Marshal(st)
	if err != nil {
		return nil, err
	}
	_, err = s.b.AlterQueue(name, func(spec *catalog.QueueSpec) error {
		p := policy{Version: "2008-10-17", ID: arnOf(c, name) + "/SQSDefaultPolicy"}
		if old := spec.Labels[policyLabel]; old != "" {
			if err := json.Unmarshal([]byte(old), &p); err != nil {
				return invalidAttribute("Policy")
			}
		}
		if slices.ContainsFunc(p.Statement, func(x json.RawMessage) bool { return sidOf(x) == in.Label }) {
			return invalidParameter("Label", clip(in.Label), "Already exists.")
		}
		p.Statement = append(p.Statement, raw)
		return setPolicy(spec, &p)
	})
	return nil, err
}

type removePermissionIn struct {
	QueueUrl string
	Label    string
}

func removePermission(_ context.Context, s *Server, c *aws.Call, in *removePermissionIn) (*nothing, error) {
	name, err := queueName(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	_, err = s.b.AlterQueue(name, func(spec *catalog.QueueSpec) error {
		var p policy
		if old := spec.Labels[policyLabel]; old != "" {
			if err := json.Unmarshal([]byte(old), &p); err != nil {
				return invalidAttribute("Policy")
			}
		}
		had := len(p.Statement)
		p.Statement = slices.DeleteFunc(p.Statement, func(x json.RawMessage) bool { return sidOf(x) == in.Label })
		if len(p.Statement) == had {
			return invalidParameter("Label", clip(in.Label), "can't find label on existing policy.")
		}
		return setPolicy(spec, &p)
	})
	return nil, err
}

func setPolicy(spec *catalog.QueueSpec, p *policy) error {
	if len(p.Statement) == 0 {
		delete(spec.Labels, policyLabel)
		return nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	spec.Labels[policyLabel] = string(b)
	return nil
}
