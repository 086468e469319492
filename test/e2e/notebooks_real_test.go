//go:build e2e_real

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// TestNotebooksFromTheShell works with notebooks from a shell, in one installation: kernels
// run, since JupyterLab is itself, as are Envoy, istiod, Dex and oauth2-proxy. The notebook
// controller and the web app, whose form is read, are stand-ins.
func TestNotebooksFromTheShell(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a real node needs root: run it with sudo")
	}
	images := realImages(t)
	if images[notebookImage(t, images)] != "real" {
		t.Skip("the notebook is a stand-in, which runs no kernels: see the list above for why")
	}
	b := newBed(t, "--nodes", "real", "--network-policies")
	if r := b.run(context.Background(), loginPassword, nil, "install", "--password-stdin", "--timeout", "5m"); r.Code != 0 {
		t.Fatalf("install: %s", r)
	}
	t.Log("stand-ins: the notebook controller, the web app, the profile controller and the PodDefaults webhook; JupyterLab and its kernels are real")
	b.kubectl("-n", "istio-system", "patch", "service", "istio-ingressgateway", "-p", `{"spec":{"externalIPs":["`+gatewayAddress+`"]}}`)

	n := &shell{b, "lab", profileNamespace, loginUser, webAppURL}
	t.Run("create ends when the notebook answers its owner through the gateway", func(t *testing.T) {
		b := b.in(t)
		b.throughProxy(t)
		create := []string{"notebook", "create", n.name, "-n", profileNamespace, "--cpu", "0.2", "--memory", "512Mi", "--timeout", "5m", "--user-email", loginUser, "--password-stdin"}
		r := b.run(t.Context(), "not "+loginPassword, nil, create...)
		wantSays(t, r.Stderr, "nothing was created: cannot log in as "+loginUser)
		if _, err := b.tryKubectl("", "-n", n.namespace, "get", "notebook", n.name); r.Code == 0 || err == nil {
			t.Errorf("a notebook is created for a wrong password: %s", r)
		}
		if r = b.run(t.Context(), loginPassword, nil, create...); r.Code != 0 {
			t.Fatal(r)
		}
		wantSays(t, r.Stdout, "notebook.kubeflow.org/"+n.name+" created")
		wantSays(t, r.Stderr, "its server answers")
		wantSays(t, r.Stderr, n.name+": answers through the gateway")
	})
	if t.Failed() {
		return
	}
	t.Run("its page is opened through the gateway and the login, and a cell is run in it", func(t *testing.T) {
		n.inChromium(t, strings.TrimSuffix(webAppURL, "/jupyter/"))
	})
	t.Run("others see it and work in it only as it is shared, and everybody sees their own namespaces alone", n.people)
	t.Run("at an origin of its own its kernels run and its files are downloaded, with HTTPS and without", n.atItsOwnOrigin)
	t.Run("a client of the API runs a cell through connect, and its file is there after stop and start", n.connects)
	t.Run("exec, logs and connect --exec reach the containers that are meant, and end as the programs do", n.executes)
	t.Run("a notebook file that works is run beside it, and one that fails says so", n.runs)
	t.Run("300 MB are copied there and back, over connections that break", n.copies)
	t.Run("stop --idle stops the one that is idle and leaves the one whose cell runs", n.idles)
}

// shell is somebody who works with a notebook from a shell.
type shell struct {
	*bed
	name, namespace, user, app string
}

// must runs a verb of notebook.
func (s *shell) must(t *testing.T, verb string, args ...string) result {
	t.Helper()
	return s.in(t).must(append([]string{"notebook", verb, "-n", s.namespace}, args...)...)
}

// atItsOwnOrigin gives notebooks a port of their own, and works in one there.
func (s *shell) atItsOwnOrigin(t *testing.T) {
	b := s.in(t)
	b.throughProxy(t)
	s.must(t, "exec", s.name, "--", "sh", "-c", "echo downloaded > /home/jovyan/file.txt")
	b.must("expose", "--type", "ClusterIP", "--notebook-origin", "port")
	b.healthy(t)
	person := b.signsIn(t, "http://"+gatewayAddress, nil, s.user, loginPassword, s.namespace)
	file := person.follow(person.get(notebooksURL + "/notebook/" + s.namespace + "/" + s.name + "/files/file.txt?download=1"))
	if file.code != http.StatusOK || file.body != "downloaded\n" {
		t.Errorf("the file is %d %.300q", file.code, file.body)
	}
	s.inChromium(t, notebooksURL)

	b.must("expose", "--type", "ClusterIP", "--tls", "self-signed")
	b.healthy(t)
	secure := *s
	secure.app = "https://" + gatewayAddress + "/jupyter/"
	secure.inChromium(t, "https://"+gatewayAddress+":8888")
}

