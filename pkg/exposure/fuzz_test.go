package exposure

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// FuzzParseRange checks that a range which is taken is one that can be: it has its ends, in
// order, no address that a pool cannot have, and says itself in a form that is read back.
func FuzzParseRange(f *testing.F) {
	for _, text := range []string{
		"192.168.49.240/28", "192.168.49.240-192.168.49.250", " 10.0.0.1 - 10.0.0.1 ", "fd00::/120", "fd00::1-fd00::ff", "2001:db8::/32",
		"::ffff:10.0.0.1-::ffff:10.0.0.2", "fe80::1%eth0-fe80::2%eth0", "10.0.0.1-fd00::1", "10.0.0.5-10.0.0.1", "10.0.0.1/28", "0.0.0.0/0", "::/0",
		"10.0.0.0/16", "10.0.0.0-10.1.0.0", "10.0.0.1", "-", "/", "255.255.255.255-255.255.255.255", "223.255.255.255-224.0.0.0",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRange(text)
		if err != nil {
			return
		}
		if !r.From.IsValid() || !r.To.IsValid() || r.From.Is4() != r.To.Is4() || r.To.Less(r.From) || r.From.Zone()+r.To.Zone() != "" {
			t.Fatalf("%q was read as %s to %s", text, r.From, r.To)
		}
		if !r.contains(r.From) || !r.contains(r.To) || r.contains(r.To.Next()) || r.contains(r.From.Prev()) || !r.overlaps(r) {
			t.Errorf("%s does not have its own ends, or has what is beyond them", r)
		}
		if size := r.size(); size.Sign() < 1 || r.From.Is4() && size.Cmp(big.NewInt(maxIPv4)) > 0 {
			t.Errorf("%s has %s addresses", r, size)
		}
		for _, a := range []Range{{From: r.From, To: r.From}, {From: r.To, To: r.To}} {
			if a.From.IsLoopback() || a.From.IsMulticast() || a.From.IsUnspecified() || a.From.IsLinkLocalUnicast() {
				t.Errorf("%s has %s, which no network can assign", r, a.From)
			}
		}
		again, err := ParseRange(r.String())
		if err != nil || !again.same(r) || again.String() != r.String() {
			t.Errorf("%s is read back as %s, %v", r, again, err)
		}
		asJSON, err := json.Marshal(r)
		var back Range
		if err != nil || json.Unmarshal(asJSON, &back) != nil || !back.same(r) {
			t.Errorf("%s is %s in JSON, %v, which is read back as %s", r, asJSON, err, back)
		}
	})
}

// FuzzEditConfig checks that our pool can be put into the settings of an old MetalLB and
// taken out again, and that nobody else's pool is touched, whatever people have written.
func FuzzEditConfig(f *testing.F) {
	for _, text := range []string{
		"", "{}", "address-pools: []", "address-pools:\n- name: default\n  protocol: layer2\n  addresses: [10.0.0.1-10.0.0.9]\n",
		"# a comment\npeers:\n- peer-address: 10.0.0.1\naddress-pools:\n- name: a\n  addresses:\n  - \"-\"\n", "address-pools: {a: b}", "- a", "a: &x [1]\nb: *x\n",
		"address-pools:\n- name: kubectl-jupyter\n  addresses: [10.1.0.0/24]\n- name: b\n  addresses: [fd00::/120]\n", "address-pools: null", "address-pools:\n- 1\n- null\n",
	} {
		f.Add(text)
	}
	ranges := []Range{{From: netip.MustParseAddr("10.9.8.0"), To: netip.MustParseAddr("10.9.8.7")}}
	f.Fuzz(func(t *testing.T, text string) {
		with, err := editConfig(text, ranges)
		if err != nil {
			return
		}
		before, after := pools(t, text), pools(t, with)
		ours := 0
		for _, p := range after {
			if name(p) != PoolName {
				continue
			}
			ours++
			if addresses := p.(map[string]any)["addresses"]; !slices.Equal(texts(ranges), strs(addresses)) {
				t.Errorf("our pool has %v", addresses)
			}
		}
		if ours != 1 {
			t.Errorf("our pool is there %d times:\n%s", ours, with)
		}
		for _, p := range before {
			if fields, ok := p.(map[string]any); ok && name(p) != PoolName && len(strs(fields["addresses"])) > 0 && !slices.ContainsFunc(after, func(o any) bool { return equal(o, p) }) && !emptyPool(fields) {
				t.Errorf("pool %v is gone or changed:\n%s", p, with)
			}
		}
		// The indentation may be another one where there was little to tell it by.
		if again, err := editConfig(with, ranges); err != nil || !equal(pools(t, again), after) {
			t.Errorf("the same again, %v:\n%s\nwant\n%s", err, again, with)
		}
		without, err := editConfig(with, nil)
		if err != nil {
			t.Fatalf("our pool cannot be taken out: %v", err)
		}
		if slices.ContainsFunc(pools(t, without), func(p any) bool { return name(p) == PoolName }) {
			t.Errorf("our pool is still there:\n%s", without)
		}
	})
}

// FuzzRecord checks that what is read of a Service's annotation is written back as it was.
func FuzzRecord(f *testing.F) {
	f.Add(`{"before":{"type":"ClusterIP","annotations":{"a":"b"}},"set":{"type":"LoadBalancer","loadBalancerIP":"10.0.0.1","ipFamilyPolicy":"PreferDualStack"}}`)
	f.Add(`{"before":{},"set":{"annotations":{"kubectl-jupyter/exposure":"x"}}}`)
	f.Add(`null`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{RecordAnnotation: text}}}
		r, err := recordOf(svc)
		if err != nil || r == nil {
			return
		}
		object, err := r.Set.object(r)
		if err != nil {
			t.Fatal(err)
		}
		metadata, _ := object["metadata"].(map[string]any)
		if metadata["name"] != ServiceName || metadata["namespace"] != Namespace {
			t.Errorf("another object would be written: %v", metadata)
		}
		written, _ := metadata["annotations"].(map[string]any)[RecordAnnotation].(string)
		again, err := recordOf(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{RecordAnnotation: written}}})
		if err != nil || !equal(again, r) {
			t.Errorf("%+v is read back as %+v, %v", r, again, err)
		}
	})
}

// equal compares what two values are in JSON.
func equal(a, b any) bool {
	one, err := json.Marshal(a)
	two, other := json.Marshal(b)
	return err == nil && other == nil && string(one) == string(two)
}

func pools(t *testing.T, text string) []any {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Skip("not what the API server's own YAML takes")
	}
	list, _ := config["address-pools"].([]any)
	return list
}

func name(pool any) string {
	fields, _ := pool.(map[string]any)
	s, _ := fields["name"].(string)
	return s
}

func strs(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// emptyPool has an address that stands for none, as minikube's addon writes it.
func emptyPool(pool map[string]any) bool {
	return !slices.ContainsFunc(strs(pool["addresses"]), func(s string) bool { return s != "-" && s != "" })
}
