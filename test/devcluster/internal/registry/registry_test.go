package registry

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
)

const layer = "the one layer"

// archive writes an image as devcluster's store has it.
func archive(t *testing.T, name string, aliases ...string) images.Archive {
	t.Helper()
	blobs := map[string][]byte{}
	blob := func(data []byte, mediaType string) ocispec.Descriptor {
		d := digest.FromBytes(data)
		blobs["blobs/sha256/"+d.Encoded()] = data
		return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    blob([]byte(`{"architecture":"amd64","os":"linux"}`), ocispec.MediaTypeImageConfig),
		Layers:    []ocispec.Descriptor{blob([]byte(layer), ocispec.MediaTypeImageLayer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := blob(manifest, ocispec.MediaTypeImageManifest)
	file := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	out := tar.NewWriter(f)
	for name, data := range blobs {
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatPAX}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return images.Archive{Image: images.Image{Name: name, Aliases: aliases}, File: file, Digest: d.Digest.String()}
}

func ask(h http.Handler, method, url string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestImagesOfTheWorld(t *testing.T) {
	s, err := newSites(Config{
		Archives: []images.Archive{archive(t, "ghcr.io/kubeflow/kfam:v1", "docker.io/kubeflow/kfam:v1")},
		Dir:      t.TempDir(), Login: "me:secret", Log: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.world, []string{"ghcr.io", "docker.io"}) {
		t.Errorf("registries of the world: %v", s.world)
	}
	account := []string{"Authorization", "Basic cHVsbGVyOnB1bGwtbWU="}
	visitor := []string{"Authorization", "Basic dmlzaXRvcjp2aXNpdC1tZQ=="}
	const manifest = "/kubeflow/kfam/manifests/v1"
	for _, tt := range []struct {
		name, url string
		headers   []string
		want      int
	}{
		{"a node that is sent here says which registry it wants", "https://" + Name + "/v2" + manifest + "?ns=ghcr.io", nil, 200},
		{"an image is at its other names too", "https://" + Name + "/v2" + manifest + "?ns=docker.io", nil, 200},
		{"and in no other registry", "https://" + Name + "/v2" + manifest + "?ns=quay.io", nil, 404},
		{"a client that takes this for the registry itself", "https://ghcr.io/v2" + manifest, nil, 200},
		{"Docker's registry has other names", "https://index.docker.io/v2" + manifest, nil, 200},
		{"each registry has a path here", "https://" + Name + "/v2/ghcr.io" + manifest, nil, 200},
		{"there is no such tag", "https://" + Name + "/v2/ghcr.io/kubeflow/kfam/manifests/v2", nil, 404},
		{"a login is wanted", "https://" + WantsLogin + "/v2/ghcr.io" + manifest, nil, 401},
		{"a login is accepted", "https://" + WantsLogin + "/v2/ghcr.io" + manifest, account, 200},
		{"a login is refused", "https://" + WantsLogin + "/v2/ghcr.io" + manifest, visitor, 403},
		{"a token is wanted", "https://" + WantsToken + "/v2/ghcr.io" + manifest, nil, 401},
		{"not every token opens", "https://" + WantsToken + "/v2/ghcr.io" + manifest, []string{"Authorization", "Bearer nobody"}, 401},
		{"a token opens", "https://" + WantsToken + "/v2/ghcr.io" + manifest, []string{"Authorization", "Bearer " + Account}, 200},
		{"enough is enough", "https://" + Limited + "/v2/ghcr.io" + manifest, nil, 429},
		{"the mirror asks for its own login", "https://" + Mirror + "/v2/", account, 401},
		{"and has nothing at first", "https://" + Mirror + "/v2/ghcr.io" + manifest, []string{"Authorization", "Basic bWU6c2VjcmV0"}, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if w := ask(s, http.MethodGet, tt.url, tt.headers...); w.Code != tt.want {
				t.Errorf("GET %s = %d %s, want %d", tt.url, w.Code, w.Body, tt.want)
			}
		})
	}
	t.Run("the manifest is an index with the platform of the image, whose layer is there whole and in parts", func(t *testing.T) {
		var index ocispec.Index
		if err := json.Unmarshal(ask(s, http.MethodGet, "https://ghcr.io/v2"+manifest).Body.Bytes(), &index); err != nil {
			t.Fatal(err)
		}
		if len(index.Manifests) != 1 || index.Manifests[0].Platform.Architecture != "amd64" {
			t.Fatalf("index %+v", index)
		}
		blob := "https://ghcr.io/v2/kubeflow/kfam/blobs/" + digest.FromString(layer).String()
		if w := ask(s, http.MethodGet, blob); w.Body.String() != layer {
			t.Errorf("layer %q", w.Body)
		}
		if w := ask(s, http.MethodGet, blob, "Range", "bytes=4-6"); w.Code != http.StatusPartialContent || w.Body.String() != layer[4:7] {
			t.Errorf("part of the layer: %d %q", w.Code, w.Body)
		}
		if w := ask(s, http.MethodGet, "https://ghcr.io/v2/kubeflow/kfam/blobs/"+digest.FromString("other").String()); w.Code != 404 {
			t.Errorf("another blob: %d", w.Code)
		}
	})
	t.Run("nothing can be pushed into the world", func(t *testing.T) {
		if w := ask(s, http.MethodPost, "https://ghcr.io/v2/kubeflow/kfam/blobs/uploads/"); w.Code != 403 {
			t.Errorf("%d", w.Code)
		}
	})
	t.Run("what is pushed to the mirror is there", func(t *testing.T) {
		login := []string{"Authorization", "Basic bWU6c2VjcmV0"}
		d := digest.FromString("pushed").String()
		r := httptest.NewRequest(http.MethodPost, "https://"+Mirror+"/v2/mine/blobs/uploads/?digest="+d, strings.NewReader("pushed"))
		r.Header.Set(login[0], login[1])
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != http.StatusCreated {
			t.Fatalf("push: %d %s", w.Code, w.Body)
		}
		if w := ask(s, http.MethodGet, "https://"+Mirror+"/v2/mine/blobs/"+d, login...); w.Body.String() != "pushed" {
			t.Errorf("blob: %d %q", w.Code, w.Body)
		}
	})
	t.Run("tokens are given as Docker's registry does", func(t *testing.T) {
		for want, headers := range map[string][]string{Account: account, "nobody": nil} {
			var got struct{ Token string }
			if err := json.Unmarshal(ask(s, http.MethodGet, "https://"+WantsToken+tokenPath, headers...).Body.Bytes(), &got); err != nil || got.Token != want {
				t.Errorf("token %q, %v, want %q", got.Token, err, want)
			}
		}
		if w := ask(s, http.MethodGet, "https://"+WantsToken+tokenPath, "Authorization", "Basic eDp5"); w.Code != 401 {
			t.Errorf("a wrong password: %d", w.Code)
		}
	})
}

func TestConnectionsAreHeldToABandwidth(t *testing.T) {
	const size = 400_000
	for _, tt := range []struct {
		name        string
		all, each   int64
		connections int
		atLeast     time.Duration
	}{
		{"each connection", 0, 1_000_000, 2, 300 * time.Millisecond},
		{"all together", 1_000_000, 0, 2, 700 * time.Millisecond},
		{"not at all", 0, 0, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var sent atomic.Int64
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(make([]byte, size))
			})}
			go func() { _ = server.Serve(newLimits(tt.all, tt.each).listener(l, &sent)) }()
			defer func() { _ = server.Close() }()
			started := time.Now()
			done := make(chan error, tt.connections)
			for range tt.connections {
				go func() {
					r, err := http.Get("http://" + l.Addr().String())
					if err == nil {
						var n int64
						n, err = io.Copy(io.Discard, r.Body)
						if err == nil && n != size {
							err = fmt.Errorf("%d bytes", n)
						}
					}
					done <- err
				}()
			}
			for range tt.connections {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(started); took < tt.atLeast || tt.atLeast == 0 && took > time.Second {
				t.Errorf("%d bytes on each of %d connections took %s, want %s", size, tt.connections, took, tt.atLeast)
			}
			if n := sent.Load(); n < int64(tt.connections)*size {
				t.Errorf("%d bytes are said to be sent", n)
			}
		})
	}
}

func TestBandwidthsAreReadAndWritten(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"25MB/s", "25MB/s"},
		{"100M", "100MB/s"},
		{"1MiB/s", "1048576B/s"},
		{"0", "error"},
		{"1kB/s", "error"},
		{"fast", "error"},
	} {
		var b Bandwidth
		got := "error"
		if err := b.Set(tt.in); err == nil {
			got = b.String()
		}
		if got != tt.want {
			t.Errorf("%q is %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestANodeIsToldHowToSpeakWithEachRegistry(t *testing.T) {
	r := &Registry{names: map[string]string{Name: Address, Unreachable: nowhere, "ghcr.io": Address}}
	for _, scheme := range Schemes {
		n, err := r.Configure(t.TempDir(), "/ca.crt", scheme)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := os.ReadFile(filepath.Join(n.Certs, "_default", "hosts.toml"))
		if err != nil || !strings.Contains(string(rest), `"`+scheme+"://"+Name+`"`) || strings.Contains(string(rest), "ca = ") != (scheme == "https") {
			t.Errorf("all registries by %s: %q, %v", scheme, rest, err)
		}
		untrusted, err := os.ReadFile(filepath.Join(n.Certs, Untrusted, "hosts.toml"))
		if err != nil || strings.Contains(string(untrusted), "ca = ") {
			t.Errorf("the registry that nobody trusts: %q, %v", untrusted, err)
		}
		hosts, err := os.ReadFile(n.Hosts)
		if err != nil || !strings.Contains(string(hosts), Address+" "+Name+"\n") || strings.Contains(string(hosts), "ghcr.io") {
			t.Errorf("hosts: %q, %v", hosts, err)
		}
	}
}
