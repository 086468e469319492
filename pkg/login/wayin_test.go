package login

import (
	"net/url"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func parse[T any](t testing.TB, text string) *T {
	t.Helper()
	v := new(T)
	if err := yaml.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
	return v
}

const ports = "ports: [{port: 15021, nodePort: 30021}, {port: 80, nodePort: 30080}, {port: 443, nodePort: 30443}]"

const (
	plainGateway = `{spec: {servers: [{hosts: ["*"], port: {number: 80, protocol: HTTP}}]}}`
	tlsGateway   = `{spec: {servers: [
		{hosts: ["*"], port: {number: 80, protocol: HTTP}, tls: {httpsRedirect: true}},
		{hosts: ["*"], port: {number: 443, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: x}}]}}`
	namedGateway = `{spec: {servers: [{hosts: [kubeflow/notebooks.example.org], port: {number: 443, protocol: HTTPS}, tls: {mode: SIMPLE}}]}}`
)

func TestTheURLFollowsTheServiceAndTheGateway(t *testing.T) {
	for name, c := range map[string]struct{ service, gateway, nodes, url, via, missing string }{
		"a load balancer's address over plain HTTP needs no port": {
			service: `{spec: {type: LoadBalancer, ` + ports + `}, status: {loadBalancer: {ingress: [{ip: 192.168.49.240}]}}}`,
			url:     "http://192.168.49.240/jupyter/", via: "LoadBalancer",
		},
		"a cloud's load balancer has a name": {
			service: `{spec: {type: LoadBalancer, ` + ports + `}, status: {loadBalancer: {ingress: [{hostname: a.elb.example.com}]}}}`,
			url:     "http://a.elb.example.com/jupyter/", via: "LoadBalancer",
		},
		"an IPv6 address stands in brackets": {
			service: `{spec: {type: LoadBalancer, ` + ports + `}, status: {loadBalancer: {ingress: [{ip: "fd00::1"}]}}}`,
			url:     "http://[fd00::1]/jupyter/", via: "LoadBalancer",
		},
		"HTTPS is preferred to the port that redirects to it": {
			service: `{spec: {type: LoadBalancer, ` + ports + `}, status: {loadBalancer: {ingress: [{ip: 192.168.49.240}]}}}`,
			gateway: tlsGateway, url: "https://192.168.49.240/jupyter/", via: "LoadBalancer",
		},
		"a gateway for one name is opened by that name": {
			service: `{spec: {type: LoadBalancer, ` + ports + `}, status: {loadBalancer: {ingress: [{ip: 192.168.49.240}]}}}`,
			gateway: namedGateway, url: "https://notebooks.example.org/jupyter/", via: "LoadBalancer",
		},
		"a node port needs a node's address and its own port": {
			service: `{spec: {type: NodePort, ` + ports + `}}`,
			nodes:   `{items: [{metadata: {name: a}, status: {addresses: [{type: InternalIP, address: 10.0.0.7}]}}]}`,
			url:     "http://10.0.0.7:30080/jupyter/", via: "NodePort",
		},
		"a node that is ready is preferred, and its external address": {
			service: `{spec: {type: NodePort, ` + ports + `}}`,
			nodes: `{items: [{metadata: {name: a}, status: {addresses: [{type: InternalIP, address: 10.0.0.7}]}},
				{metadata: {name: b}, status: {conditions: [{type: Ready, status: "True"}], addresses: [{type: InternalIP, address: 10.0.0.8}, {type: ExternalIP, address: 203.0.113.8}]}}]}`,
			gateway: tlsGateway, url: "https://203.0.113.8:30443/jupyter/", via: "NodePort",
		},
		"an IPv6 node port has brackets and a port": {
			service: `{spec: {type: NodePort, ` + ports + `}}`,
			nodes:   `{items: [{metadata: {name: a}, status: {addresses: [{type: InternalIP, address: "fd00::7"}]}}]}`,
			url:     "http://[fd00::7]:30080/jupyter/", via: "NodePort",
		},
		"an external IP that somebody wrote into the Service leads in": {
			service: `{spec: {type: ClusterIP, externalIPs: [203.0.113.9], ` + ports + `}}`,
			url:     "http://203.0.113.9/jupyter/", via: "ClusterIP",
		},
		"a load balancer without an address is no way in": {
			service: `{spec: {type: LoadBalancer, ` + ports + `}}`, via: "LoadBalancer",
			missing: "Service istio-system/istio-ingressgateway is of type LoadBalancer and has no address yet",
		},
		"a cluster IP is an address inside of the cluster": {
			service: `{spec: {type: ClusterIP, ` + ports + `}}`, via: "ClusterIP",
			missing: "Service istio-system/istio-ingressgateway is of type ClusterIP: not reachable from outside the cluster",
		},
		"a port that the Service does not have leads nowhere": {
			service: `{spec: {type: LoadBalancer, ports: [{port: 80}]}, status: {loadBalancer: {ingress: [{ip: 192.168.49.240}]}}}`,
			gateway: tlsGateway, via: "LoadBalancer",
			missing: "Service istio-system/istio-ingressgateway has no port 443, which Gateway kubeflow/kubeflow-gateway listens on",
		},
		"a gateway that speaks only TCP leads nowhere": {
			service: `{spec: {type: LoadBalancer, ` + ports + `}}`, gateway: `{spec: {servers: [{port: {number: 80, protocol: TCP}}]}}`, via: "LoadBalancer",
			missing: "Gateway kubeflow/kubeflow-gateway has no HTTP or HTTPS server",
		},
		"nothing is installed": {missing: "there is no Service istio-system/istio-ingressgateway: the gateway is not installed"},
	} {
		t.Run(name, func(t *testing.T) {
			var service *corev1.Service
			if c.service != "" {
				service = parse[corev1.Service](t, c.service)
			}
			if c.gateway == "" {
				c.gateway = plainGateway
			}
			in := WayInOf(service, parse[Gateway](t, c.gateway), parse[corev1.NodeList](t, c.nodes).Items, []string{"a@example.com"})
			if in.URL != c.url || in.Via != c.via || in.Missing != c.missing || len(in.Users) != 1 {
				t.Errorf("got %+v, want URL %q, via %q, missing %q", in, c.url, c.via, c.missing)
			}
		})
	}
}

func TestWithoutAGatewayNothingListens(t *testing.T) {
	in := WayInOf(parse[corev1.Service](t, `{spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 192.168.49.240}]}}}`), nil, nil, nil)
	if in.URL != "" || in.Missing != "Gateway kubeflow/kubeflow-gateway does not exist: nothing listens on the address" {
		t.Errorf("got %+v", in)
	}
}

func TestAPersonOpensTheNameThatTheCertificateIsFor(t *testing.T) {
	service := `{spec: {type: LoadBalancer, ` + ports + `}, status: {loadBalancer: {ingress: [{ip: 192.168.49.240}]}}}`
	for name, c := range map[string]struct {
		gateway string
		hosts   []string
		want    string
	}{
		"a name that was chosen":         {tlsGateway, []string{"notebooks.example.com", "192.168.49.240"}, "https://notebooks.example.com/jupyter/"},
		"the address, where no name was": {tlsGateway, []string{"192.168.49.240"}, "https://192.168.49.240/jupyter/"},
		"no pattern":                     {tlsGateway, []string{"*.example.com", "192.168.49.240"}, "https://192.168.49.240/jupyter/"},
		"no name without a certificate":  {plainGateway, []string{"notebooks.example.com"}, "http://192.168.49.240/jupyter/"},
	} {
		g := &Ground{Service: parse[corev1.Service](t, service), Gateway: parse[Gateway](t, c.gateway), Hosts: c.hosts}
		if got := g.WayIn().URL; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestANameIsNoWayInWhereNothingGivesAnAddress(t *testing.T) {
	g := &Ground{
		Service: parse[corev1.Service](t, `{spec: {type: ClusterIP, ports: [{port: 443}]}}`),
		Gateway: parse[Gateway](t, `{spec: {servers: [{hosts: ["*"], port: {number: 443, protocol: HTTPS}}]}}`),
		Hosts:   []string{"nb.example.com"},
	}
	if in := g.WayIn(); in.URL != "" || in.Scheme != "https" || in.Missing == "" {
		t.Errorf("way in %+v, want none, over https, and why", in)
	}
}

func TestUsersAreThoseOfDexAndNoOthers(t *testing.T) {
	g := &Ground{
		Passwords: []string{"b@example.com", "a@example.com"}, FirstUser: "gone@example.com",
		Dex: parse[DexConfig](t, `{staticPasswords: [{email: a@example.com, hash: secret}]}`),
	}
	if got := g.Users(); len(got) != 2 || got[0] != "a@example.com" || got[1] != "b@example.com" {
		t.Errorf("users = %q, want a and b once each", got)
	}
	g.Dex = nil // its configuration may not be read
	if got := g.Users(); len(got) != 3 {
		t.Errorf("users = %q, want those of the settings as well", got)
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
