package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ProbersVar holds the probes of a pod's own containers. The injector points
// them at the proxy's agent, which asks the containers from inside of the pod:
// the kubelet has no certificate of the mesh.
const ProbersVar = "ISTIO_KUBE_APP_PROBERS"

// StatusPort is where the agent answers for the containers.
const StatusPort = "15020"

// prober is one probe as the injector writes it down.
type prober struct {
	HTTPGet        *corev1.HTTPGetAction   `json:"httpGet"`
	TCPSocket      *corev1.TCPSocketAction `json:"tcpSocket"`
	TimeoutSeconds int32                   `json:"timeoutSeconds"`
}

// parseProbers reads the probes by the path at which they are asked for.
func parseProbers(text string) (map[string]prober, error) {
	all := map[string]prober{}
	if text == "" {
		return all, nil
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("%s: %w", ProbersVar, err)
	}
	for path, p := range all {
		if p.HTTPGet == nil && p.TCPSocket == nil {
			return nil, fmt.Errorf("%s: the probe %s is neither httpGet nor tcpSocket", ProbersVar, path)
		}
	}
	return all, nil
}

// probes answers each probe with what the container on this host says.
func probes(all map[string]prober) http.Handler {
	mux := ready()
	for path, p := range all {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			timeout := time.Duration(max(p.TimeoutSeconds, 1)) * time.Second
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			defer cancel()
			code, err := p.ask(ctx)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.WriteHeader(code)
		})
	}
	return mux
}

// ask returns the container's answer; 200 where a connection is all that is asked for.
func (p prober) ask(ctx context.Context) (int, error) {
	if p.TCPSocket != nil {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.TCPSocket.Port.IntValue())))
		if err != nil {
			return 0, err
		}
		return http.StatusOK, c.Close()
	}
	g := p.HTTPGet
	url := "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(g.Port.IntValue())) + g.Path
	if g.Scheme == corev1.URISchemeHTTPS {
		return 0, fmt.Errorf("probe %s: HTTPS is not done by the stand-in", url)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	for _, h := range g.HTTPHeaders {
		r.Header.Add(h.Name, h.Value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, nil
}
