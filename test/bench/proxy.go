package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// requests counts what one client asks of the API server. The server's own metrics
// count everybody's requests together.
type requests struct {
	mu     sync.Mutex
	byVerb map[string]int
}

// Names of kinds of requests. A dry run changes nothing, whatever its method.
const (
	reads   = "reads"
	dryRuns = "dry runs"
	writes  = "writes"
	reviews = "permission reviews"
)

func (r *requests) count(q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byVerb[verbOf(q)]++
}

func verbOf(q *http.Request) string {
	switch {
	case q.Method == http.MethodGet || q.Method == http.MethodHead:
		return reads
	case q.URL.Query().Has("dryRun"):
		return dryRuns
	case filepath.Dir(q.URL.Path) == "/apis/authorization.k8s.io/v1":
		return reviews
	}
	return writes
}

// counting puts a proxy between a client and the bed's API server while f runs. It
// speaks plain HTTP on the loopback interface.
func (b *bed) counting(ctx context.Context, f func(kubeconfig string) error) (map[string]int, error) {
	config, err := clientcmd.BuildConfigFromFlags("", b.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig of the bed: %w", err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	counted := &requests{byVerb: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // watches must not be held back
		Rewrite: func(q *httputil.ProxyRequest) {
			q.SetURL(server)
			counted.count(q.In)
		},
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving := &http.Server{Handler: proxy}
	ended := make(chan error, 1)
	go func() { ended <- serving.Serve(listener) }()
	kubeconfig := filepath.Join(b.Dir, "kubeconfig.counting")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "counting",
		Contexts:       map[string]*clientcmdapi.Context{"counting": {Cluster: "counting", AuthInfo: "nobody"}},
		Clusters:       map[string]*clientcmdapi.Cluster{"counting": {Server: "http://" + listener.Addr().String()}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"nobody": {}},
	}, kubeconfig)
	if err == nil {
		err = f(kubeconfig)
	}
	closed := serving.Close()
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	counted.mu.Lock()
	defer counted.mu.Unlock()
	return counted.byVerb, errors.Join(err, closed)
}
