package management

import (
	"net/url"
	"strings"
)

// route is a path, and what its methods do. A part {NAME} stands for any one element.
type route struct {
	path    string
	parts   []string
	methods map[string]operation
}

// operation is what a method does, and who may ask for it.
type operation struct {
	who access
	do  handler
}

func at(path string, methods map[string]operation) route {
	return route{path, strings.Split(path, "/"), methods}
}

// find returns the route of an escaped path, and the elements that its names stand for. An element may be empty: the default
// exchange's name is.
func find(routes []route, path string) (*route, map[string]string) {
	elements := strings.Split(path, "/")
	if n := len(elements); n > 1 && elements[n-1] == "" && elements[n-2] != "" {
		elements = elements[:n-1] // a slash at the end says nothing
	}
	for i := range elements {
		plain, err := url.PathUnescape(elements[i])
		if err != nil {
			return nil, nil
		}
		elements[i] = plain
	}
	for i := range routes {
		if vars, ok := routes[i].match(elements); ok {
			return &routes[i], vars
		}
	}
	return nil, nil
}

func (r *route) match(elements []string) (map[string]string, bool) {
	if len(elements) != len(r.parts) {
		return nil, false
	}
	vars := map[string]string{}
	for i, part := range r.parts {
		if strings.HasPrefix(part, "{") {
			vars[strings.Trim(part, "{}")] = elements[i]
		} else if part != elements[i] {
			return nil, false
		}
	}
	return vars, true
}
