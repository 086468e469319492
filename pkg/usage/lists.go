package usage

import (
	"context"
	"net/url"

	"k8s.io/client-go/rest"
)

// List asks for all objects below an API path, page by page where params has a limit, and
// hands them out one by one. Of each only the fields at the JSON paths are decoded; a path
// that T does not have is a mistake in the program. It returns the number of requests.
func List[T any, M message[T]](ctx context.Context, client rest.Interface, path string, params url.Values, paths []string, each func(*T)) (requests int, err error) {
	q := query{path: path, accept: acceptProtobuf, keep: fieldsOf[T](paths...), params: url.Values{}}
	for name, values := range params {
		q.params[name] = values
	}
	for {
		requests++
		next, err := list[T, M](ctx, client, q, each)
		if err != nil || next == "" {
			return requests, err
		}
		q.params.Set("continue", next)
	}
}

// AbsenceOf is why the answer to a list of what is not there.
func AbsenceOf(what string, err error) Absence { return absence(what, err) }
