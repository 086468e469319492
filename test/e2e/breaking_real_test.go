//go:build e2e_real

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// breaking is a way to the API server that breaks once, as a network does: after so many
// bytes, all of its connections end.
type breaking struct {
	*bed
	began time.Time

	mutex  sync.Mutex
	open   map[net.Conn]bool
	left   int64
	breaks int
}

// breakAfter opens such a way, and is a bed whose kubeconfig leads through it.
func breakAfter(t *testing.T, b *bed, bytes int64) *breaking {
	t.Helper()
	server, err := url.Parse(b.kubectl("config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster.server}"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way := &breaking{bed: b.in(t), began: time.Now(), open: map[net.Conn]bool{}, left: bytes}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go way.carry(c, server.Host)
		}
	}()
	config, err := os.ReadFile(b.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	there := *server
	there.Host = listener.Addr().String()
	changed := strings.ReplaceAll(string(config), server.String(), there.String())
	if changed == string(config) {
		t.Fatalf("the kubeconfig does not name %s", server)
	}
	way.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(way.Kubeconfig, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return way
}

// in is the bed for a part of a test, by this way.
func (w *breaking) in(t *testing.T) *bed { return w.bed.in(t) }

// carry passes on what one connection says, in both directions.
func (w *breaking) carry(here net.Conn, to string) {
	there, err := net.Dial("tcp", to)
	if err != nil {
		_ = here.Close()
		return
	}
	w.mutex.Lock()
	w.open[here], w.open[there] = true, true
	w.mutex.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
		both.Go(func() {
			_, _ = io.Copy(counted{way[1], w}, way[0])
			_ = here.Close()
			_ = there.Close()
		})
	}
	both.Wait()
	w.mutex.Lock()
	delete(w.open, here)
	delete(w.open, there)
	w.mutex.Unlock()
}

// counted breaks the way when enough has gone through.
type counted struct {
	io.Writer
	way *breaking
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	w := c.way
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.left -= int64(n); w.left < 0 && w.breaks == 0 {
		w.breaks++
		for conn := range w.open {
			_ = conn.Close()
		}
	}
	return n, err
}

// broken is how often the way broke.
func (w *breaking) broken() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.breaks
}

func (w *breaking) took() string { return fmt.Sprintf("%.1f s", time.Since(w.began).Seconds()) }