// inChromium runs a cell as a person does, in a page that is at the origin.
func (s *shell) inChromium(t *testing.T, origin string) {
	chromium, pictures := chromium(t)
	if !strings.HasPrefix(origin, "https:") {
		// The mesh hears of a new pod a moment after everybody else.
		person := s.signsIn(t, "http://"+gatewayAddress, nil, s.user, loginPassword, s.namespace)
		eventually(t, "the gateway leads to JupyterLab", func() bool {
			return strings.Contains(person.follow(person.get(origin+"/notebook/"+s.namespace+"/"+s.name+"/")).body, "JupyterLab")
		})
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs(t).Bin, "browser"), "-chromium", chromium, "-proxy", s.state().Proxy, "-any-certificate",
		"-url", s.app, "-user", s.user, "-namespace", s.namespace, "-out", pictures, "-notebook", s.name, "-cell", "print(6 * 7)")
	cmd.Stdin = strings.NewReader(loginPassword)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	type page struct{ URL, Title, Text, Picture string }
	var out struct {
		Lab, Run page
		Output   string
	}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	if out.Output != "42" {
		t.Errorf("the cell printed %q, want 42", out.Output)
	}
	if want := origin + "/notebook/" + s.namespace + "/" + s.name + "/lab"; !strings.HasPrefix(out.Lab.URL, want) || !strings.Contains(out.Lab.Title, "JupyterLab") {
		t.Errorf("the page is %q at %s, want JupyterLab at %s", out.Lab.Title, out.Lab.URL, want)
	}
	wantPicture(t, "JupyterLab", out.Lab.Picture)
	wantPicture(t, "the cell", out.Run.Picture)
}

// connected starts `notebook connect` and returns a client of what it leads to. The test's
// end is that of the connection.
func (s *shell) connected(t *testing.T) *jupyterServer {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), programs(t).Plugin, "notebook", "connect", s.name, "-n", s.namespace, "--port", "0", "-o", "json")
	cmd.Env = s.Env()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("connect after Ctrl-C: %v\n%s", err, stderr.String())
		}
	})
	var said struct{ URL string }
	if err := json.NewDecoder(stdout).Decode(&said); err != nil {
		t.Fatalf("what connect prints: %v\n%s", err, stderr.String())
	}
	return newJupyterServer(t, said.URL, nil)
}

func (s *shell) connects(t *testing.T) {
	server := s.connected(t)
	kernel := server.kernel(t)
	if got := server.run(t, kernel, "open('kept.txt', 'w').write('kept')\nprint(6 * 7)", true); strings.TrimSpace(got) != "42" {
		t.Errorf("the cell printed %q, want 42", got)
	}
	s.must(t, "stop", s.name, "--yes", "--wait", "--timeout", "3m")
	wantSays(t, s.must(t, "list").Stdout, "Stopped")
	if out, err := s.tryKubectl("", "-n", s.namespace, "get", "pod", s.name+"-0"); err == nil {
		t.Errorf("a stopped notebook has a pod: %s", out)
	}
	s.must(t, "start", s.name, "--wait", "--timeout", "5m")
	if got := s.must(t, "exec", s.name, "--", "cat", "/home/jovyan/kept.txt").Stdout; got != "kept" {
		t.Errorf("the file is %q after stop and start, want kept", got)
	}
	// The client's port leads to the new pod.
	server = newJupyterServer(t, server.base.String(), nil)
	// start waits for the pod; JupyterLab answers later, and nothing can be watched that tells when.
	var err error
	if wait.PollUntilContextTimeout(t.Context(), time.Second, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		err = server.page(ctx)
		return err == nil, nil
	}) != nil {
		t.Fatalf("connect does not lead to the notebook again: %v", err)
	}
	if got := server.run(t, server.kernel(t), "print(open('kept.txt').read())", true); strings.TrimSpace(got) != "kept" {
		t.Errorf("a cell reads %q, want kept", got)
	}
}

