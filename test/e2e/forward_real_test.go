//go:build e2e_real

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// forwards asks for the sign-in page through the API server, also after the gateway's pod has gone.
func (b *bed) forwards(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), programs(t).Plugin, "port-forward", "--port", "0", "-o", "json")
	cmd.Env = b.Env()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said struct{ URL, Address, Pod string }
	if err := json.NewDecoder(bufio.NewReader(stdout)).Decode(&said); err != nil {
		t.Fatalf("what port-forward prints: %v\n%s", err, stderr.String())
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func() (int, error) {
		a, err := client.Get(said.URL)
		if err != nil {
			return 0, err
		}
		return a.StatusCode, a.Body.Close()
	}
	for range 3 {
		if code, err := ask(); code != http.StatusForbidden {
			t.Fatalf("GET %s = %d (%v), want the sign-in page\n%s", said.URL, code, err, stderr.String())
		}
	}
	namespace, name, _ := strings.Cut(said.Pod, "/")
	b.kubectl("-n", namespace, "delete", "pod", name, "--wait")
	err = wait.PollUntilContextTimeout(t.Context(), time.Second, 2*time.Minute, true, func(context.Context) (bool, error) {
		code, _ := ask()
		return code == http.StatusForbidden, nil
	})
	if err != nil {
		t.Errorf("the sign-in page does not come back after the gateway's pod was replaced\n%s", stderr.String())
	}
	if r := b.jupyter("port-forward", "--port", said.Address[strings.LastIndexByte(said.Address, ':')+1:]); r.Code != 1 || !strings.Contains(r.Stderr, "in use") {
		t.Errorf("the same port again: %s", r)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, stderr.String())
	}
	if lines := strings.Split(stderr.String(), "\n"); !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "was lost") }) {
		t.Errorf("nothing says that the connection was lost:\n%s", stderr.String())
	}
	wantSays(t, stderr.String(), "Forwarding "+said.Address, fmt.Sprintf("Connected to Pod %s", said.Pod))
}
