package controlplane

import (
	"fmt"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
)

const loopback = "127.0.0.1"

// flags are those of one component.
func (c Config) flags(name string) []string {
	flags := c.clientFlags
	switch name {
	case APIServer:
		flags = c.apiserverFlags
	case ControllerManager:
		flags = c.controllerManagerFlags
	}
	out := flags()
	if c.EmulatedVersion != "" {
		out = append(out, "--emulated-version="+c.EmulatedVersion)
	}
	if len(c.FeatureGates) > 0 {
		out = append(out, "--feature-gates="+strings.Join(c.FeatureGates, ","))
	}
	if name == APIServer && len(c.RuntimeConfig) > 0 {
		out = append(out, "--runtime-config="+strings.Join(c.RuntimeConfig, ","))
	}
	return out
}

func (c Config) apiserverFlags() []string {
	crt, key := c.PKI.Cert, c.PKI.Key
	flags := []string{
		"--etcd-servers=" + etcdURL(etcdClientPort),
		// Pods reach it at the advertised address, everybody else at loopback.
		"--bind-address=" + c.everywhere(),
		fmt.Sprintf("--secure-port=%d", c.Port),
		"--advertise-address=" + c.Advertise,
		"--tls-cert-file=" + crt(pki.APIServer), "--tls-private-key-file=" + key(pki.APIServer),
		"--client-ca-file=" + crt(pki.CA),
		"--service-account-issuer=https://kubernetes.default.svc." + c.Domain,
		"--service-account-key-file=" + key(pki.ServiceAccounts),
		"--service-account-signing-key-file=" + key(pki.ServiceAccounts),
		"--service-cluster-ip-range=" + c.ServiceCIDR,
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--requestheader-client-ca-file=" + crt(pki.FrontProxyCA),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + crt(pki.FrontProxyClient),
		"--proxy-client-key-file=" + key(pki.FrontProxyClient),
		"--kubelet-client-certificate=" + crt(pki.KubeletClient),
		"--kubelet-client-key=" + key(pki.KubeletClient),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		// Webhooks and aggregated APIs are called at their endpoints, so that
		// one without a ready pod fails as it does on a real cluster.
		"--enable-aggregator-routing=true",
		"--event-ttl=1h",
	}
	if c.PodSecurity != "" {
		flags = append(flags, "--admission-control-config-file="+c.path(admissionFile))
	}
	return flags
}

// everywhere is the address of all interfaces; that of IPv6 is for both families.
func (c Config) everywhere() string {
	if strings.Contains(c.Advertise, ":") {
		return "::"
	}
	return "0.0.0.0"
}

func (c Config) controllerManagerFlags() []string {
	flags := append(c.clientFlags(),
		"--flex-volume-plugin-dir="+c.path("flexvolume"),
		"--service-account-private-key-file="+c.PKI.Key(pki.ServiceAccounts),
		"--root-ca-file="+c.PKI.Cert(pki.CA),
		"--cluster-signing-cert-file="+c.PKI.Cert(pki.CA),
		"--cluster-signing-key-file="+c.PKI.Key(pki.CA),
		"--use-service-account-credentials=true",
		"--allocate-node-cidrs=true",
		"--cluster-cidr="+c.PodCIDR,
		"--service-cluster-ip-range="+c.ServiceCIDR,
		fmt.Sprintf("--enable-hostpath-provisioner=%t", c.HostPathProvisioner),
	)
	if len(c.Controllers) > 0 {
		flags = append(flags, "--controllers="+strings.Join(c.Controllers, ","))
	}
	return flags
}

func (c Config) clientFlags() []string {
	return []string{
		"--kubeconfig=" + c.Kubeconfig,
		"--authentication-kubeconfig=" + c.Kubeconfig,
		"--authorization-kubeconfig=" + c.Kubeconfig,
		"--bind-address=" + loopback,
		"--leader-elect=false",
	}
}
