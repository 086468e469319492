// Package netns gives a bed a network of its own: a network namespace whose
// only interface is lo. Nothing in it can reach the outside, and its ports
// cannot collide with those of the machine or of another bed.
//
// The service and the pod range are "local" routes on lo. Every cluster IP
// and every simulated pod's IP is therefore an address of the namespace
// itself, and an ordinary process can listen on it in the pod's stead.
package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// SysProcAttr returns what a new process needs to be in a network namespace
// of its own. Without root it gets a user namespace too, in which it is root
// and so may configure that network.
func SysProcAttr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if uid := os.Geteuid(); uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// Refused tells whether err says that the machine does not allow the
// namespaces, as opposed to any other failure.
func Refused(err error) bool {
	for _, e := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.ENOSPC, syscall.EINVAL, syscall.EUSERS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Explain turns a refusal of the namespaces into what can be done about it.
// read reads a file of /proc/sys; os.ReadFile outside of tests.
func Explain(err error, uid int, read func(string) ([]byte, error)) error {
	is := func(file, want string) bool {
		b, rerr := read("/proc/sys/" + file)
		return rerr == nil && len(b) > 0 && string(b[:1]) == want
	}
	if uid == 0 {
		return fmt.Errorf("this machine refuses a network namespace even to root (%w): in a container, give it CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged)", err)
	}
	switch {
	case is("kernel/apparmor_restrict_unprivileged_userns", "1"):
		return fmt.Errorf("AppArmor restricts user namespaces on this machine (%w): run with sudo, or allow them until the next boot with: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", err)
	case is("kernel/unprivileged_userns_clone", "0"):
		return fmt.Errorf("user namespaces are switched off for ordinary users on this machine (%w): run with sudo, or allow them until the next boot with: sudo sysctl -w kernel.unprivileged_userns_clone=1", err)
	case is("user/max_user_namespaces", "0"):
		return fmt.Errorf("user namespaces are switched off on this machine (%w): run with sudo, or allow them until the next boot with: sudo sysctl -w user.max_user_namespaces=15000", err)
	}
	return fmt.Errorf("this machine refuses a user and network namespace to an ordinary user (%w): run with sudo; in a container, its seccomp profile may be what forbids them", err)
}

// Configure sets up the namespace that this process is in: lo up, addresses on
// it, and a local route for each of ranges.
func Configure(addresses []netip.Addr, ranges ...netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("interface lo: %w", err)
	}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, l := range links {
		// Never touch the machine's own network: a fresh namespace has lo and,
		// on some kernels, tunnel devices that are down.
		if l.Attrs().Name != "lo" && l.Attrs().Flags&net.FlagUp != 0 {
			return fmt.Errorf("interface %s is up: this is not a network namespace of the bed's own", l.Attrs().Name)
		}
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	for _, a := range addresses {
		if a.Is6() {
			if err := bindAny(); err != nil {
				return err
			}
		}
		addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, a.BitLen()))}
		if err := netlink.AddrReplace(lo, addr); err != nil {
			return fmt.Errorf("address %s on lo: %w", a, err)
		}
	}
	for _, r := range ranges {
		if err := AddLocal(r); err != nil {
			return err
		}
	}
	return nil
}

// bindAny lets programs of this namespace listen on all addresses of IPv6 that are local to
// it by a route, as those of IPv4 may without.
func bindAny() error {
	if err := os.WriteFile("/proc/sys/net/ipv6/ip_nonlocal_bind", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("IPv6 in the bed's network: %w", err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// AddLocal makes all addresses of a range local to this namespace.
func AddLocal(cidr netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("interface lo: %w", err)
	}
	err = netlink.RouteReplace(&netlink.Route{
		LinkIndex: lo.Attrs().Index,
		Dst:       ipNet(cidr),
		Type:      unix.RTN_LOCAL,
		Table:     unix.RT_TABLE_LOCAL,
		Scope:     netlink.SCOPE_HOST,
	})
	if err != nil {
		return fmt.Errorf("local route for %s: %w", cidr, err)
	}
	return nil
}
