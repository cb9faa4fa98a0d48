package management

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// list answers with objects, as the parameters name, use_regex, sort, sort_reverse, columns, page and page_size want them.
// A name filters pages only, as in RabbitMQ.
func (c *call) list(items []object) (reply, error) {
	q := c.query
	total := len(items)
	paged := q.Get("page") != ""
	if paged && q.Get("name") != "" {
		var err error
		if items, err = named(items, q.Get("name"), q.Get("use_regex") == "true"); err != nil {
			return reply{}, err
		}
	}
	if by := q.Get("sort"); by != "" {
		slices.SortStableFunc(items, func(a, b object) int { return compare(field(a, by), field(b, by)) })
	}
	if q.Get("sort_reverse") == "true" {
		slices.Reverse(items)
	}
	if !paged {
		items, err := c.columns(items)
		return reply{body: items}, err
	}
	return c.page(items, total)
}

// page answers with one page.
func (c *call) page(items []object, total int) (reply, error) {
	page, err := strconv.Atoi(c.query.Get("page"))
	size, sizeErr := pageDefault, error(nil)
	if s := c.query.Get("page_size"); s != "" {
		size, sizeErr = strconv.Atoi(s)
	}
	if err != nil || sizeErr != nil {
		return reply{}, badRequest("Pagination parameters are invalid")
	}
	if page < 1 || size < 1 || size > pageMax {
		return reply{}, &problem{http.StatusBadRequest, "invalid_pagination_parameters",
			fmt.Sprintf("Invalid pagination parameters: page number %d, page size %d", page, size)}
	}
	n := len(items)
	pages := max(1, (n+size-1)/size)
	if page > pages {
		return reply{}, &problem{http.StatusBadRequest, "page_out_of_range",
			fmt.Sprintf("Page out of range, page: %d page size: %d, len: %d", page, size, n)}
	}
	from := (page - 1) * size
	shown, err := c.columns(items[from:min(from+size, n)])
	return reply{body: object{
		"filtered_count": n, "item_count": len(shown), "items": shown, "page": page, "page_count": pages, "page_size": size, "total_count": total,
	}}, err
}

// named are the items whose name contains the text, or matches it.
func named(items []object, text string, pattern bool) (out []object, err error) {
	match := func(name string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(text)) }
	if pattern {
		if len(text) > patternBytesMax {
			return nil, badRequest("pattern of more than %d bytes", patternBytesMax)
		}
		re, err := regexp.Compile("(?i)" + text)
		if err != nil {
			return nil, badRequest("%v", err)
		}
		match = re.MatchString
	}
	for _, item := range items {
		if name, ok := item["name"].(string); ok && match(name) {
			out = append(out, item)
		}
	}
	return out, nil
}

// columns leaves of each object what the parameter columns names: names with dots are of objects in it.
func (c *call) columns(items []object) ([]object, error) {
	if items == nil {
		items = []object{}
	}
	list := c.query.Get("columns")
	if list == "" {
		return items, nil
	}
	names := strings.Split(list, ",")
	if len(names) > columnsMax {
		return nil, badRequest("more than %d columns", columnsMax)
	}
	out := make([]object, len(items))
	for i, item := range items {
		out[i] = chosen(item, names)
	}
	return out, nil
}

func chosen(item object, names []string) object {
	out := object{}
	for _, name := range names {
		from, to := item, out
		parts := strings.Split(name, ".")
		for i, part := range parts {
			v, there := from[part]
			if !there {
				break
			}
			inner, deeper := v.(object)
			if i == len(parts)-1 || !deeper {
				to[part] = v
				break
			}
			next, ok := to[part].(object)
			if !ok {
				next = object{}
				to[part] = next
			}
			from, to = inner, next
		}
	}
	return out
}

// one answers with an object, of which columns chooses.
func (c *call) one(item object) (reply, error) {
	items, err := c.columns([]object{item})
	if err != nil {
		return reply{}, err
	}
	return reply{body: items[0]}, nil
}

// field finds what a name with dots stands for; nil if it is not there.
func field(item object, name string) any {
	for {
		part, rest, more := strings.Cut(name, ".")
		v := item[part]
		if !more {
			return v
		}
		inner, ok := v.(object)
		if !ok {
			return nil
		}
		item, name = inner, rest
	}
}

// compare orders what is not there first, then by kind, then by value.
func compare(a, b any) int {
	rank := func(v any) (int, float64, string) {
		switch v := v.(type) {
		case nil:
			return 0, 0, ""
		case bool:
			if v {
				return 1, 1, ""
			}
			return 1, 0, ""
		case int:
			return 2, float64(v), ""
		case int64:
			return 2, float64(v), ""
		case float64:
			return 2, v, ""
		case string:
			return 3, 0, v
		}
		return 4, 0, fmt.Sprint(v)
	}
	ra, na, ta := rank(a)
	rb, nb, tb := rank(b)
	return cmp.Or(cmp.Compare(ra, rb), cmp.Compare(na, nb), cmp.Compare(ta, tb))
}
