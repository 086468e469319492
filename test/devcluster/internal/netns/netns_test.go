package netns

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestExplainSaysWhatCanBeDone(t *testing.T) {
	files := func(m map[string]string) func(string) ([]byte, error) {
		return func(f string) ([]byte, error) {
			if v, ok := m[strings.TrimPrefix(f, "/proc/sys/")]; ok {
				return []byte(v + "\n"), nil
			}
			return nil, os.ErrNotExist
		}
	}
	for name, tc := range map[string]struct {
		uid  int
		sys  map[string]string
		want string
	}{
		"AppArmor restricts user namespaces": {1000, map[string]string{"kernel/apparmor_restrict_unprivileged_userns": "1"}, "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		"user namespaces are for root":       {1000, map[string]string{"kernel/unprivileged_userns_clone": "0"}, "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		"there may be no user namespace":     {1000, map[string]string{"user/max_user_namespaces": "0"}, "sudo sysctl -w user.max_user_namespaces=15000"},
		"another reason":                     {1000, map[string]string{"user/max_user_namespaces": "9", "kernel/apparmor_restrict_unprivileged_userns": "0"}, "seccomp"},
		"root in a container":                {0, nil, "CAP_NET_ADMIN"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Explain(syscall.EPERM, tc.uid, files(tc.sys))
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q does not contain %q", err, tc.want)
			}
			if !errors.Is(err, syscall.EPERM) {
				t.Errorf("%q does not wrap its cause", err)
			}
		})
	}
}

func TestARefusalIsToldFromOtherFailures(t *testing.T) {
	for err, want := range map[error]bool{syscall.EPERM: true, syscall.ENOSPC: true, syscall.ENOENT: false, errors.New("x"): false} {
		if got := Refused(err); got != want {
			t.Errorf("Refused(%v) = %t", err, got)
		}
	}
}

func TestTheNetworkOfTheMachineIsNeverConfigured(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	other := false
	for _, i := range all {
		other = other || i.Name != "lo" && i.Flags&net.FlagUp != 0
	}
	if !other {
		t.Skip("this network has no interface but lo, as a bed's own")
	}
	if err := Configure([]netip.Addr{netip.MustParseAddr("10.0.0.1")}, netip.MustParsePrefix("10.96.0.0/16")); err == nil || !strings.Contains(err.Error(), "not a network namespace of the bed's own") {
		t.Errorf("got %v", err)
	}
}
