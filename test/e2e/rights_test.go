//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// right is what a rule of a role allows: a verb on a resource, with its subresource, of a group.
type right struct{ verb, group, resource string }

func (r right) String() string {
	if r.group == "" {
		return r.verb + " " + r.resource
	}
	return r.verb + " " + r.resource + "." + r.group
}

// witness stands between the plugin and the API server. It passes everything on, and
// remembers which rights were used, asked about, and refused.
type witness struct {
	kubeconfig string

	mu                   sync.Mutex
	used, asked, refused map[right]int
}

// newWitness listens for a plugin that acts as user and group.
func newWitness(t *testing.T, b *bed, user, group string) *witness {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", b.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	// Streams are upgrades of HTTP/1.1.
	config.NextProtos = []string{"http/1.1"}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), used: map[right]int{}, asked: map[right]int{}, refused: map[right]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport:     transport,
		FlushInterval: -1,
		// A watch that the plugin ends is no error.
		ErrorLog:       log.New(io.Discard, "", 0),
		ModifyResponse: w.answer,
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.ask(t, r)
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	through := clientcmdapi.Config{
		CurrentContext: "witness",
		Contexts:       map[string]*clientcmdapi.Context{"witness": {Cluster: "witness", AuthInfo: "witness"}},
		Clusters:       map[string]*clientcmdapi.Cluster{"witness": {Server: front.URL}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"witness": {Impersonate: user, ImpersonateGroups: []string{group, "system:authenticated"}}},
	}
	if err := clientcmd.WriteToFile(through, w.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return w
}

// ask notes a request, and the right that an access review asks about.
func (w *witness) ask(t *testing.T, r *http.Request) {
	used, ok := rightOf(r)
	if !ok {
		return
	}
	asked := right{}
	if used.resource == "selfsubjectaccessreviews" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var review struct {
			Spec struct {
				ResourceAttributes struct{ Verb, Group, Resource, Subresource string }
			}
		}
		if err := json.Unmarshal(body, &review); err != nil {
			t.Errorf("access review: %v", err)
		}
		a := review.Spec.ResourceAttributes
		if a.Subresource != "" {
			a.Resource += "/" + a.Subresource
		}
		asked = right{a.Verb, a.Group, a.Resource}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case asked.verb == "*" || used.group == "authorization.k8s.io" && asked.verb == "":
	case asked.verb != "":
		w.asked[asked]++
	default:
		w.used[used]++
	}
}

// answer notes what a role refused. Webhooks and policies refuse with the same code, and
// say something else.
func (w *witness) answer(r *http.Response) error {
	used, ok := rightOf(r.Request)
	if !ok || r.StatusCode != http.StatusForbidden {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if text := string(body); strings.Contains(text, " cannot ") || strings.Contains(text, "not currently held") || strings.Contains(text, "not found, bind") {
		w.mu.Lock()
		w.refused[used]++
		w.mu.Unlock()
	}
	return nil
}

// rightOf reads the right that a request takes from its method and path, as the API
// server does. Paths that belong to no resource, such as discovery, take none.
func rightOf(r *http.Request) (right, bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var out right
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		out.group, parts = parts[1], parts[3:]
	default:
		return right{}, false
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	out.resource = parts[0]
	if len(parts) > 2 {
		out.resource += "/" + parts[2]
	}
	named := len(parts) > 1
	query := r.URL.Query()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		switch {
		case query.Get("watch") == "true" || query.Get("watch") == "1":
			out.verb = "watch"
		case named:
			out.verb = "get"
		default:
			out.verb = "list"
		}
	case http.MethodPost:
		out.verb = "create"
	case http.MethodPut:
		out.verb = "update"
	case http.MethodPatch:
		out.verb = "patch"
	case http.MethodDelete:
		out.verb = "delete"
		if !named {
			out.verb = "deletecollection"
		}
	}
	return out, true
}

// needed are the rights that were used, and those that the plugin asked about: it
// begins nothing when one of them is denied.
func (w *witness) needed() map[right]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := maps.Clone(w.asked)
	maps.Copy(all, w.used)
	return all
}

// differ compares two sets of rights: what only the first has, and what only the second has.
func differ[A, B any](a map[right]A, b map[right]B) (onlyA, onlyB []string) {
	for r := range a {
		if _, both := b[r]; !both {
			onlyA = append(onlyA, fmt.Sprint(r))
		}
	}
	for r := range b {
		if _, both := a[r]; !both {
			onlyB = append(onlyB, fmt.Sprint(r))
		}
	}
	slices.Sort(onlyA)
	slices.Sort(onlyB)
	return onlyA, onlyB
}
