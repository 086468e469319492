package registry

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The names that fail, each with the images of Name.
const (
	// WantsLogin asks for Account, and lets Visitor in but not see anything.
	WantsLogin = "login.devcluster.test"
	// WantsToken asks for a token, which it gives for Account; others get one that is good for nothing.
	WantsToken = "token.devcluster.test"
	// Limited has had enough of everybody's pulls.
	Limited = "limited.devcluster.test"
	// Untrusted has a certificate of an authority that the node does not know.
	Untrusted = "untrusted.devcluster.test"
	// Plain speaks HTTP at port 5000, where the node expects HTTPS.
	Plain = "plain.devcluster.test"
	// Unreachable is where no route leads.
	Unreachable = "unreachable.devcluster.test"
)

// Account may pull from the names that ask for a login, Visitor may log in there.
const (
	Account = "puller:pull-me"
	Visitor = "visitor:visit-me"
)

// Faults says how each of the names fails.
var Faults = map[string]string{
	WantsLogin:      "asks for " + Account + " (Basic); " + Visitor + " may log in and not pull",
	WantsToken:      "asks for a token that " + Account + " gets",
	Limited:         "answers 429 with Retry-After",
	Untrusted:       "has a certificate of an unknown authority",
	Plain + ":5000": "speaks HTTP where the node expects HTTPS",
	Unreachable:     "has an address that no route leads to",
}

// aliases are other hosts of a registry of the world.
var aliases = map[string]string{"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}

// sites answers for all names.
type sites struct {
	upstream, mirror http.Handler
	// world are the names of the registries that upstream stands for.
	world []string
	login string
	log   *log.Logger
	// sent counts bytes that were sent, requests what was asked.
	sent, requests atomic.Int64
}

func newSites(cfg Config) (*sites, error) {
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	upstream, hosts, err := world(cfg.Archives, quiet)
	if err != nil {
		return nil, err
	}
	pushed := filepath.Join(cfg.Dir, "blobs")
	if err := os.MkdirAll(pushed, 0o700); err != nil {
		return nil, err
	}
	return &sites{
		upstream: upstream, world: hosts, login: cfg.Login, log: log.New(cfg.Log, "", log.LstdFlags|log.Lmicroseconds),
		mirror: registry.New(quiet, registry.WithBlobHandler(registry.NewDiskBlobHandler(pushed))),
	}, nil
}

func (s *sites) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	s.requests.Add(1)
	started, seen := time.Now(), &recorder{ResponseWriter: w, status: http.StatusOK}
	s.serve(seen, r, host)
	s.log.Printf("%s %s %s%s %d %d bytes in %s", r.RemoteAddr, r.Method, host, r.URL, seen.status, seen.bytes, time.Since(started).Round(time.Millisecond))
}

func (s *sites) serve(w http.ResponseWriter, r *http.Request, host string) {
	switch {
	case r.URL.Path == TrafficPath:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Traffic{Bytes: s.sent.Load(), Requests: s.requests.Load()})
		return
	case host == Limited:
		w.Header().Set("Retry-After", "3600")
		refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
		return
	case host == WantsToken:
		if !tokens(w, r) {
			return
		}
	case host == WantsLogin || host == Mirror && s.login != "":
		want := Account
		if host == Mirror {
			want = s.login
		}
		if !basic(w, r, want) {
			return
		}
	}
	if host == Mirror {
		s.mirror.ServeHTTP(w, r)
		return
	}
	if of := s.meant(host, r.URL.Query().Get("ns")); of != "" {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/v2/"); ok && rest != "" {
			r = r.Clone(r.Context())
			r.URL.Path = "/v2/" + of + "/" + rest
		}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusForbidden, "DENIED", "images are pushed to "+Mirror)
		return
	}
	s.upstream.ServeHTTP(w, r)
}

// meant is the registry of the world that a request is for: the one that a node says it was
// sent away from, or the one that is asked by its name.
func (s *sites) meant(host, ns string) string {
	if ns == "" {
		ns = host
	}
	if of, ok := aliases[ns]; ok {
		return of
	}
	if strings.HasSuffix(ns, ".devcluster.test") {
		return "" // the path begins with it
	}
	return ns
}

// TrafficPath is where the registry says what it has done, at every name.
const TrafficPath = "/devcluster/traffic"

// Traffic is what a registry has done.
type Traffic struct {
	// Bytes are those on the wire to clients, TLS and headers included.
	Bytes    int64 `json:"bytes"`
	Requests int64 `json:"requests"`
}

func basic(w http.ResponseWriter, r *http.Request, want string) bool {
	user, password, _ := r.BasicAuth()
	switch user + ":" + password {
	case want:
		return true
	case Visitor:
		refuse(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="devcluster"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	}
	return false
}

const tokenPath = "/token"

// tokens does what Docker's registry does: everybody gets a token, and not every token opens.
func tokens(w http.ResponseWriter, r *http.Request) bool {
	user, password, named := r.BasicAuth()
	if r.URL.Path == tokenPath {
		token := "nobody"
		switch {
		case user+":"+password == Account:
			token = Account
		case named || r.Method == http.MethodPost:
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
		return false
	}
	given := r.Header.Get("Authorization")
	if given == "Bearer "+Account {
		return true
	}
	repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	challenge := fmt.Sprintf(`Bearer realm="https://%s%s",service="%s",scope="repository:%s:pull"`, WantsToken, tokenPath, WantsToken, repository)
	if given != "" {
		challenge += `,error="insufficient_scope"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return false
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}
