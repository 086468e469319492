package plugin

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/clones"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// ManifestFlags are what a person can choose about the manifests.
type ManifestFlags struct {
	release       ReleaseFlag
	profile       string
	userEmail     string
	kustomization string
	registry      string
	pullSecret    string
	images        []string
	secureCookies bool
	cullIdle      string
	cni           components.CNI
	clusterDomain string
	selfService   components.SelfService
}

func (f *ManifestFlags) Add(cmd *cobra.Command) {
	f.release.Add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.profile, "profile", components.ProfileDefault, "Size of the installation: "+strings.Join(components.Profiles(), " or ")+"; slim fits on a node with 2 CPUs and 4 GiB of memory, including one running notebook")
	fs.StringVar(&f.userEmail, "user-email", components.DefaultUserEmail, "E-mail address of the first user, who owns the first namespace")
	f.AddCustom(cmd)
	fs.StringVar(&f.cullIdle, "cull-idle", "", `Stop notebooks whose kernels have been idle for this length of time, such as 8h or 7d; "off" stops none. Only kernels count: VS Code, RStudio and notebooks that are used only through terminals are stopped this long after they were started, even if they are in use. By default off, with --profile slim 4h`)
	fs.BoolVar(&f.selfService.On, "self-service", false, "If true, users who log in for the first time and have no namespace get one")
	fs.StringSliceVar(&f.selfService.Domains, "allow-domain", nil, "With --self-service, only users with an e-mail address of this `domain`; can be repeated")
	fs.StringSliceVar(&f.selfService.Groups, "allow-group", nil, "With --self-service, only users in this `group` of the identity provider; can be repeated")
	fs.StringToStringVar(&f.selfService.Quota, "default-quota", nil, "With --self-service, quota of these namespaces, as `RESOURCE=AMOUNT`, such as cpu=4,memory=16Gi,gpu=1")
	fs.BoolVar(&f.secureCookies, "secure-cookies", false, "If true, mark cookies Secure; browsers then reject them over plain HTTP")
	// Goes together with TLS on the gateway; alone it only locks people out.
	_ = fs.MarkHidden("secure-cookies")
	Complete(cmd, "profile", components.Profiles)
}

// AddUpgrade adds the flags of a command that replaces the installed release.
func (f *ManifestFlags) AddUpgrade(cmd *cobra.Command) {
	f.release.add(cmd, "to", components.NewestRelease(), "Release to upgrade to")
	f.AddCustom(cmd)
}

// FillIn says in an intent what the flags mean.
func (f *ManifestFlags) FillIn(i *rollout.Intent) error {
	options, err := f.Options()
	if err != nil {
		return err
	}
	source, err := f.Source(&options)
	if err != nil {
		return err
	}
	i.Manifests, i.Source = options, source
	if source.Release().Clone != nil {
		i.Reopen = func(last *components.Clone) (components.Source, error) {
			return clones.Reopen(f.release.clone.context(), source, f.release.clone.options, last, f.release.clone.given)
		}
	}
	return nil
}

// AddCustom adds the flags that change the manifests of a release, and not which it is.
func (f *ManifestFlags) AddCustom(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&f.kustomization, "kustomize", "k", "", "Kustomization `directory` to apply on top of the manifests")
	fs.StringVar(&f.registry, "registry", "", "Pull images from `HOST[:PORT][/PREFIX]` instead of their own registries; REGISTRY=HOST/PREFIX for those of one registry, several separated by commas")
	fs.StringVar(&f.pullSecret, "image-pull-secret", "", "Secret with the credentials that images are pulled with, as `[NAMESPACE/]NAME`; NAMESPACE is default if not set. It is copied into the namespaces of the stack and of all users")
	fs.StringArrayVar(&f.images, "image", nil, "Override an image, as `NAME=REF` with NAME without its tag; can be repeated")
	fs.StringVar(&f.clusterDomain, "cluster-domain", "", "`Domain` that ends the names of the cluster's Services; if not set, the one that the cluster's DNS is configured with, or else "+components.DefaultDomain)
	fs.StringVar(&f.cni.BinDir, "cni-bin-dir", "", "`Directory` of the nodes with the programs of CNI plugins, for Istio's CNI plugin; if not set, the usual one of the platform")
	fs.StringVar(&f.cni.ConfDir, "cni-conf-dir", "", "`Directory` of the nodes with the configuration of CNI plugins; if not set, the usual one of the platform")
}

