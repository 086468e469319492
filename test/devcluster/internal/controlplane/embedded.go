package controlplane

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/util/compatibility"
	cliflag "k8s.io/component-base/cli/flag"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveropts "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kcmopts "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleropts "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// embedded are the components that are linked into this binary. All flags are parsed
// before the shared registry of feature gates is set, once. The components' own cobra
// commands are not used: each installs the process-wide signal handler, which panics the
// second time.
func (c Config) embedded() ([]component, error) {
	as := apiserveropts.NewServerRunOptions()
	if err := parse(APIServer, as.Flags(), c.flags(APIServer)); err != nil {
		return nil, err
	}
	cm, err := kcmopts.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ControllerManager, err)
	}
	cmFlags := cm.Flags(kcm.KnownControllers(), kcm.ControllersDisabledByDefault(), kcm.ControllerAliases())
	cm.ParsedFlags = &cmFlags
	if err := parse(ControllerManager, cmFlags, c.flags(ControllerManager)); err != nil {
		return nil, err
	}
	sc := scheduleropts.NewOptions()
	if err := parse(Scheduler, *sc.Flags, c.flags(Scheduler)); err != nil {
		return nil, err
	}
	if err := compatibility.DefaultComponentGlobalsRegistry.Set(); err != nil {
		return nil, fmt.Errorf("feature gates: %w", err)
	}
	return []component{
		{APIServer, func(ctx context.Context) error {
			c, err := as.Complete(ctx)
			if err != nil {
				return err
			}
			if errs := c.Validate(); len(errs) != 0 {
				return errors.Join(errs...)
			}
			return apiserver.Run(ctx, c)
		}},
		{ControllerManager, func(ctx context.Context) error {
			c, err := cm.Config(ctx, kcm.KnownControllers(), kcm.ControllersDisabledByDefault(), kcm.ControllerAliases())
			if err != nil {
				return err
			}
			return kcm.Run(ctx, c.Complete())
		}},
		{Scheduler, func(ctx context.Context) error {
			c, s, err := scheduler.Setup(ctx, sc)
			if err != nil {
				return err
			}
			return scheduler.Run(ctx, c, s)
		}},
	}, nil
}

func parse(name string, nfs cliflag.NamedFlagSets, args []string) error {
	all := pflag.NewFlagSet(name, pflag.ContinueOnError)
	for _, f := range nfs.FlagSets {
		all.AddFlagSet(f)
	}
	if err := all.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
