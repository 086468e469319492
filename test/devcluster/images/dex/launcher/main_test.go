package main

import "testing"

func TestBracketable(t *testing.T) {
	for _, tt := range []struct {
		name, host, want string
		changed          bool
	}{
		{"an IPv4 address becomes an IPv4-mapped one", "10.96.0.1", "::ffff:10.96.0.1", true},
		{"an IPv6 address stays", "fd00::1", "fd00::1", false},
		{"a name stays", "kubernetes.default", "kubernetes.default", false},
		{"nothing stays nothing", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, changed := bracketable(tt.host)
			if got != tt.want || changed != tt.changed {
				t.Errorf("bracketable(%q) = %q, %t, want %q, %t", tt.host, got, changed, tt.want, tt.changed)
			}
		})
	}
}
