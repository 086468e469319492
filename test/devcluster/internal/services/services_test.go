package services

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

func service(change func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.9", ClusterIPs: []string{"10.96.0.9"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}},
		},
	}
	if change != nil {
		change(s)
	}
	return s
}

func slice(port int32, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To(port)}},
		Endpoints:   endpoints,
	}
}

func endpoint(ip string, ready *bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: ready}}
}

func TestWanted(t *testing.T) {
	up := []*discoveryv1.EndpointSlice{slice(8080, endpoint("10.244.0.1", ptr.To(true)), endpoint("10.244.0.2", nil), endpoint("10.244.0.3", ptr.To(false)))}
	six := slice(8080, endpoint("fd00:1::1", nil))
	six.AddressType = discoveryv1.AddressTypeIPv6
	backends := []string{"10.244.0.1:8080", "10.244.0.2:8080"}
	for name, tc := range map[string]struct {
		service *corev1.Service
		slices  []*discoveryv1.EndpointSlice
		want    map[string][]string
	}{
		"a cluster IP leads to the ready endpoints":     {service(nil), up, map[string][]string{"10.96.0.9:80": backends}},
		"without ready endpoints nothing listens":       {service(nil), []*discoveryv1.EndpointSlice{slice(8080, endpoint("10.244.0.3", ptr.To(false)))}, map[string][]string{}},
		"a headless Service has no address":             {service(func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone }), up, map[string][]string{}},
		"a Service that is another name has no address": {service(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }), up, map[string][]string{}},
		"a port of another name has no endpoints":       {service(func(s *corev1.Service) { s.Spec.Ports[0].Name = "metrics" }), up, map[string][]string{}},
		"UDP is left out":                               {service(func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP }), up, map[string][]string{}},
		"the address of a load balancer leads there too": {service(func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "10.96.200.1"}}
		}), up, map[string][]string{"10.96.0.9:80": backends, "10.96.200.1:80": backends}},
		"a node port is served at the bed's address": {service(func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 31000 }), up, map[string][]string{"10.96.0.9:80": backends, "10.0.0.1:31000": backends}},
		"each family leads to its own endpoints":     {service(func(s *corev1.Service) { s.Spec.ClusterIPs = append(s.Spec.ClusterIPs, "fd00::9") }), append(up, six), map[string][]string{"10.96.0.9:80": backends, "[fd00::9]:80": {"[fd00:1::1]:8080"}}},
		"a load balancer that is known by name has no address": {service(func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "lb.example"}}
		}), up, map[string][]string{"10.96.0.9:80": backends}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string][]string{}
			for k, v := range Wanted([]*corev1.Service{tc.service}, tc.slices, []netip.Addr{netip.MustParseAddr("10.0.0.1")}) {
				got[k.String()] = v
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestServiceName(t *testing.T) {
	for host, want := range map[string]string{
		"web.ns": "web/ns", "web.ns.svc": "web/ns", "web.ns.svc.cluster.local": "web/ns", "web.ns.svc.cluster.local.": "web/ns",
		"web": "", "a.b.c.svc": "", "example.com.": "example/com", ".ns": "",
	} {
		name, namespace, err := serviceName(host, "cluster.local")
		got := ""
		if err == nil {
			got = name + "/" + namespace
		}
		if got != want {
			t.Errorf("%s: got %q (%v), want %q", host, got, err, want)
		}
	}
}

func TestAPortPassesConnectionsToItsBackendAndEndsOfOneSideOn(t *testing.T) {
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = backend.Close() }()
	go func() {
		c, err := backend.Accept()
		if err != nil {
			return
		}
		b, _ := io.ReadAll(c) // returns when the client has closed its side
		fmt.Fprintf(c, "got %s", b)
		_ = c.Close()
	}()
	p, err := openPort(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), []string{backend.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	c, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "hello")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "got hello" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestTheProxyReachesServicesByNameAndByAddress(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.Host, r.URL.Path) }))
	defer web.Close()
	at := netip.MustParseAddrPort(web.Listener.Addr().String())
	client := fake.NewClientset(service(func(s *corev1.Service) {
		s.Spec.ClusterIP = at.Addr().String()
		s.Annotations = map[string]string{hostnames: "web.example.test, *.web.example.test"}
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- ServeProxy(ctx, l, client, "cluster.local", map[string]string{"registry.example": "127.0.0.1"})
	}()
	defer func() { cancel(); <-done }()
	through := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()})}}
	get := func(u string) (int, string) {
		r, err := through.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	host := fmt.Sprintf("web.ns.svc:%d", at.Port())
	if code, body := get("http://" + host + "/x"); code != 200 || body != host+" /x" {
		t.Errorf("by name: %d %q", code, body)
	}
	if code, body := get("http://none.ns.svc/"); code != http.StatusBadGateway || !strings.Contains(body, "none.ns.svc") {
		t.Errorf("a name that is not there: %d %q", code, body)
	}
	for name, want := range map[string]int{"registry.example": 200, "web.example.test": 200, "one.web.example.test": 200, "two.one.web.example.test": http.StatusBadGateway, "other.example.test": http.StatusBadGateway} {
		if code, body := get(fmt.Sprintf("http://%s:%d/x", name, at.Port())); code != want {
			t.Errorf("the name %s outside of the cluster: %d %q, want %d", name, code, body, want)
		}
	}
	// CONNECT, as clients send it for https.
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nGET /y HTTP/1.0\r\nHost: inner\r\n\r\n", host, host)
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 ") || !strings.HasSuffix(string(b), "inner /y") {
		t.Errorf("CONNECT: %q, %v", b, err)
	}
}
