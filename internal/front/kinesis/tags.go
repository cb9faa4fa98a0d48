package kinesis

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// AddTagsToStream, RemoveTagsFromStream, ListTagsForStream: up to 50 tags.
//
// TagResource, UntagResource, ListTagsForResource: the same for streams and
// registered consumers, by ARN.

const tagsMax = 50

func init() {
	register("AddTagsToStream", addTags)
	register("RemoveTagsFromStream", removeTags)
	register("ListTagsForStream", listTags)
	register("TagResource", tagResource)
	register("UntagResource", untagResource)
	register("ListTagsForResource", listResourceTags)
}

var badTagText = regexp.MustCompile(`[^\p{L}\p{Z}\p{N}_.:/=+\-@%]`)

// checkTags holds tags' texts to what Kinesis takes.
func checkTags(stream string, tags map[string]string) error {
	if len(tags) > tagsMax {
		return tooManyTags(stream)
	}
	return checkTagTexts("Failed to add tags to", stream, slices.AppendSeq(slices.Collect(maps.Keys(tags)), maps.Values(tags)))
}

func checkTagTexts(failed, stream string, texts []string) error {
	for _, text := range texts {
		if badTagText.MatchString(text) {
			return invalidArgument("Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - %% @.")
		}
		if strings.Contains(text, "%") {
			return invalidArgument("%s stream %s under account %s because some tags contained illegal characters. "+
				"The allowed characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@'.", failed, stream, Account)
		}
	}
	return nil
}

func tooManyTags(stream string) error {
	return invalidArgument("Failed to add tags to stream %s under account %s because a given stream cannot have more than %d tags associated with it.", stream, Account, tagsMax)
}

func putTags(stream string, have, more map[string]string) error {
	maps.Copy(have, more)
	if len(have) > tagsMax {
		return tooManyTags(stream)
	}
	return nil
}

type addTagsIn struct {
	Tags map[string]string `is:"TagMap,required"`
	streamRef
}

func addTags(_ context.Context, s *Server, _ *aws.Call, in *addTagsIn) (*nothing, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	return nil, s.changeTags(t.Name, "", in.Tags, nil)
}

// changeTags puts and removes tags of a stream, or of one of its consumers.
func (s *Server) changeTags(stream, consumer string, put map[string]string, remove []string) error {
	if err := checkTags(stream, put); err != nil {
		return err
	}
	if err := checkTagTexts("Failed to remove tags from", stream, remove); err != nil {
		return err
	}
	change := func(tags map[string]string) error {
		for _, key := range remove {
			delete(tags, key)
		}
		return putTags(stream, tags, put)
	}
	if consumer == "" {
		return gone(s.b.AnnotateTopic(stream, func(tags, _ map[string]string) error { return change(tags) }), stream)
	}
	return gone(s.annotate(stream, func(t *traits) error {
		name, x, ok := t.consumerOf(consumer)
		if !ok {
			return noConsumer(consumer)
		}
		if x.Tags == nil {
			x.Tags = make(map[string]string)
		}
		if err := change(x.Tags); err != nil {
			return err
		}
		t.Consumers[name] = x
		return nil
	}), stream)
}

type removeTagsIn struct {
	TagKeys []string `is:"TagKeys,required"`
	streamRef
}

func removeTags(_ context.Context, s *Server, _ *aws.Call, in *removeTagsIn) (*nothing, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	return nil, s.changeTags(t.Name, "", nil, in.TagKeys)
}

type listTagsIn struct {
	ExclusiveStartTagKey *string `is:"TagKey"`
	Limit                *int64  `is:"TagLimit"`
	streamRef
}

type tagOut struct{ Key, Value string }

type listTagsOut struct {
	Tags        []tagOut
	HasMoreTags bool
}

func tagList(tags map[string]string, after string) []tagOut {
	list := []tagOut{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if key > after {
			list = append(list, tagOut{key, tags[key]})
		}
	}
	return list
}

func listTags(_ context.Context, s *Server, _ *aws.Call, in *listTagsIn) (*listTagsOut, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	from, limit := "", tagsMax
	if in.ExclusiveStartTagKey != nil {
		from = *in.ExclusiveStartTagKey
	}
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &listTagsOut{Tags: tagList(t.Tags, from)}
	if len(out.Tags) > limit {
		out.Tags, out.HasMoreTags = out.Tags[:limit], true
	}
	return out, nil
}

type resourceIn struct {
	ResourceARN *string `is:"ResourceARN,required"`
	StreamId    *string `is:"StreamId"`
}

// find returns the stream that the ARN names, and the consumer or "".
func (s *Server) find(in *resourceIn) (*catalog.Topic, string, error) {
	stream, consumer := resourceOf(*in.ResourceARN)
	t, err := s.topic(stream)
	if err != nil || consumer == "" {
		return t, "", err
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, "", err
	}
	if _, _, ok := tr.consumerOf(consumer); !ok {
		return nil, "", noConsumer(consumer)
	}
	return t, consumer, nil
}

type tagResourceIn struct {
	Tags map[string]string `is:"TagMap,required"`
	resourceIn
}

func tagResource(_ context.Context, s *Server, _ *aws.Call, in *tagResourceIn) (*nothing, error) {
	t, consumer, err := s.find(&in.resourceIn)
	if err != nil {
		return nil, err
	}
	return nil, s.changeTags(t.Name, consumer, in.Tags, nil)
}

type untagResourceIn struct {
	TagKeys []string `is:"TagKeys,required"`
	resourceIn
}

func untagResource(_ context.Context, s *Server, _ *aws.Call, in *untagResourceIn) (*nothing, error) {
	t, consumer, err := s.find(&in.resourceIn)
	if err != nil {
		return nil, err
	}
	return nil, s.changeTags(t.Name, consumer, nil, in.TagKeys)
}

type listResourceTagsOut struct{ Tags []tagOut }

func listResourceTags(_ context.Context, s *Server, _ *aws.Call, in *resourceIn) (*listResourceTagsOut, error) {
	t, consumer, err := s.find(in)
	if err != nil {
		return nil, err
	}
	tags := t.Tags
	if consumer != "" {
		tr, err := traitsOf(t)
		if err != nil {
			return nil, err
		}
		_, x, _ := tr.consumerOf(consumer)
		tags = x.Tags
	}
	return &listResourceTagsOut{tagList(tags, "")}, nil
}
