package istiod

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/standin/admission"
)

// validate refuses the plainest mistakes in Istio's objects. istiod knows
// many more.
func validate(r *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
	if r.Operation == admissionv1.Delete {
		return nil, nil
	}
	if err := Validate(r.Kind.Kind, r.Object.Raw); err != nil {
		return nil, fmt.Errorf("configuration is invalid: %w", err)
	}
	return nil, nil
}

// Validate checks one object of a kind, given as JSON. Unknown kinds are valid.
func Validate(kind string, raw []byte) error {
	check, ok := validators[kind]
	if !ok {
		return nil
	}
	var o struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	if len(o.Spec) == 0 {
		o.Spec = []byte("{}")
	}
	return check(o.Spec)
}

var validators = map[string]func(json.RawMessage) error{
	"Gateway":               gateway,
	"VirtualService":        virtualService,
	"DestinationRule":       destinationRule,
	"AuthorizationPolicy":   authorizationPolicy,
	"RequestAuthentication": requestAuthentication,
}

func gateway(raw json.RawMessage) error {
	var s struct {
		Servers []struct {
			Port struct {
				Number   int    `json:"number"`
				Name     string `json:"name"`
				Protocol string `json:"protocol"`
			} `json:"port"`
			Hosts []string        `json:"hosts"`
			TLS   json.RawMessage `json:"tls"`
		} `json:"servers"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if len(s.Servers) == 0 {
		return errors.New("gateway must have at least one server")
	}
	for i, one := range s.Servers {
		switch {
		case one.Port.Number < 1 || one.Port.Number > 65535:
			return fmt.Errorf("server %d: port number %d must be 1 to 65535", i, one.Port.Number)
		case one.Port.Name == "":
			return fmt.Errorf("server %d: the port needs a name", i)
		case one.Port.Protocol == "":
			return fmt.Errorf("server %d: the port needs a protocol", i)
		case len(one.Hosts) == 0:
			return fmt.Errorf("server %d needs at least one host", i)
		case (one.Port.Protocol == "HTTPS" || one.Port.Protocol == "TLS") && len(one.TLS) == 0:
			return fmt.Errorf("server %d: protocol %s needs tls settings", i, one.Port.Protocol)
		}
	}
	return nil
}

func virtualService(raw json.RawMessage) error {
	type destination struct {
		Destination struct {
			Host string `json:"host"`
		} `json:"destination"`
		Weight int `json:"weight"`
	}
	var s struct {
		Hosts []string `json:"hosts"`
		HTTP  []struct {
			Route          []destination   `json:"route"`
			Redirect       json.RawMessage `json:"redirect"`
			DirectResponse json.RawMessage `json:"directResponse"`
			Delegate       json.RawMessage `json:"delegate"`
		} `json:"http"`
		TCP []json.RawMessage `json:"tcp"`
		TLS []json.RawMessage `json:"tls"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if len(s.Hosts) == 0 {
		return errors.New("virtual service must have at least one host")
	}
	if len(s.HTTP)+len(s.TCP)+len(s.TLS) == 0 {
		return errors.New("http, tcp or tls must be provided in virtual service")
	}
	for i, h := range s.HTTP {
		if len(h.Route) == 0 && h.Redirect == nil && h.DirectResponse == nil && h.Delegate == nil {
			return fmt.Errorf("http route %d needs a route, a redirect or a direct response", i)
		}
		if len(h.Route) > 0 && (h.Redirect != nil || h.DirectResponse != nil) {
			return fmt.Errorf("http route %d cannot have a route and a redirect or a direct response", i)
		}
		for _, d := range h.Route {
			if d.Destination.Host == "" {
				return fmt.Errorf("http route %d: a destination needs a host", i)
			}
		}
	}
	return nil
}

func destinationRule(raw json.RawMessage) error {
	var s struct {
		Host string `json:"host"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if s.Host == "" {
		return errors.New("destination rule must have a host")
	}
	return nil
}

func authorizationPolicy(raw json.RawMessage) error {
	var s struct {
		Action   string `json:"action"`
		Provider *struct {
			Name string `json:"name"`
		} `json:"provider"`
		Rules []struct {
			When []struct {
				Key string `json:"key"`
			} `json:"when"`
		} `json:"rules"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	custom := s.Action == "CUSTOM"
	if custom && (s.Provider == nil || s.Provider.Name == "") {
		return errors.New("action CUSTOM needs a provider with a name")
	}
	if !custom && s.Provider != nil {
		return errors.New("a provider is for action CUSTOM only")
	}
	if custom && len(s.Rules) == 0 {
		return errors.New("action CUSTOM without rules never matches")
	}
	for _, r := range s.Rules {
		for _, w := range r.When {
			if w.Key == "" {
				return errors.New("a condition of a rule needs a key")
			}
		}
	}
	return nil
}

func requestAuthentication(raw json.RawMessage) error {
	var s struct {
		JWTRules []struct {
			Issuer  string `json:"issuer"`
			JWKSURI string `json:"jwksUri"`
		} `json:"jwtRules"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	for _, j := range s.JWTRules {
		if j.Issuer == "" {
			return errors.New("a JWT rule needs an issuer")
		}
		if j.JWKSURI != "" && !strings.HasPrefix(j.JWKSURI, "http://") && !strings.HasPrefix(j.JWKSURI, "https://") {
			return fmt.Errorf("jwksUri %q is not an http or https URL", j.JWKSURI)
		}
	}
	return nil
}
