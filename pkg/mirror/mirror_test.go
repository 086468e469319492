package mirror

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// registryOf starts a registry; around, if not nil, sees requests first.
func registryOf(t *testing.T, around func(http.Handler) http.Handler) string {
	t.Helper()
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if around != nil {
		h = around(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// push makes an image for two architectures, with as many layers each.
func push(t *testing.T, image string, layers int64) v1.Hash {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		one, err := random.Image(64<<10, layers)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: empty.Image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // no credentials of whoever runs the test
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestRegistriesSayWhichPlatformsImagesAreFor(t *testing.T) {
	host := registryOf(t, nil)
	digest := push(t, host+"/dex:v1", 1)
	single, err := random.Image(10, 1)
	if err != nil {
		t.Fatal(err)
	}
	single, err = mutate.ConfigFile(single, &v1.ConfigFile{OS: "linux", Architecture: "s390x"})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/single:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, single); err != nil {
		t.Fatal(err)
	}
	got := client(t, Options{}).Ask(t.Context(), []string{host + "/dex:v1", host + "/dex:v2", host + "/single:v1", "Not an image"})
	if a := got[0]; a.Err != nil || a.Digest != digest.String() || !slices.Equal(a.Platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("an image for two architectures: %+v", a)
	}
	if a := got[1]; !Missing(a.Err) {
		t.Errorf("a tag that is not there: %+v", a)
	}
	if a := got[2]; a.Err != nil || !slices.Equal(a.Platforms, []string{"linux/s390x"}) {
		t.Errorf("an image that is no index: %+v", a)
	}
	if a := got[3]; a.Err == nil || Missing(a.Err) {
		t.Errorf("what is no name of an image: %+v", a)
	}
}

// TestACopyGoesOnWhereItWas interrupts the target once it has some layers.
func TestACopyGoesOnWhereItWas(t *testing.T) {
	from := registryOf(t, nil)
	digest := push(t, from+"/dex:v1", 4)
	var sent, kept, broken atomic.Int64
	broken.Store(1)
	to := registryOf(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch {
				if sent.Add(1); kept.Load() >= 3 && broken.Load() == 1 {
					w.WriteHeader(http.StatusForbidden)
					return
				}
			}
			h.ServeHTTP(w, r)
			if r.Method == http.MethodPut {
				kept.Add(1)
			}
		})
	})
	c := client(t, Options{})
	pairs := []Pair{{from + "/dex:v1", to + "/mirror/dex:v1"}}
	copied := func(force bool) (Result, int64) {
		t.Helper()
		var last int64
		var result Result
		sent.Store(0)
		err := c.Copy(t.Context(), pairs, force, func(p Progress) {
			if p.Index != 1 || p.Of != 1 || p.Done > p.Bytes && p.Bytes > 0 && p.Done < 0 {
				t.Errorf("progress %+v", p)
			}
			last = p.Done
		}, func(r Result) { result = r })
		if (err != nil) != (result.Err != nil) {
			t.Errorf("the copy says %v, and its result %v", err, result.Err)
		}
		return result, last
	}
	if r, _ := copied(false); r.Outcome != Failed || r.Err == nil {
		t.Fatalf("a target that refuses layers: %+v", r)
	}
	broken.Store(0)
	r, done := copied(false)
	if r.Outcome != Copied || r.Digest != digest.String() || done == 0 {
		t.Fatalf("the second copy: %+v, %d bytes", r, done)
	}
	// Two images of four layers and a configuration each, one image without layers.
	if n := sent.Load(); n >= 11 || n == 0 {
		t.Errorf("the second copy sends %d blobs, though some were there", n)
	}
	if a := c.Ask(t.Context(), []string{to + "/mirror/dex:v1"})[0]; a.Digest != digest.String() || len(a.Platforms) != 2 {
		t.Errorf("the copy is %+v, want %s", a, digest)
	}
	if r, _ := copied(false); r.Outcome != There || sent.Load() != 0 {
		t.Errorf("a third copy: %+v, %d blobs", r, sent.Load())
	}

	other := push(t, from+"/dex:v1", 1)
	if r, _ := copied(false); r.Outcome != Differs || r.Err == nil || !strings.Contains(r.Error, "--force") {
		t.Errorf("a mirror with another image of that name: %+v", r)
	}
	if r, _ := copied(true); r.Outcome != Copied || r.Digest != other.String() {
		t.Errorf("with force: %+v", r)
	}
}

func TestThePullSecretIsUsedForItsRegistryOnly(t *testing.T) {
	given, err := readKeys([]byte(`{"auths":{
		"https://mirror.example.com/v1/": {"auth": "bWU6c2VjcmV0"},
		"mirror.example.com/team": {"username": "team", "password": "x"},
		"docker.io": {"username": "hub", "password": "x"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{
		"mirror.example.com/dex:v1":      "me",
		"mirror.example.com/team/dex:v1": "team",
		"mirror.example.com/teams/a:v1":  "me",
		"istio/pilot:v1":                 "hub",
		"ghcr.io/dexidp/dex:v1":          "",
	} {
		ref, err := name.ParseReference(image)
		if err != nil {
			t.Fatal(err)
		}
		auth, err := given.Resolve(ref.Context())
		if err != nil {
			t.Fatal(err)
		}
		config, err := auth.Authorization()
		if err != nil || config.Username != want {
			t.Errorf("%s is asked for as %q (%v), want %q", image, config.Username, err, want)
		}
	}
	unknown, err := name.ParseReference("registry.example.com/dex:v1")
	if err != nil {
		t.Fatal(err)
	}
	if auth, err := keys(nil).Resolve(unknown.Context()); err != nil || auth != authn.Anonymous {
		t.Errorf("without a pull secret: %v, %v", auth, err)
	}
	if _, err := readKeys([]byte("x")); err == nil {
		t.Error("readKeys of something else = nil, want an error")
	}
}

func TestWhatHelpsWithARegistryThatDoesNotAnswer(t *testing.T) {
	secure := httptest.NewTLSServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	locked := registryOf(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
	})
	c := client(t, Options{})
	for host, want := range map[string]string{
		strings.TrimPrefix(secure.URL, "https://"): "--registry-ca",
		locked:        "docker login",
		"127.0.0.1:1": "reaches the registry",
	} {
		a := c.Ask(t.Context(), []string{host + "/dex:v1"})[0]
		if a.Err == nil || Missing(a.Err) {
			t.Fatalf("%s: %+v", host, a)
		}
		if got := Remedy(Registry(a.Image), a.Err.Error()); !strings.Contains(got, want) {
			t.Errorf("%v is answered with %q, want %q", a.Err, got, want)
		}
	}
	if _, err := New(Options{Authorities: []byte("no certificate")}); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("an authority that is no certificate: %v", err)
	}
}
