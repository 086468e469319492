package components

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// SelfService says who gets a namespace at the first login without being added. The zero
// value is nobody.
type SelfService struct {
	On bool `json:"on,omitempty"`
	// Domains are those of e-mail addresses, Groups those of the identity provider: who is in
	// one of each gets a namespace. None admits all.
	Domains []string `json:"domains,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	// Quota of such a namespace, by resource.
	Quota map[string]string `json:"quota,omitempty"`
}

// serviceToken stands for it in the filter of KFAM's sidecar, as a table in Lua.
const serviceToken = "$(SELF_SERVICE)"

// Both become part of a program, so that they are held to what needs no quoting there.
var (
	domainShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	groupShape  = regexp.MustCompile(`^[A-Za-z0-9._@:/+=, -]+$`)
)

// Complete refuses what is chosen about self-service where there is none.
func (s SelfService) Complete() error {
	if !s.On && (len(s.Domains)+len(s.Groups) > 0 || len(s.Quota) > 0) {
		return errors.New("--allow-domain, --allow-group and --default-quota are for --self-service, which is not set")
	}
	return nil
}

func (s SelfService) validate() error {
	for _, d := range s.Domains {
		if !domainShape.MatchString(d) {
			return fmt.Errorf("--allow-domain: %q is not a domain in lower case such as example.com", d)
		}
	}
	for _, g := range s.Groups {
		if !groupShape.MatchString(g) || strings.TrimSpace(g) != g {
			return fmt.Errorf("--allow-group: %q has characters that the filter cannot compare: allowed are letters, digits, spaces and . _ @ : / + = , -", g)
		}
	}
	for name, amount := range s.Quota {
		as, of, err := Quota(name, amount)
		if err != nil {
			return fmt.Errorf("--default-quota: %w", err)
		}
		if as != name || of != amount {
			return fmt.Errorf("--default-quota: write %s=%s as %s=%s", name, amount, as, of)
		}
	}
	return nil
}

// enabled are the options that stand for it, as in Options.enabled.
func (s SelfService) enabled() []string {
	if !s.On {
		return nil
	}
	return []string{"self-service"}
}

// table is what the filter reads: who is admitted, and the quota as it stands in a Profile.
func (s SelfService) table() string {
	if !s.On {
		return "nil"
	}
	set := func(names []string) string {
		if len(names) == 0 {
			return "nil"
		}
		var parts []string
		for _, n := range slices.Sorted(slices.Values(names)) {
			parts = append(parts, fmt.Sprintf("[%q] = true", n))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	var limits []string
	for _, name := range slices.Sorted(maps.Keys(s.Quota)) {
		limits = append(limits, fmt.Sprintf("%q:%q", name, s.Quota[name]))
	}
	return fmt.Sprintf("{domains = %s, groups = %s, quota = '{%s}'}", set(s.Domains), set(s.Groups), strings.Join(limits, ","))
}
