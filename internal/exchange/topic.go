package exchange

import "strings"

// topicMatcher is a trie of the patterns' words. A routing key walks down all branches
// that fit at once, a word at a time; a node is entered once for each word at most, so
// that no pattern makes it go back.
//
// The empty key has no words. Words may be empty: "a..b" has three.
type topicMatcher struct {
	root  topicNode
	nodes *numbers
}

type topicNode struct {
	parent *topicNode
	word   string // from parent
	next   map[string]*topicNode
	star   *topicNode // one word
	hash   *topicNode // zero or more words
	isHash bool
	id     int // of a hash node
	ends   bucket
}

const (
	wordStar = "*"
	wordHash = "#"
)

// cutWord takes the first word off; more is false after the last.
func cutWord(key string) (word, rest string, more bool) {
	if i := strings.IndexByte(key, '.'); i >= 0 {
		return key[:i], key[i+1:], true
	}
	return key, "", false
}

func (t *topicMatcher) add(b *binding) {
	n := &t.root
	for key, more := b.Key, b.Key != ""; more; {
		var word string
		word, key, more = cutWord(key)
		n = t.child(n, word)
	}
	n.ends.add(b, ofMatch)
}

// child finds or makes the node after a word of a pattern.
func (t *topicMatcher) child(n *topicNode, word string) *topicNode {
	c := n.after(word)
	if c != nil {
		return c
	}
	c = &topicNode{parent: n, word: word}
	switch word {
	case wordStar:
		n.star = c
	case wordHash:
		n.hash, c.isHash, c.id = c, true, t.nodes.take()
	default:
		if n.next == nil {
			n.next = make(map[string]*topicNode)
		}
		n.next[word] = c
	}
	return c
}

// after is the node after a word of a pattern.
func (n *topicNode) after(word string) *topicNode {
	switch word {
	case wordStar:
		return n.star
	case wordHash:
		return n.hash
	}
	return n.next[word]
}

func (t *topicMatcher) remove(b *binding) {
	n := &t.root
	for key, more := b.Key, b.Key != ""; more; {
		var word string
		word, key, more = cutWord(key)
		n = n.after(word)
	}
	n.ends.remove(b, ofMatch)
	for n.parent != nil && n.empty() {
		switch n.word {
		case wordStar:
			n.parent.star = nil
		case wordHash:
			n.parent.hash = nil
			t.nodes.giveBack(n.id)
		default:
			delete(n.parent.next, n.word)
		}
		n = n.parent
	}
}

func (n *topicNode) empty() bool {
	return len(n.ends.list) == 0 && len(n.next) == 0 && n.star == nil && n.hash == nil
}

// topicWalk is where a routing key has got to. Nodes before and after a word are two
// lists; hash nodes stay, whatever words come, and so are in one list for all.
type topicWalk struct {
	before, after []*topicNode
	hashes        []*topicNode
	seen          marks // hash nodes
}

func (t *topicMatcher) match(r *Routing, m *Message) {
	for i := range m.keys() {
		t.matchKey(r, m.key(i))
	}
}

func (t *topicMatcher) matchKey(r *Routing, key string) {
	w := &r.topic
	w.after, w.hashes = w.after[:0], w.hashes[:0]
	w.seen.clear()
	r.enter(&t.root)
	for more := key != ""; more && r.spend(0); {
		var word string
		word, key, more = cutWord(key)
		w.before, w.after = w.after, w.before[:0]
		for _, nodes := range [2][]*topicNode{w.before, w.hashes} { // hash nodes that this word adds begin at the next
			for _, n := range nodes {
				r.step(n, word)
			}
		}
	}
	for _, n := range w.after {
		r.followAll(&n.ends)
	}
}

func (r *Routing) step(n *topicNode, word string) {
	if !r.spend(1) {
		return
	}
	if c := n.next[word]; c != nil {
		r.enter(c)
	}
	if n.star != nil {
		r.enter(n.star)
	}
}

// enter takes up a node that is reached after a word. Each has one parent, and is
// reached once.
func (r *Routing) enter(n *topicNode) {
	r.topic.after = append(r.topic.after, n)
	r.enterHash(n.hash)
}

// enterHash takes up hash nodes: they match what comes, be it nothing.
func (r *Routing) enterHash(n *topicNode) {
	for ; n != nil && r.topic.seen.set(n.id); n = n.hash {
		r.followAll(&n.ends)
		if n.star != nil || len(n.next) > 0 {
			r.topic.hashes = append(r.topic.hashes, n)
		}
	}
}
