package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestCatalogueIsConsistent(t *testing.T) {
	known := map[string]bool{}
	for _, p := range programs {
		if known[p.name] {
			t.Errorf("program %s is there twice", p.name)
		}
		known[p.name] = true
	}
	var check func(i Image)
	check = func(i Image) {
		if i.Kind != Real && i.Kind != StandIn {
			t.Errorf("image %s is %q, want real or stand-in", i.Name, i.Kind)
		}
		if i.From == "" || i.Kind == StandIn && i.Note == "" {
			t.Errorf("image %s does not say what it is", i.Name)
		}
		if i.user != "" && strings.ContainsFunc(i.user, func(r rune) bool { return r != ':' && (r < '0' || r > '9') }) {
			t.Errorf("user of image %s = %q, want a number: the kubelet cannot tell of a name that it is not root", i.Name, i.user)
		}
		for _, p := range i.programs() {
			if !known[p] {
				t.Errorf("image %s has the program %s, which nobody builds", i.Name, p)
			}
		}
		if i.otherwise != nil {
			if i.otherwise.Name != i.Name || !slices.Equal(i.otherwise.Aliases, i.Aliases) {
				t.Errorf("image %s has another name where it is a stand-in: %s %q", i.Name, i.otherwise.Name, i.otherwise.Aliases)
			}
			check(*i.otherwise)
		}
	}
	files := map[string]Image{}
	for _, release := range Releases {
		all, err := Catalogue(release)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, i := range all {
			for _, n := range append([]string{i.Name}, i.Aliases...) {
				if names[n] {
					t.Errorf("image %s is there twice in release %s", n, release)
				}
				names[n] = true
			}
			check(i)
			// One directory holds the images of all releases.
			file := Store{}.imageFile(i)
			if was, ok := files[file]; ok && !reflect.DeepEqual(was, i) {
				t.Errorf("image %s of release %s is another one in another release", i.Name, release)
			}
			files[file] = i
		}
	}
}

func TestEachReleaseBuildsItsOwnPrograms(t *testing.T) {
	names := func(release string) []string {
		t.Helper()
		all, err := Catalogue(release)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range programsOf(all) {
			names = append(names, p.name)
		}
		return names
	}
	is110, is2603 := names("1.10"), names("")
	for _, tt := range []struct {
		program       string
		in110, in2603 bool
	}{
		{"pause", true, true},
		{"coredns", true, true},
		{"envoy", true, true},
		{"metallb-speaker", true, true},
		{"standin", true, true}, // the notebook that echoes
		{"standin-26.03", false, true},
		{"pilot-discovery", true, false},
		{"pilot-discovery-1.30", false, true},
		{"istio-cni-1.30", false, true},
		{"dex-launcher", true, false},
	} {
		if got := slices.Contains(is110, tt.program); got != tt.in110 {
			t.Errorf("1.10 builds %s: %t, want %t", tt.program, got, tt.in110)
		}
		if got := slices.Contains(is2603, tt.program); got != tt.in2603 {
			t.Errorf("26.03 builds %s: %t, want %t", tt.program, got, tt.in2603)
		}
	}
	for _, p := range programs {
		if !slices.Contains(is110, p.name) && !slices.Contains(is2603, p.name) {
			t.Errorf("no release needs the program %s", p.name)
		}
	}
	if both := names("1.10,26.03"); len(both) != len(programs) {
		t.Errorf("both releases build %d programs, want all %d, each once: %q", len(both), len(programs), both)
	}
	if _, err := Catalogue("1.9"); err == nil || !strings.Contains(err.Error(), "26.03") {
		t.Errorf("Catalogue of a release that there is not = %v, want an error that names those that there are", err)
	}
}

func TestABedForAnUpgradeHasTheImagesOfBothReleasesEachOnce(t *testing.T) {
	listed := func(releases string) (names []string) {
		t.Helper()
		all, err := Catalogue(releases)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range all {
			names = append(names, i.Name)
		}
		slices.Sort(names)
		return names
	}
	each := append(listed("1.10"), listed("26.03")...)
	slices.Sort(each)
	if got, want := listed("1.10,26.03"), slices.Compact(each); !slices.Equal(got, want) {
		t.Errorf("the images of both releases are\n%q, want\n%q", got, want)
	}
	if _, err := Catalogue("1.10,1.9"); err == nil || !strings.Contains(err.Error(), `"1.9"`) {
		t.Errorf("a list with a release that there is not: %v, want an error that names it", err)
	}
}

