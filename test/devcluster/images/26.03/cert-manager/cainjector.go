package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	kscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	cmscheme "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

// certificatesCRDTimeout is how long cainjector waits for the CRD whose objects it reads: the CRDs and the
// Deployments are applied side by side.
const certificatesCRDTimeout = 5 * time.Minute

func runCAInjector(ctx context.Context, args []string) error {
	logging := logsapi.NewLoggingConfiguration()
	fs := pflag.NewFlagSet("cainjector", pflag.ContinueOnError)
	logf.AddFlags(logging, fs)
	kubeconfig := fs.String("kubeconfig", "", "kubeconfig; empty: the Pod's ServiceAccount")
	namespace := fs.String("namespace", "", "the one namespace to look at; empty: all")
	leaderElect := fs.Bool("leader-elect", true, "take the Lease before working")
	leaderElectionNS := fs.String("leader-election-namespace", "kube-system", "where the Lease is")
	metricsAddr := fs.String("metrics-listen-address", "0.0.0.0:9402", "")
	if err := parse(fs, args); err != nil {
		return err
	}
	if err := logf.ValidateAndApply(logging); err != nil {
		return fmt.Errorf("logging flags: %w", err)
	}
	ctrl.SetLogger(logf.Log)
	cfg, err := restConfig(*kubeconfig)
	if err != nil {
		return err
	}

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kscheme.AddToScheme, cmscheme.AddToScheme, apiextensionsv1.AddToScheme, apiregistrationv1.AddToScheme} {
		utilruntime.Must(add(scheme))
	}
	lease, renew, retry := leaseDuration, renewDeadline, retryPeriod
	opts := ctrl.Options{
		Scheme: scheme,
		Cache:  cache.Options{ReaderFailOnMissingInformer: true},
		// Secrets are read one by one: holding every Secret of a cluster in memory is what cainjector avoids.
		Client:         client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		LeaderElection: *leaderElect, LeaderElectionNamespace: *leaderElectionNS,
		LeaderElectionID: "cert-manager-cainjector-leader-election", LeaderElectionReleaseOnCancel: true,
		LeaderElectionResourceLock: resourcelock.LeasesResourceLock,
		LeaseDuration:              &lease, RenewDeadline: &renew, RetryPeriod: &retry,
		Metrics: metricsserver.Options{BindAddress: *metricsAddr},
	}
	if *namespace != "" {
		opts.Cache.DefaultNamespaces = map[string]cache.Config{*namespace: {}}
	}
	mgr, err := ctrl.NewManager(cfg, opts)
	if err != nil {
		return fmt.Errorf("cainjector manager: %w", err)
	}
	if err := waitForCertificatesCRD(ctx, cfg, scheme); err != nil {
		return err
	}
	if err := cainjector.RegisterAllInjectors(ctx, mgr, cainjector.SetupOptions{
		Namespace: *namespace, EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName: true, cainjector.ValidatingWebhookConfigurationName: true,
			cainjector.APIServiceName: true, cainjector.CustomResourceDefinitionName: true,
		},
	}); err != nil {
		return fmt.Errorf("cainjector controllers: %w", err)
	}
	return mgr.Start(ctx)
}

func waitForCertificatesCRD(ctx context.Context, cfg *rest.Config, scheme *runtime.Scheme) error {
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("cainjector client: %w", err)
	}
	name := client.ObjectKey{Name: "certificates.cert-manager.io"}
	err = wait.PollUntilContextTimeout(ctx, time.Second, certificatesCRDTimeout, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, name, &apiextensionsv1.CustomResourceDefinition{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("customresourcedefinition %s: %w", name.Name, err)
	}
	return nil
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("client configuration: %w", err)
	}
	return cfg, nil
}
