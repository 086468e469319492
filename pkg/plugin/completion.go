package plugin

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// completionTimeout bounds what a person waits for after the Tab key.
const completionTimeout = 2 * time.Second

// CompleteNames offers what the cluster has of a kind, for a flag or an argument. What
// cannot be read in time is not offered: nobody wants an error in the middle of a line.
func (b *Base) CompleteNames(resource schema.GroupVersionResource, namespaced bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp // a command that nobody has started
		}
		ctx, cancel := context.WithTimeout(ctx, completionTimeout)
		defer cancel()
		return Without(b.names(ctx, resource, namespaced), args), cobra.ShellCompDirectiveNoFileComp
	}
}

func (b *Base) names(ctx context.Context, resource schema.GroupVersionResource, namespaced bool) []string {
	if b.checkConfig() != nil {
		return nil
	}
	config, err := b.Config.ToRESTConfig()
	if err != nil {
		return nil
	}
	// Names alone, without their objects, and without asking what kinds there are.
	client, err := metadata.NewForConfig(metadata.ConfigFor(config))
	if err != nil {
		return nil
	}
	var namespace string
	if namespaced {
		if namespace, _, err = b.Config.ToRawKubeConfigLoader().Namespace(); err != nil {
			return nil
		}
	}
	list, err := client.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(list.Items))
	for _, i := range list.Items {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}

// completeConfig completes the flags that kubectl has too.
func (b *Base) completeConfig(root *cobra.Command) {
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	for flag, f := range map[string]cobra.CompletionFunc{
		"namespace": func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return b.CompleteNames(namespaces, false)(cmd, nil, typed)
		},
		"context": b.completeKubeconfig(func(c *clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.Contexts)) }),
		"cluster": b.completeKubeconfig(func(c *clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.Clusters)) }),
		"user":    b.completeKubeconfig(func(c *clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.AuthInfos)) }),
	} {
		// The only error is a flag that does not exist: a mistake in the program.
		if err := root.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err)
		}
	}
}

func (b *Base) completeKubeconfig(names func(*clientcmdapi.Config) []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		raw, err := b.Config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all := names(&raw)
		slices.Sort(all)
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}
