package kinesis

import (
	"context"
	"encoding/json"

	"github.com/narumq/naru/internal/front/aws"
)

// PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: kept and shown, not
// enforced.

// policyBytesMax is IAM's bound on a policy.
const policyBytesMax = 20 << 10

func init() {
	register("PutResourcePolicy", putPolicy)
	register("GetResourcePolicy", getPolicy)
	register("DeleteResourcePolicy", deletePolicy)
}

type putPolicyIn struct {
	Policy *string `is:"Any,required"`
	resourceIn
}

func putPolicy(_ context.Context, s *Server, _ *aws.Call, in *putPolicyIn) (*nothing, error) {
	t, consumer, err := s.find(&in.resourceIn)
	if err != nil {
		return nil, err
	}
	if len(*in.Policy) > policyBytesMax || !json.Valid([]byte(*in.Policy)) {
		return nil, invalidArgument("The policy is no JSON, or is longer than %d bytes.", policyBytesMax)
	}
	return nil, gone(s.annotate(t.Name, func(tr *traits) error {
		if tr.Policies == nil {
			tr.Policies = make(map[string]string)
		}
		tr.Policies[consumer] = *in.Policy
		return nil
	}), t.Name)
}

type policyOut struct{ Policy string }

func getPolicy(_ context.Context, s *Server, _ *aws.Call, in *resourceIn) (*policyOut, error) {
	t, consumer, err := s.find(in)
	if err != nil {
		return nil, err
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, err
	}
	policy, ok := tr.Policies[consumer]
	if !ok {
		return nil, notFound("No policy is attached to the resource %s.", clip(*in.ResourceARN))
	}
	return &policyOut{policy}, nil
}

func deletePolicy(_ context.Context, s *Server, _ *aws.Call, in *resourceIn) (*nothing, error) {
	t, consumer, err := s.find(in)
	if err != nil {
		return nil, err
	}
	return nil, gone(s.annotate(t.Name, func(tr *traits) error {
		if _, ok := tr.Policies[consumer]; !ok {
			return notFound("No policy is attached to the resource %s.", clip(*in.ResourceARN))
		}
		delete(tr.Policies, consumer)
		return nil
	}), t.Name)
}
