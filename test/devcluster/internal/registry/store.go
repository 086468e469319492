package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	digests "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
)

// archived is a store of blobs that stays in the archives that they came in.
type archived map[string]place

// place is where a blob lies.
type place struct {
	file         string
	offset, size int64
}

// nothing says that a blob is unknown in the way that the registry understands.
var nothing = registry.NewInMemoryBlobHandler()

func (a archived) Stat(ctx context.Context, repo string, h v1.Hash) (int64, error) {
	p, ok := a[h.String()]
	if !ok {
		_, err := nothing.Get(ctx, repo, h)
		return 0, err
	}
	return p.size, nil
}

func (a archived) Get(ctx context.Context, repo string, h v1.Hash) (io.ReadCloser, error) {
	p, ok := a[h.String()]
	if !ok {
		return nothing.Get(ctx, repo, h)
	}
	f, err := os.Open(p.file)
	if err != nil {
		return nil, err
	}
	return struct {
		*io.SectionReader
		io.Closer
	}{io.NewSectionReader(f, p.offset, p.size), f}, nil
}

// world is a registry with the images of archives, each below the name of the registry that
// has it in the world.
func world(archives []images.Archive, options ...registry.Option) (h http.Handler, hosts []string, err error) {
	blobs := archived{}
	h = registry.New(append(options, registry.WithBlobHandler(blobs))...)
	for _, a := range archives {
		if err := blobs.add(a.File); err != nil {
			return nil, nil, fmt.Errorf("image %s: %w", a.Name, err)
		}
		for _, name := range append([]string{a.Name}, a.Aliases...) {
			host, _, _ := strings.Cut(name, "/")
			hosts = append(hosts, host)
			if err := publish(h, blobs, name, a.Digest); err != nil {
				return nil, nil, fmt.Errorf("image %s: %w", name, err)
			}
		}
	}
	return h, hosts, nil
}

// add finds the blobs of an archive.
func (a archived) add(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for t := tar.NewReader(f); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		digest, ok := strings.CutPrefix(h.Name, "blobs/sha256/")
		if !ok {
			continue
		}
		at, err := f.Seek(0, io.SeekCurrent) // a tar.Reader reads nothing ahead of what it is asked for
		if err != nil {
			return err
		}
		a["sha256:"+digest] = place{file, at, h.Size}
	}
}

// publish gives a manifest a name: that of an index, as most images of the world have.
func publish(h http.Handler, blobs archived, name, digest string) error {
	at := strings.LastIndex(name, ":")
	repository, tag := name[:at], name[at+1:]
	hash, err := v1.NewHash(digest)
	if err != nil {
		return err
	}
	in, err := blobs.Get(context.Background(), repository, hash)
	if err != nil {
		return err
	}
	manifest, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return err
	}
	platform, err := blobs.platform(m.Config)
	if err != nil {
		return err
	}
	index, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{{
			MediaType: m.MediaType, Digest: digests.Digest(digest), Size: int64(len(manifest)), Platform: platform,
		}},
	})
	if err != nil {
		return err
	}
	return errors.Join(
		put(h, repository, digest, m.MediaType, manifest),
		put(h, repository, tag, ocispec.MediaTypeImageIndex, index))
}

// platform reads for which machines an image is from its configuration.
func (a archived) platform(config ocispec.Descriptor) (*ocispec.Platform, error) {
	hash, err := v1.NewHash(config.Digest.String())
	if err != nil {
		return nil, err
	}
	in, err := a.Get(context.Background(), "", hash)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	var image ocispec.Image
	if err := json.NewDecoder(in).Decode(&image); err != nil {
		return nil, err
	}
	return &image.Platform, nil
}

// put gives a registry a manifest.
func put(h http.Handler, repository, reference, mediaType string, manifest []byte) error {
	req, err := http.NewRequest(http.MethodPut, "http://"+Name+"/v2/"+repository+"/manifests/"+reference, bytes.NewReader(manifest))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", mediaType)
	a := &answer{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(a, req)
	if a.status != http.StatusCreated {
		return fmt.Errorf("the registry answers %d to its manifest: %s", a.status, a.Bytes())
	}
	return nil
}

// answer keeps what a handler says.
type answer struct {
	bytes.Buffer
	header http.Header
	status int
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }
