// Package certmanager runs the real cert-manager for simulated pods: its
// controller, webhook and cainjector as processes with the arguments of the
// pods and the rights of their ServiceAccounts.
package certmanager

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pods"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/process"
)

// Behaviours returns the parts of cert-manager. binary is a program that is
// one of them by its first argument; dir is for their kubeconfigs.
func Behaviours(binary, dir string, book process.Book) []pods.Behaviour {
	var all []pods.Behaviour
	for _, part := range []string{"controller", "webhook", "cainjector"} {
		all = append(all, pods.Behaviour{
			Name:   "cert-manager " + part,
			Images: []string{"cert-manager-" + part},
			Run: func(ctx context.Context, c *pods.Container) error {
				return run(ctx, c, binary, part, dir, book)
			},
		})
	}
	return all
}

func run(ctx context.Context, c *pods.Container, binary, part, dir string, book process.Book) error {
	env, err := c.Env(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	kubeconfig := filepath.Join(dir, string(c.Pod.UID)+".kubeconfig")
	if err := writeKubeconfig(kubeconfig, c); err != nil {
		return err
	}
	defer func() { _ = os.Remove(kubeconfig) }()
	args := append([]string{part}, Arguments(part, c.IP, kubeconfig, c.Args(env))...)
	cmd := exec.Command(binary, args...)
	cmd.Env = os.Environ()
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	child, err := process.Start(ctx, cmd, process.Options{Name: "cert-manager-" + part, Book: book, Log: c.LogFile})
	if err != nil {
		return err
	}
	return child.Wait()
}

// Arguments returns the arguments of a part: those of the pod, and what a pod
// need not say because it has a network and a ServiceAccount of its own. Its
// ports would otherwise collide with those of the other parts.
func Arguments(part, ip, kubeconfig string, ofPod []string) []string {
	extra := []string{"--kubeconfig=" + kubeconfig}
	if !has(ofPod, "--metrics-listen-address") {
		extra = append(extra, "--metrics-listen-address="+net.JoinHostPort(ip, "9402"))
	}
	if part == "controller" && !has(ofPod, "--internal-healthz-listen-address") {
		extra = append(extra, "--internal-healthz-listen-address="+net.JoinHostPort(ip, "9403"))
	}
	return append(append([]string{}, ofPod...), extra...)
}

func has(args []string, flag string) bool {
	for _, a := range args {
		if a == flag || strings.HasPrefix(a, flag+"=") {
			return true
		}
	}
	return false
}

func writeKubeconfig(file string, c *pods.Container) error {
	k := clientcmdapi.NewConfig()
	k.Clusters["bed"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	k.AuthInfos["pod"] = &clientcmdapi.AuthInfo{Token: c.Config.BearerToken}
	k.Contexts["pod"] = &clientcmdapi.Context{Cluster: "bed", AuthInfo: "pod", Namespace: c.Pod.Namespace}
	k.CurrentContext = "pod"
	if err := clientcmd.WriteToFile(*k, file); err != nil {
		return fmt.Errorf("kubeconfig of pod %s/%s: %w", c.Pod.Namespace, c.Pod.Name, err)
	}
	return nil
}
