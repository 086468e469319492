package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	var all []string
	for _, args := range rules(netip.MustParsePrefix("10.245.0.0/24"), 100) {
		all = append(all, strings.Join(args, " "))
	}
	at := func(part string) int {
		return slices.IndexFunc(all, func(r string) bool { return strings.Contains(r, part) })
	}
	owner, established, from, to := at("--uid-owner 0"), at("ESTABLISHED"), at(" -s 10.245.0.0/24 -j NFQUEUE"), at("-d 10.245.0.0/24")
	if owner < 0 || established < 0 || from < owner || from < established || to < owner || to < established {
		t.Errorf("what must pass comes after what is queued:\n%s", strings.Join(all, "\n"))
	}
	for _, hook := range []string{"-I POSTROUTING -j " + chain, "-I INPUT -j " + inward} {
		i := slices.Index(all, hook)
		if i < 0 {
			t.Errorf("%s is missing:\n%s", hook, strings.Join(all, "\n"))
		} else if _, name, _ := strings.Cut(hook, " -j "); slices.ContainsFunc(all[i:], func(r string) bool { return strings.HasPrefix(r, "-A "+name+" ") }) {
			t.Errorf("packets come into the chain %s before it is complete:\n%s", name, strings.Join(all, "\n"))
		}
	}
}
