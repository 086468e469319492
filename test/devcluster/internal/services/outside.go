package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ServeProxy serves an HTTP proxy on l whose connections start inside of the
// bed's network, until ctx ends. It understands CONNECT and plain requests.
// Names are those of the cluster: NAME.NAMESPACE, NAME.NAMESPACE.svc and
// NAME.NAMESPACE.svc.DOMAIN, and those that a Service has outside of it by
// the annotation that external-dns reads. The hosts in names exist beside them.
func ServeProxy(ctx context.Context, l net.Listener, client kubernetes.Interface, domain string, names map[string]string) error {
	d := &dialer{client: client, domain: domain, names: names}
	transport := &http.Transport{DialContext: d.dial}
	reverse := &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {},
		Transport: transport,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, fmt.Sprintf("devcluster proxy: %v", err), http.StatusBadGateway)
		},
	}
	server := &http.Server{
		ReadHeaderTimeout: 30 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodConnect:
				d.connect(w, r)
			case r.URL.IsAbs():
				reverse.ServeHTTP(w, r)
			default:
				http.Error(w, "this is the HTTP proxy of a devcluster bed: send it CONNECT or an absolute URL", http.StatusBadRequest)
			}
		}),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	return server.Serve(l)
}

type dialer struct {
	client kubernetes.Interface
	// domain is the cluster's.
	domain string
	names  map[string]string
	net    net.Dialer
}

func (d *dialer) connect(w http.ResponseWriter, r *http.Request) {
	out, err := d.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, fmt.Sprintf("devcluster proxy: %v", err), http.StatusBadGateway)
		return
	}
	h, ok := w.(http.Hijacker)
	if !ok {
		_ = out.Close()
		http.Error(w, "devcluster proxy: CONNECT needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	in, rw, err := h.Hijack()
	if err != nil {
		_ = out.Close()
		return
	}
	_ = in.SetDeadline(time.Time{})
	if _, err := rw.WriteString("HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
		err = rw.Flush()
	}
	// What the client sent ahead of our answer is in the buffer.
	if n := rw.Reader.Buffered(); err == nil && n > 0 {
		b, _ := rw.Reader.Peek(n)
		_, err = out.Write(b)
	}
	if err != nil {
		_ = in.Close()
		_ = out.Close()
		return
	}
	Join(in, out)
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		if host, err = d.resolve(ctx, host); err != nil {
			return nil, err
		}
	}
	return d.net.DialContext(ctx, network, net.JoinHostPort(host, port))
}

// hostnames is the annotation of a Service with its names outside of the cluster, separated
// by commas; *.NAME is any name one label below.
const hostnames = "external-dns.alpha.kubernetes.io/hostname"

// outside finds the address of the Service that has a name outside of the cluster.
func (d *dialer) outside(ctx context.Context, host string) (string, bool) {
	list, err := d.client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", false
	}
	_, parent, _ := strings.Cut(host, ".")
	for _, s := range list.Items {
		for _, name := range strings.Split(s.Annotations[hostnames], ",") {
			if name = strings.TrimSpace(name); name != "" && (name == host || name == "*."+parent) && s.Spec.ClusterIP != "" {
				return s.Spec.ClusterIP, true
			}
		}
	}
	return "", false
}

// resolve does for one name what the cluster's DNS would do, or the DNS outside of it.
func (d *dialer) resolve(ctx context.Context, host string) (string, error) {
	if address, ok := d.names[host]; ok {
		return address, nil
	}
	name, namespace, err := serviceName(host, d.domain)
	if err != nil {
		if address, found := d.outside(ctx, host); found {
			return address, nil
		}
		return "", err
	}
	s, err := d.client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("name %s: %w", host, err)
	}
	if s.Spec.ClusterIP != corev1.ClusterIPNone && s.Spec.ClusterIP != "" {
		return s.Spec.ClusterIP, nil
	}
	list, err := d.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + name})
	if err != nil {
		return "", fmt.Errorf("name %s: %w", host, err)
	}
	for _, e := range list.Items {
		for _, one := range e.Endpoints {
			if (one.Conditions.Ready == nil || *one.Conditions.Ready) && len(one.Addresses) > 0 {
				return one.Addresses[0], nil
			}
		}
	}
	return "", fmt.Errorf("name %s: Service %s/%s has no cluster IP and no ready endpoint", host, namespace, name)
}

// serviceName splits the name of a Service into its parts.
func serviceName(host, domain string) (name, namespace string, err error) {
	short := strings.TrimSuffix(strings.TrimSuffix(host, "."), "."+domain)
	short = strings.TrimSuffix(short, ".svc")
	parts := strings.Split(short, ".")
	if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
		return "", "", errors.New("name " + host + ": only NAME.NAMESPACE[.svc[." + domain + "]], IP addresses and names in annotation " + hostnames + " of a Service exist in the bed's network")
	}
	return parts[0], parts[1], nil
}
