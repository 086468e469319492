// Package kwok simulates nodes with sigs.k8s.io/kwok, in this process. What
// it simulates is said in a configuration file, not in objects of the
// cluster, so that the cluster is as empty as a new one.
package kwok

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"

	metricsresource "sigs.k8s.io/kwok/kustomize/metrics/resource"
	metricsusage "sigs.k8s.io/kwok/kustomize/metrics/usage"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/pki"
)

//go:embed stages.yaml
var podStages string

// options raise kwok's own limits: a whole stack's pods change at once.
const options = `apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  podPlayStageParallelism: 16
  nodePlayStageParallelism: 8
  nodeLeaseParallelism: 8
  podsOnNodeSyncParallelism: 8
`

// Port is where the simulated kubelets of all nodes listen.
const Port = 10247

// Selector is the annotation that makes a node a simulated one.
const (
	SelectorKey   = "kwok.x-k8s.io/node"
	SelectorValue = "fake"
)

// DelayAnnotation, on a pod, replaces the bed's delay for this pod.
const DelayAnnotation = "devcluster.test/pod-delay"

// Configuration returns kwok's configuration file. podDelay is the time that
// a pod needs from its volumes being there until it is Ready, in which a real
// node pulls images.
func Configuration(podDelay time.Duration) string {
	pods := strings.ReplaceAll(podStages, "POD_DELAY_MS", strconv.FormatInt(podDelay.Milliseconds(), 10))
	docs := []string{
		options, pods, nodefast.DefaultNodeInit, heartbeat.DefaultNodeHeartbeatWithLease,
		metricsresource.DefaultMetricsResource, metricsusage.DefaultUsageFromAnnotation,
	}
	return strings.Join(docs, "\n---\n")
}

// Config says what kwok serves.
type Config struct {
	// File is where the configuration is written.
	File       string
	Kubeconfig string
	PKI        pki.Dir
	// PodCIDR is the range for pods of nodes that have none of their own.
	PodCIDR string
	// NodeIP is the address of nodes that have none of their own.
	NodeIP   string
	PodDelay time.Duration
}

// Run runs kwok until ctx ends. It may be called once in a process.
func Run(ctx context.Context, cfg Config) error {
	if err := os.WriteFile(cfg.File, []byte(Configuration(cfg.PodDelay)), 0o600); err != nil {
		return fmt.Errorf("configuration of kwok: %w", err)
	}
	args := []string{
		"--config=" + cfg.File,
		"--kubeconfig=" + cfg.Kubeconfig,
		"--manage-nodes-with-annotation-selector=" + SelectorKey + "=" + SelectorValue,
		"--node-lease-duration-seconds=40",
		"--cidr=" + cfg.PodCIDR,
		"--node-ip=" + cfg.NodeIP,
		"--node-port=" + strconv.Itoa(Port),
		"--tls-cert-file=" + cfg.PKI.Cert(pki.APIServer),
		"--tls-private-key-file=" + cfg.PKI.Key(pki.APIServer),
	}
	// kwok's configuration and logging read os.Args themselves.
	saved := os.Args
	os.Args = append([]string{"kwok"}, args...)
	global := pflag.NewFlagSet("global", pflag.ContinueOnError)
	global.ParseErrorsAllowlist.UnknownFlags = true
	global.Usage = func() {}
	ctx, _ = kwoklog.InitFlags(ctx, global)
	ctx, err := kwokconfig.InitFlags(ctx, global)
	os.Args = saved
	if err != nil {
		return fmt.Errorf("configuration of kwok: %w", err)
	}
	c := kwokcmd.NewCommand(ctx)
	c.Version = "" // another component's --version, not a bool, is in pflag.CommandLine already
	c.PersistentFlags().AddFlagSet(global)
	c.SetArgs(args)
	return c.ExecuteContext(ctx)
}
