package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	logf "github.com/cert-manager/cert-manager/pkg/logs"

	// Each controller and each kind of issuer registers itself when it is imported.
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// The values that cert-manager 1.16 and 1.20 use when the flag is not given.
const (
	leaseDuration     = 60 * time.Second
	renewDeadline     = 40 * time.Second
	retryPeriod       = 15 * time.Second
	healthzGrace      = 20 * time.Second
	concurrentWorkers = 5
)

type controllerFlags struct {
	context           controller.ContextOptions
	leaderElect       bool
	leaderElectionNS  string
	leaseDuration     time.Duration
	renewDeadline     time.Duration
	retryPeriod       time.Duration
	metricsListenAddr string
	healthzListenAddr string
	workers           int
	logging           *logsapi.LoggingConfiguration
}

func (f *controllerFlags) add(fs *pflag.FlagSet) {
	f.logging = logsapi.NewLoggingConfiguration()
	logf.AddFlags(f.logging, fs)
	fs.StringVar(&f.context.Kubeconfig, "kubeconfig", "", "kubeconfig; empty: the Pod's ServiceAccount")
	fs.StringVar(&f.context.APIServerHost, "master", "", "API server, instead of the kubeconfig's")
	fs.Float32Var(&f.context.KubernetesAPIQPS, "kube-api-qps", 20, "requests a second")
	fs.IntVar(&f.context.KubernetesAPIBurst, "kube-api-burst", 50, "requests at once")
	fs.StringVar(&f.context.Namespace, "namespace", "", "the one namespace to look at; empty: all")
	fs.StringVar(&f.context.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "where ClusterIssuers keep their Secrets")
	fs.BoolVar(&f.context.EnableOwnerRef, "enable-certificate-owner-ref", false, "a Certificate owns its Secret")
	fs.StringSliceVar(&f.context.CopiedAnnotationPrefixes, "copied-annotation-prefixes",
		[]string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"}, "annotations copied from a Certificate to its requests")
	fs.BoolVar(&f.leaderElect, "leader-elect", true, "take the Lease before working")
	fs.StringVar(&f.leaderElectionNS, "leader-election-namespace", "kube-system", "where the Lease is")
	fs.DurationVar(&f.leaseDuration, "leader-election-lease-duration", leaseDuration, "")
	fs.DurationVar(&f.renewDeadline, "leader-election-renew-deadline", renewDeadline, "")
	fs.DurationVar(&f.retryPeriod, "leader-election-retry-period", retryPeriod, "")
	fs.StringVar(&f.metricsListenAddr, "metrics-listen-address", "0.0.0.0:9402", "")
	fs.StringVar(&f.healthzListenAddr, "internal-healthz-listen-address", "0.0.0.0:9403", "")
	fs.IntVar(&f.workers, "concurrent-workers", concurrentWorkers, "workers of each controller")
	addFlags(&f.context, fs)
}

func runController(ctx context.Context, args []string) error {
	var f controllerFlags
	fs := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	f.add(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	if err := logf.ValidateAndApply(f.logging); err != nil {
		return fmt.Errorf("logging flags: %w", err)
	}
	log := logf.Log.WithName("controller")
	group, ctx := errgroup.WithContext(logf.NewContext(ctx, log))

	prepare(&f.context)
	factory, err := controller.NewContextFactory(ctx, f.context)
	if err != nil {
		return fmt.Errorf("controller context: %w", err)
	}
	cmctx, err := factory.Build()
	if err != nil {
		return fmt.Errorf("controller context: %w", err)
	}

	ml, err := listen(ctx, f.metricsListenAddr)
	if err != nil {
		return err
	}
	server := metricsOf(cmctx).NewServer(ml)
	group.Go(func() error { return ignoreClosed(server.Serve(ml)) })
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})

	hl, err := listen(ctx, f.healthzListenAddr)
	if err != nil {
		return err
	}
	health := healthz.NewServer(healthzGrace)
	group.Go(func() error { return health.Start(ctx, hl) })

	group.Go(func() error {
		elected := make(chan struct{})
		if !f.leaderElect {
			close(elected)
		} else {
			group.Go(func() error { return f.lead(ctx, cmctx, health, elected) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-elected:
		}
		return startControllers(ctx, group, factory, cmctx, f.workers)
	})
	return group.Wait()
}

// lead holds the Lease that cert-manager's controllers share and closes elected when it is taken. It returns an
// error when the Lease is lost: two controllers must not work at once.
func (f *controllerFlags) lead(ctx context.Context, cmctx *controller.Context, health *healthz.Server, elected chan<- struct{}) error {
	id, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("leader election identity: %w", err)
	}
	client, err := kubernetes.NewForConfig(rest.AddUserAgent(rest.CopyConfig(cmctx.RESTConfig), "leader-election"))
	if err != nil {
		return fmt.Errorf("leader election client: %w", err)
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, f.leaderElectionNS, "cert-manager-controller",
		client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{
			Identity: id + "-external-cert-manager-controller", EventRecorder: cmctx.Recorder,
		})
	if err != nil {
		return fmt.Errorf("lease %s/cert-manager-controller: %w", f.leaderElectionNS, err)
	}
	le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: f.leaseDuration, RenewDeadline: f.renewDeadline, RetryPeriod: f.retryPeriod,
		ReleaseOnCancel: true, WatchDog: health.LeaderHealthzAdaptor,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(elected) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("lease %s/cert-manager-controller: %w", f.leaderElectionNS, err)
	}
	le.Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("leader election lost")
}

func startControllers(ctx context.Context, group *errgroup.Group, factory *controller.ContextFactory, cmctx *controller.Context, workers int) error {
	log := logf.FromContext(ctx)
	for name, build := range controller.Known() {
		c, err := build(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", name, err)
		}
		log.V(logf.InfoLevel).Info("starting controller", "controller", name)
		group.Go(func() error {
			if err := c.Run(workers, ctx); err != nil {
				return fmt.Errorf("controller %s: %w", name, err)
			}
			return nil
		})
	}
	cmctx.SharedInformerFactory.Start(ctx.Done())
	cmctx.KubeSharedInformerFactory.Start(ctx.Done())
	cmctx.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
