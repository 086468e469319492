package login

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Gateway is what matters here of Istio's Gateway.
type Gateway struct {
	Spec struct {
		Selector map[string]string `json:"selector"`
		Servers  []GatewayServer   `json:"servers"`
	} `json:"spec"`
}

// GatewayServer is one port of it.
type GatewayServer struct {
	Hosts []string `json:"hosts"`
	Port  struct {
		Number   int    `json:"number"`
		Protocol string `json:"protocol"`
	} `json:"port"`
	TLS *struct {
		HTTPSRedirect  bool   `json:"httpsRedirect"`
		Mode           string `json:"mode"`
		CredentialName string `json:"credentialName"`
	} `json:"tls"`
}

// GatewayOf reads the parts of an object that WayInOf needs.
func GatewayOf(u *unstructured.Unstructured) (*Gateway, error) {
	g := &Gateway{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, g); err != nil {
		return nil, err
	}
	return g, nil
}

// door is the server that people are sent to: HTTPS where there is one.
func (g *Gateway) door() *GatewayServer {
	var plain *GatewayServer
	for i := range g.Spec.Servers {
		s := &g.Spec.Servers[i]
		switch strings.ToUpper(s.Port.Protocol) {
		case "HTTPS":
			return s
		case "HTTP", "HTTP2":
			if plain == nil {
				plain = s
			}
		}
	}
	return plain
}

func (s *GatewayServer) scheme() string {
	if strings.EqualFold(s.Port.Protocol, "HTTPS") {
		return "https"
	}
	return "http"
}

// host is the one name that the server answers to; empty where any will do.
func (s *GatewayServer) host() string {
	if len(s.Hosts) == 0 {
		return ""
	}
	h := s.Hosts[0]
	// A host may be preceded by the namespace of its routes.
	if _, name, ok := strings.Cut(h, "/"); ok {
		h = name
	}
	if strings.Contains(h, "*") {
		return ""
	}
	return h
}
