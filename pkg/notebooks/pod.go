package notebooks

import (
	"fmt"
	"slices"
	"strings"
)

// NeedsPod is an error where a notebook has no pod that something could be done in; it
// says why, and what to do.
func (n *Notebook) NeedsPod() error {
	switch {
	case n.State == Stopped || n.State == Stopping:
		return fmt.Errorf("%s is stopped: `kubectl jupyter notebook start %s -n %s` starts it", n.Ref(), n.Name, n.Namespace)
	case n.State == Deleting:
		return fmt.Errorf("%s is being deleted", n.Ref())
	case n.Pod != "":
		return nil
	case n.Cause != nil:
		return fmt.Errorf("%s has no pod: %s", n.Ref(), n.Cause.Summary)
	}
	return fmt.Errorf("%s has no pod yet: it is starting; `kubectl jupyter notebook why %s -n %s` shows what it waits for", n.Ref(), n.Name, n.Namespace)
}

// NeedsRunning is an error where a notebook's server cannot answer; it says why, and what
// to do.
func (n *Notebook) NeedsRunning() error {
	if err := n.NeedsPod(); err != nil || n.State == Running {
		return err
	}
	what := "it is starting"
	if n.Cause != nil {
		what = n.Cause.Summary
	}
	return fmt.Errorf("%s does not run: %s; `kubectl jupyter notebook why %s -n %s` shows more", n.Ref(), what, n.Name, n.Namespace)
}

// ContainerNamed is the name of a container of its pod: the notebook's own for an empty
// name. Whether logs can be read of one that is only there at the start, inits says.
func (n *Notebook) ContainerNamed(name string, inits bool) (string, error) {
	var all []string
	for i := range n.pods {
		p := &n.pods[i]
		if p.Name != n.Pod {
			continue
		}
		for _, c := range p.Spec.Containers {
			all = append(all, c.Name)
		}
		for _, c := range p.Spec.InitContainers {
			// One that is restarted always is a sidecar, and stays.
			if inits || c.RestartPolicy != nil {
				all = append(all, c.Name)
			}
		}
	}
	if name == "" {
		if name = n.Name; !slices.Contains(all, name) && len(all) > 0 {
			name = all[0]
		}
	}
	if !slices.Contains(all, name) {
		return "", fmt.Errorf("--container: Pod %s/%s has no container %q: choose from %s", n.Namespace, n.Pod, name, strings.Join(all, ", "))
	}
	return name, nil
}
