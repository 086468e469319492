package volumes

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// What bounds the questions to nodes.
const (
	atOnce   = 10
	patience = 10 * time.Second
)

// stats are what the kubelets say of the volumes that pods mount.
type stats struct {
	asked  bool
	claims map[string]fullness
	failed map[string]usage.Absence
}

type fullness struct{ used, capacity int64 }

// summary is the part of the kubelet's stats/summary that is about claims.
type summary struct {
	Pods []struct {
		Volumes []struct {
			Used     *int64 `json:"usedBytes"`
			Capacity *int64 `json:"capacityBytes"`
			Claim    *struct {
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"pvcRef"`
		} `json:"volume"`
	} `json:"pods"`
}

// read asks each node, through the API server. It needs the right to get nodes/proxy.
func (s *stats) read(ctx context.Context, c *cluster.Cluster, nodes []string) {
	s.claims, s.failed = map[string]fullness{}, map[string]usage.Absence{}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, node := range nodes {
		group.Go(func() error {
			body, err := usage.Body(ctx, c.REST().Get().AbsPath("/api/v1/nodes", node, "proxy/stats/summary"))
			var said summary
			if err == nil {
				err = json.Unmarshal(body, &said)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.failed[node] = usage.Absence{Forbidden: apierrors.IsForbidden(err), Reason: fmt.Sprintf("Node %s: %v", node, err)}
				return nil
			}
			s.take(said)
			return nil
		})
	}
	_ = group.Wait() // its functions keep their errors
}

func (s *stats) take(said summary) {
	for _, p := range said.Pods {
		for _, v := range p.Volumes {
			if v.Claim != nil && v.Used != nil && v.Capacity != nil {
				s.claims[v.Claim.Namespace+"/"+v.Claim.Name] = fullness{*v.Used, *v.Capacity}
			}
		}
	}
}

// of a claim, and where nothing is known, why.
func (s *stats) of(namespace, name string, mounted bool) (used, capacity usage.Maybe[int64]) {
	if f, ok := s.claims[namespace+"/"+name]; ok {
		return usage.Known(f.used), usage.Known(f.capacity)
	}
	why := usage.Absence{Reason: "the node has no figures of it"}
	switch {
	case !s.asked:
		why.Reason = "it was not asked for"
	case !mounted:
		why.Reason = "nothing mounts it, and only mounted volumes are measured"
	default:
		for _, one := range s.failed {
			why = one
		}
	}
	return usage.Missing[int64](why), usage.Missing[int64](why)
}

// problems says once that nodes may not be asked, and once that some did not answer.
func (s *stats) problems() []string {
	var forbidden, silent int
	var why string
	for _, one := range s.failed {
		if one.Forbidden {
			forbidden++
		} else {
			silent, why = silent+1, one.Reason
		}
	}
	var out []string
	if forbidden > 0 {
		out = append(out, "how full volumes are is not known: the user is not allowed to get nodes/proxy")
	}
	if silent > 0 {
		out = append(out, fmt.Sprintf("how full volumes are is not known of %s: %s", report.Count(silent, "node"), why))
	}
	return out
}