// sample writes an image with one program and returns its archive.
func sample(t *testing.T, content string) []byte {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(binary, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	i := Image{
		Name: "example.com/a:1", Aliases: []string{"example.com/b:1"}, Kind: StandIn, From: "a test",
		entrypoint: []string{"/usr/bin/p"}, user: "1000", files: []file{{"p", "/usr/bin/p"}},
	}
	if _, err := write(&b, i, func(string) (*os.File, error) { return os.Open(binary) }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func untar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = b
	}
}

func TestArchive(t *testing.T) {
	archive := sample(t, "program")
	if !bytes.Equal(archive, sample(t, "program")) {
		t.Error("the same content gives two different archives")
	}
	if bytes.Equal(archive, sample(t, "another")) {
		t.Error("different programs give the same archive")
	}
	files := untar(t, bytes.NewReader(archive))
	var index ocispec.Index
	if err := json.Unmarshal(files[ocispec.ImageIndexFile], &index); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range index.Manifests {
		names = append(names, m.Annotations[nameAnnotation])
	}
	if want := []string{"example.com/a:1", "example.com/b:1"}; !slices.Equal(names, want) {
		t.Errorf("names = %q, want %q", names, want)
	}
	blobOf := func(d ocispec.Descriptor) []byte {
		b, ok := files[blob(d.Digest)]
		if !ok || int64(len(b)) != d.Size || d.Digest.Algorithm().FromBytes(b) != d.Digest {
			t.Fatalf("blob %s: %d bytes, want %d with that digest", d.Digest, len(b), d.Size)
		}
		return b
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(blobOf(index.Manifests[0]), &manifest); err != nil {
		t.Fatal(err)
	}
	var config ocispec.Image
	if err := json.Unmarshal(blobOf(manifest.Config), &config); err != nil {
		t.Fatal(err)
	}
	if config.Config.Labels[KindLabel] != string(StandIn) {
		t.Errorf("label %s = %q, want it to say that this is a stand-in", KindLabel, config.Config.Labels[KindLabel])
	}
	layer := untar(t, bytes.NewReader(blobOf(manifest.Layers[0])))
	if got := string(layer["usr/bin/p"]); got != "program" {
		t.Errorf("the program in the layer = %q", got)
	}
}

func TestInputs(t *testing.T) {
	source := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		f := filepath.Join(source, "images", "x", name)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("go.mod", "module x")
	put("go.sum", "")
	put("main.go", "package main")
	p := program{name: "x", dir: path.Join("images", "x"), pkg: "."}
	digest := func(p program, goVersion string) string {
		t.Helper()
		d, err := p.inputs(source, goVersion)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	was := digest(p, "go1")
	put("main_test.go", "package main")
	put("README", "hello")
	if digest(p, "go1") != was {
		t.Error("a test or a text makes the program another one")
	}
	if digest(p, "go2") == was {
		t.Error("another Go gives the same program")
	}
	flags := p
	flags.ldflags = "-s"
	if digest(flags, "go1") == was {
		t.Error("other flags give the same program")
	}
	put("go.sum", "changed")
	if digest(p, "go1") == was {
		t.Error("another pin gives the same program")
	}
}

func TestFindSource(t *testing.T) {
	root := t.TempDir()
	module := filepath.Join(root, "test", "devcluster")
	deep := filepath.Join(root, "pkg", "a")
	for _, d := range []string{module, deep} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(module, "go.mod"), []byte("module "+moduleName+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{root, deep, module} {
		if got, err := FindSource(start); got != module || err != nil {
			t.Errorf("FindSource(%s) = %s, %v, want %s", start, got, err, module)
		}
	}
	if _, err := FindSource(t.TempDir()); err == nil || !strings.Contains(err.Error(), "--source") {
		t.Errorf("FindSource elsewhere = %v, want an error that says --source", err)
	}
}

func TestImageFallsBackToItsStandIn(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(s.Dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.binary("standin"), []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	real := proxy()
	failed := map[string]error{"envoy": errors.New("no network")}
	built := map[string]string{"standin": "1", "pilot-agent": "2"}
	if _, err := s.image(real, "", built, failed); err == nil {
		t.Fatal("the image was made without one of its programs")
	}
	a, err := s.image(instead(real, "no network"), "no network", built, failed)
	if err != nil {
		t.Fatal(err)
	}
	if a.Kind != StandIn || a.Name != real.Name || !strings.Contains(a.Note, "no network") {
		t.Errorf("got %s %s (%s), want a stand-in of the same name that says why", a.Kind, a.Name, a.Note)
	}
	listed, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listed {
		if l.Name == real.Name && (l.Kind != StandIn || l.Missing != "") {
			t.Errorf("the list says %s, missing %q, want a stand-in", l.Kind, l.Missing)
		}
	}
}

func TestOnlyOneBuildsAtATime(t *testing.T) {
	said := make(chan string, 1)
	s := Store{Dir: t.TempDir(), Say: func(format string, _ ...any) { said <- format }}
	unlock, err := s.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	second := make(chan error, 1)
	go func() {
		_, err := s.lock(ctx)
		second <- err
	}()
	if text := <-said; !strings.Contains(text, "another devcluster") {
		t.Errorf("the second builder says %q", text)
	}
	cancel()
	if err := <-second; err == nil {
		t.Error("the second builder got the store while the first had it")
	}
	unlock()
	if unlock, err = s.lock(context.Background()); err != nil {
		t.Fatalf("the store is not free again: %v", err)
	}
	unlock()
}

func TestClosure(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no dynamically linked program to look at")
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte("not a program"), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := closure(map[string]string{"/x/sh": "/bin/sh", "/x/data": data}, libraryDirs())
	if err != nil {
		t.Fatal(err)
	}
	if all["/x/sh"] != "/bin/sh" || all["/x/data"] != data {
		t.Errorf("closure = %v, want what was asked for in it", all)
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(p string) bool { return strings.HasPrefix(filepath.Base(p), "libc.") }) {
		t.Errorf("closure = %v, want the C library in it", all)
	}
	if _, err := closure(map[string]string{"/x/sh": "/bin/sh"}, []string{t.TempDir()}); err == nil {
		t.Error("closure without libraries = nil, want an error that names the first")
	}
}
