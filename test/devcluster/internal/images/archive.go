package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// nameAnnotation is where containerd finds the name of an image in an archive.
const nameAnnotation = "io.containerd.image.name"

// KindLabel is the label of an image that says what it holds.
const KindLabel = "devcluster.test/kind"

// epoch is the time of every file: the same content gives the same archive.
var epoch = time.Unix(0, 0).UTC()

// passwd gives the users that images run as a name, which some programs look up.
const passwd = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"

// write writes an image as an OCI archive and returns the digest of its
// manifest. open opens the binary of a program.
func write(w io.Writer, i Image, open func(program string) (*os.File, error)) (digest.Digest, error) {
	// The layer's digest must be known before the layer can be written, since
	// a tar entry begins with its name: it is made twice, once to count.
	layer, err := describeLayer(i, open)
	if err != nil {
		return "", err
	}
	config, err := json.Marshal(ocispec.Image{
		Platform: ocispec.Platform{Architecture: runtime.GOARCH, OS: runtime.GOOS},
		Created:  &epoch,
		Config: ocispec.ImageConfig{
			User: i.user, Entrypoint: i.entrypoint, Env: append([]string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/"}, i.env...),
			Labels: map[string]string{KindLabel: string(i.Kind), ocispec.AnnotationSource: i.From},
		},
		RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}},
	})
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: descriptor(ocispec.MediaTypeImageConfig, config), Layers: []ocispec.Descriptor{layer},
	})
	if err != nil {
		return "", err
	}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, name := range append([]string{i.Name}, i.Aliases...) {
		d := descriptor(ocispec.MediaTypeImageManifest, manifest)
		d.Annotations = map[string]string{nameAnnotation: name}
		d.Platform = &ocispec.Platform{Architecture: runtime.GOARCH, OS: runtime.GOOS}
		index.Manifests = append(index.Manifests, d)
	}
	indexJSON, err := json.Marshal(index)
	if err != nil {
		return "", err
	}
	layout, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return "", err
	}

	out := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		data []byte
	}{
		{ocispec.ImageLayoutFile, layout},
		{ocispec.ImageIndexFile, indexJSON},
		{blob(digest.FromBytes(manifest)), manifest},
		{blob(digest.FromBytes(config)), config},
	} {
		if err := put(out, f.name, 0o644, int64(len(f.data)), bytes.NewReader(f.data)); err != nil {
			return "", err
		}
	}
	if err := out.WriteHeader(header(blob(layer.Digest), 0o644, layer.Size)); err != nil {
		return "", err
	}
	if err := writeLayer(out, i, open); err != nil {
		return "", err
	}
	return digest.FromBytes(manifest), out.Close()
}

func blob(d digest.Digest) string {
	return path.Join("blobs", d.Algorithm().String(), d.Encoded())
}

func descriptor(mediaType string, data []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

func describeLayer(i Image, open func(string) (*os.File, error)) (ocispec.Descriptor, error) {
	h := sha256.New()
	var n counter
	if err := writeLayer(io.MultiWriter(h, &n), i, open); err != nil {
		return ocispec.Descriptor{}, err
	}
	return ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageLayer, Size: int64(n),
		Digest: digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(h.Sum(nil))),
	}, nil
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// writeLayer writes the one layer of an image: its base, or its programs, /tmp, and what
// programs expect of /etc and of a home.
func writeLayer(w io.Writer, i Image, open func(string) (*os.File, error)) error {
	if i.base != "" {
		return copyTo(w, i.base, open)
	}
	t := tar.NewWriter(w)
	dirs := map[string]int64{"tmp": 0o1777, "etc": 0o755, "home": 0o755, "home/nonroot": 0o777}
	host, links, err := hostFiles(i, open)
	if err != nil {
		return err
	}
	paths := make([]string, 0, len(i.files)+len(host))
	for _, f := range i.files {
		paths = append(paths, f.path)
	}
	for _, h := range host {
		paths = append(paths, h.path)
	}
	for _, p := range paths {
		for d := path.Dir(strings.TrimPrefix(p, "/")); d != "."; d = path.Dir(d) {
			if _, ok := dirs[d]; !ok {
				dirs[d] = 0o755
			}
		}
	}
	names := make([]string, 0, len(dirs))
	for d := range dirs {
		names = append(names, d)
	}
	sort.Strings(names)
	for _, d := range names {
		h := header(d+"/", dirs[d], 0)
		h.Typeflag = tar.TypeDir
		if err := t.WriteHeader(h); err != nil {
			return err
		}
	}
	if err := put(t, "etc/passwd", 0o644, int64(len(passwd)), strings.NewReader(passwd)); err != nil {
		return err
	}
	for _, f := range i.files {
		if err := putProgram(t, f, open); err != nil {
			return fmt.Errorf("%s in image %s: %w", f.path, i.Name, err)
		}
	}
	for _, h := range host {
		if err := putFile(t, h.path, h.program); err != nil {
			return fmt.Errorf("%s in image %s: %w", h.path, i.Name, err)
		}
	}
	for _, l := range links {
		h := header(strings.TrimPrefix(l.path, "/"), 0o777, 0)
		h.Typeflag, h.Linkname = tar.TypeSymlink, l.program
		if err := t.WriteHeader(h); err != nil {
			return err
		}
	}
	return t.Close()
}

// hostFiles returns what an image takes from this machine, as file's with a
// path here in the place of a program, and symbolic links with their targets.
func hostFiles(i Image, open func(string) (*os.File, error)) (files, links []file, err error) {
	if !i.host {
		return nil, nil, nil
	}
	programs, err := iptables()
	if err != nil {
		return nil, nil, err
	}
	own := map[string]bool{}
	for _, f := range i.files {
		in, err := open(f.program)
		if err != nil {
			return nil, nil, err
		}
		programs[f.path], own[f.path] = in.Name(), true
		if err := in.Close(); err != nil {
			return nil, nil, err
		}
	}
	all, err := closure(programs, libraryDirs())
	if err != nil {
		return nil, nil, err
	}
	for p, from := range all {
		if !own[p] {
			files = append(files, file{program: from, path: p})
		}
	}
	sort.Slice(files, func(a, b int) bool { return files[a].path < files[b].path })
	for _, n := range iptablesNames {
		links = append(links, file{program: "xtables-nft-multi", path: "/usr/sbin/" + n})
	}
	return files, links, nil
}

func copyTo(w io.Writer, program string, open func(string) (*os.File, error)) error {
	in, err := open(program)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	_, err = io.Copy(w, in)
	return err
}

func putFile(t *tar.Writer, path, from string) error {
	return putProgram(t, file{path: path}, func(string) (*os.File, error) { return os.Open(from) })
}

func putProgram(t *tar.Writer, f file, open func(string) (*os.File, error)) error {
	in, err := open(f.program)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	s, err := in.Stat()
	if err != nil {
		return err
	}
	return put(t, strings.TrimPrefix(f.path, "/"), 0o755, s.Size(), in)
}

func put(t *tar.Writer, name string, mode, size int64, r io.Reader) error {
	if err := t.WriteHeader(header(name, mode, size)); err != nil {
		return err
	}
	_, err := io.Copy(t, r)
	return err
}

func header(name string, mode, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: epoch, Format: tar.FormatPAX}
}
