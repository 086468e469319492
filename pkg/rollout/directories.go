package rollout

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/platform"
)

// Directories are where Istio's CNI plugin is put on the nodes.
type Directories struct {
	CNI components.CNI
	// How they are known, in words.
	How string
	// Multus: the platform's nodes do not chain plugins, so that these do not help.
	Multus bool
}

// CNISettings are what a run recorded of Directories.
type CNISettings struct {
	components.CNI
	// Given tells which of them somebody has chosen; the platform told the others, and may
	// tell something else by now.
	BinGiven  bool `json:"binGiven,omitempty"`
	ConfGiven bool `json:"confGiven,omitempty"`
}

// platformNodes are enough to know a platform by.
const platformNodes = 16

// directories finds out where the plugin goes; nil for a release without it, or for a plan
// that leaves Istio as it is.
func (i *Intent) directories(ctx context.Context, e *Engine, names []string) (*Directories, error) {
	bin, conf := i.Manifests.CNI.BinDir != "", i.Manifests.CNI.ConfDir != ""
	release := i.Source.Release()
	if err := release.Accepts(i.Manifests); err != nil {
		return nil, err
	}
	if !release.UsesCNI() || !slices.Contains(names, istioComponent) {
		return nil, nil
	}
	d := &Directories{CNI: i.Manifests.CNI, How: "as --cni-bin-dir and --cni-conf-dir say"}
	if bin && conf {
		return d, nil
	}
	nodes, err := e.someNodes(ctx)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	p := platform.Of(nodes, e.cluster.Target.Version)
	switch {
	case p.Name != "":
		d.How = p.String()
	case err != nil:
		d.How = "the usual ones: the platform is not known, because the nodes could not be read; --cni-bin-dir and --cni-conf-dir choose others"
	default:
		d.How = "the usual ones: the platform is not recognized; --cni-bin-dir and --cni-conf-dir choose others"
	}
	d.Multus = p.Multus
	if !bin {
		d.CNI.BinDir = p.Bin
	} else {
		d.How += "; --cni-bin-dir chose the first"
	}
	if !conf {
		d.CNI.ConfDir = p.Conf
	} else {
		d.How += "; --cni-conf-dir chose the second"
	}
	return d, nil
}

// located are the choices about the manifests, with what was found.
func (i *Intent) located(d *Directories) components.Options {
	m := i.Manifests
	if d != nil {
		m.CNI = d.CNI
	}
	return m
}

// cniSettings are what is recorded of it.
func (i *Intent) cniSettings(d *Directories) CNISettings {
	switch {
	case d != nil:
		return CNISettings{CNI: d.CNI, BinGiven: i.Manifests.CNI.BinDir != "", ConfGiven: i.Manifests.CNI.ConfDir != ""}
	case i.Source.Release().UsesCNI():
		return i.recorded
	}
	return CNISettings{}
}

const istioComponent = "istio"

func (e *Engine) someNodes(ctx context.Context) ([]*corev1.Node, error) {
	list, err := e.cluster.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}).List(ctx, metav1.ListOptions{Limit: platformNodes})
	if err != nil {
		return nil, err
	}
	var out []*corev1.Node
	for i := range list.Items {
		n := &corev1.Node{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, n); err != nil {
			return nil, fmt.Errorf("%s: %w", list.Items[i].GetName(), err)
		}
		out = append(out, n)
	}
	return out, nil
}