// runs executes two notebook files as Jobs with what the notebook has.
func (s *shell) runs(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, cell, output string
		fails              bool
	}{
		{"works", "print(open('kept.txt').read(), 6 * 7)", "kept 42", false},
		{"fails", "1 / 0", "ZeroDivisionError", true},
	} {
		file, executed := filepath.Join(dir, tt.name+".ipynb"), filepath.Join(dir, tt.name+".out.ipynb")
		cell := map[string]any{"cell_type": "code", "id": "a", "execution_count": nil, "metadata": map[string]any{}, "outputs": []any{}, "source": tt.cell}
		data, err := json.Marshal(map[string]any{
			"cells": []any{cell}, "nbformat": 4, "nbformat_minor": 5,
			"metadata": map[string]any{"kernelspec": map[string]any{"name": "python3", "display_name": "Python 3", "language": "python"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := s.in(t).jupyter("notebook", "run", file, "--like", s.name, "-n", s.namespace, "--output", executed, "--rm", "--timeout", "3m")
		if (r.Code != 0) != tt.fails {
			t.Errorf("run of a notebook that %s: %s", tt.name, r)
		}
		back, err := os.ReadFile(executed)
		if err != nil {
			t.Errorf("run of a notebook that %s: %v: %s", tt.name, err, r)
			continue
		}
		wantSays(t, string(back), tt.output)
	}
}

// copied is how much the copies move.
const copied = 300 << 20

func (s *shell) copies(t *testing.T) {
	dir := t.TempDir()
	there, back := filepath.Join(dir, "big.bin"), filepath.Join(dir, "back.bin")
	sum := randomFile(t, there, copied)
	for _, way := range []struct {
		name     string
		from, to string
	}{{"there", there, s.name + ":/home/jovyan/big.bin"}, {"back", s.name + ":/home/jovyan/big.bin", back}} {
		breaking := breakAfter(t, s.bed, copied*2/5)
		r := breaking.in(t).must("notebook", "cp", "-n", s.namespace, way.from, way.to, "-o", "json")
		if breaking.broken() != 1 {
			t.Errorf("%s: connections were broken %d times, want once: this proves nothing", way.name, breaking.broken())
		}
		t.Logf("%s: %d MB in %s: %s", way.name, copied>>20, breaking.took(), strings.TrimSpace(r.Stdout))
	}
	if got, _, _ := strings.Cut(s.must(t, "exec", s.name, "--", "sha256sum", "/home/jovyan/big.bin").Stdout, " "); got != sum {
		t.Errorf("the sum there is %s, want %s", got, sum)
	}
	if got := sumOf(t, back); got != sum {
		t.Errorf("the sum back here is %s, want %s", got, sum)
	}
	// One that is ended in the middle goes on where it was.
	again := filepath.Join(dir, "again.bin")
	r := s.in(t).run(t.Context(), "", func(p *os.Process) {
		go func() {
			eventually(t, "the copy has begun", func() bool { return sizeBelow(dir) > 2*copied+copied/10 })
			_ = p.Kill()
		}()
	}, "notebook", "cp", "-n", s.namespace, s.name+":/home/jovyan/big.bin", again)
	if r.Code == 0 {
		t.Fatal("the copy was complete before it was killed: this proves nothing")
	}
	left := sizeBelow(dir) - 2*copied
	s.must(t, "cp", s.name+":/home/jovyan/big.bin", again)
	if got := sumOf(t, again); got != sum {
		t.Errorf("the sum after a copy that was killed at %d MB is %s, want %s", left>>20, got, sum)
	}
	s.must(t, "exec", s.name, "--", "rm", "/home/jovyan/big.bin")
}

// idles has another notebook compute while nothing is done in this one.
func (s *shell) idles(t *testing.T) {
	busy := &shell{s.bed, "busy", s.namespace, s.user, s.app}
	s.must(t, "create", busy.name, "--no-volume", "--cpu", "0.1", "--memory", "512Mi", "--timeout", "5m")
	server := busy.connected(t)
	server.run(t, server.kernel(t), "import time\ntime.sleep(600)", false)
	r := s.must(t, "stop", "--idle", "1s", "--yes", "--wait", "--timeout", "3m", "-o", "name")
	if !strings.Contains(r.Stdout, s.name) || strings.Contains(r.Stdout, busy.name) {
		t.Errorf("chosen were not %s alone: %s", s.name, r)
	}
	stopped := func(name string) string {
		return s.kubectl("-n", s.namespace, "get", "notebook", name, "-o", `jsonpath={.metadata.annotations.kubeflow-resource-stopped}`)
	}
	if stopped(s.name) == "" || stopped(busy.name) != "" {
		t.Errorf("stopped: %s %q, %s %q, want the first one alone", s.name, stopped(s.name), busy.name, stopped(busy.name))
	}
	var kernels []struct {
		State string `json:"execution_state"`
	}
	if err := server.ask(t.Context(), http.MethodGet, "api/kernels", nil, &kernels); err != nil || len(kernels) != 1 || kernels[0].State != "busy" {
		t.Errorf("kernels of the one whose cell runs: %v, %+v", err, kernels)
	}
}

// randomFile writes a file that nothing compresses, and returns its sum.
func randomFile(t *testing.T, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	seed := [32]byte{1}
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8(seed), size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sizeBelow is how much a directory has in it.
func sizeBelow(dir string) int64 {
	var size int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
	}
	return size
}