// Source of the manifests. Of a clone, what is not typed is as the clone has it.
func (f *ManifestFlags) Source(o *components.Options) (*components.Files, error) {
	source, err := f.release.Source()
	if err != nil {
		return nil, err
	}
	clone := source.Release().Clone
	if clone == nil {
		return source, nil
	}
	if o.Profile == components.ProfileSlim {
		return nil, fmt.Errorf("--profile %s cannot be used with --manifests: the sizes are those of the clone; change them with -k", o.Profile)
	}
	if clone.UserEmail != "" && !f.release.clone.given("user-email") {
		o.UserEmail = clone.UserEmail
	}
	return source, nil
}

// Options checks the flags and says what they mean.
func (f *ManifestFlags) Options() (components.Options, error) {
	o := components.Options{
		Profile:       f.profile,
		UserEmail:     f.userEmail,
		Kustomization: f.kustomization,
		Registry:      f.registry,
		PullSecret:    components.ParsePullSecret(f.pullSecret),
		SecureCookies: f.secureCookies,
		CNI:           f.cni,
		ClusterDomain: f.clusterDomain,
	}
	for _, i := range f.images {
		name, ref, ok := strings.Cut(i, "=")
		if !ok || name == "" || ref == "" {
			return o, fmt.Errorf("--image: %q is not NAME=REF, as in --image ghcr.io/dexidp/dex=registry.example.com/dex:v2.45.1", i)
		}
		if o.Images == nil {
			o.Images = map[string]string{}
		}
		if _, twice := o.Images[name]; twice {
			return o, fmt.Errorf("--image: %s is specified twice", name)
		}
		o.Images[name] = ref
	}
	var err error
	if o.Culling, err = components.ParseCulling(f.cullIdle); err != nil {
		return o, err
	}
	if o.SelfService, err = f.service(); err != nil {
		return o, err
	}
	if err := o.Validate(); err != nil {
		return o, err
	}
	return o, CheckDirectory(o.Kustomization)
}

// service is what was typed about namespaces at the first login, with quotas as Kubernetes
// writes them.
func (f *ManifestFlags) service() (components.SelfService, error) {
	s := f.selfService
	s.Quota = nil
	for name, amount := range f.selfService.Quota {
		name, amount, err := components.Quota(name, amount)
		if err != nil {
			return s, fmt.Errorf("--default-quota: %w", err)
		}
		if s.Quota == nil {
			s.Quota = map[string]string{}
		}
		s.Quota[name] = amount
	}
	return s, nil
}

// CheckDirectory tells what is wrong with -k before anything else is done.
func CheckDirectory(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	var path *os.PathError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("-k %s: %w", dir, path.Err)
	case err != nil:
		return fmt.Errorf("-k %s: %w", dir, err)
	case !info.IsDir():
		return fmt.Errorf("-k %s: not a directory: specify the one that contains kustomization.yaml", dir)
	}
	return nil
}

// ReleaseFlag says which release is meant: one of the plugin's own, or a clone.
type ReleaseFlag struct {
	flag, name string
	clone      cloneFlags
}

func (f *ReleaseFlag) Add(cmd *cobra.Command) {
	f.add(cmd, "release", components.DefaultRelease, "Release of the stack")
}

func (f *ReleaseFlag) add(cmd *cobra.Command, flag, release, says string) {
	f.flag = flag
	cmd.Flags().StringVar(&f.name, flag, release, says+". One of: ("+strings.Join(components.ReleaseNames(), ", ")+")")
	Complete(cmd, flag, components.ReleaseNames)
	f.clone.add(cmd)
}

// Source of the release's manifests.
func (f *ReleaseFlag) Source() (*components.Files, error) {
	if clone, err := f.clone.source(f.flag); clone != nil || err != nil {
		return clone, err
	}
	source, err := components.NewEmbedded(f.name)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", f.flag, err)
	}
	return source, nil
}

// Complete offers values for a flag.
func Complete(cmd *cobra.Command, flag string, values func() []string) {
	// The only error is a flag that does not exist: a mistake in the program.
	if err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	}); err != nil {
		panic(err)
	}
}

// CompleteComponents offers the components that are not named yet.
func CompleteComponents(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return Without(components.ComponentNames(), args), cobra.ShellCompDirectiveNoFileComp
}

// Without leaves the names that are not taken.
func Without(names, taken []string) []string {
	var out []string
next:
	for _, n := range names {
		for _, t := range taken {
			if n == t {
				continue next
			}
		}
		out = append(out, n)
	}
	return out
}
