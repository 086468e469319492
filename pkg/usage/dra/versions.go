package dra

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	resourcev1 "k8s.io/api/resource/v1"
	resourcev1beta1 "k8s.io/api/resource/v1beta1"
	resourcev1beta2 "k8s.io/api/resource/v1beta2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// versions of the API that are read, the newest first: Kubernetes 1.34 serves v1, 1.33
// v1beta2 as well as v1beta1, and 1.32 v1beta1 alone.
var versions = []schema.GroupVersion{resourcev1.SchemeGroupVersion, resourcev1beta2.SchemeGroupVersion, resourcev1beta1.SchemeGroupVersion}

var (
	sliceFields = []string{"metadata.name", "spec"}
	claimFields = []string{
		"metadata.name", "metadata.namespace", "spec.devices.requests",
		"status.allocation.devices.results", "status.allocation.nodeSelector", "status.reservedFor",
	}
	classFields = []string{"metadata.name", "spec"}
	fromCache   = url.Values{"resourceVersion": {"0"}}
)

// lists of one version, as those of v1.
type lists struct {
	slices  func(context.Context, func(*resourcev1.ResourceSlice)) error
	claims  func(context.Context, func(*resourcev1.ResourceClaim)) error
	classes func(context.Context, func(*resourcev1.DeviceClass)) error
}

func listsOf(client rest.Interface, version schema.GroupVersion) lists {
	path := "/apis/" + version.String() + "/"
	switch version {
	case resourcev1beta1.SchemeGroupVersion:
		return lists{
			func(ctx context.Context, take func(*resourcev1.ResourceSlice)) error {
				return converted(take, sliceOfBeta1, func(each func(*resourcev1beta1.ResourceSlice)) error {
					return usage.List(ctx, client, path+"resourceslices", nil, sliceFields, each)
				})
			},
			func(ctx context.Context, take func(*resourcev1.ResourceClaim)) error {
				return converted(take, claimOfBeta1, func(each func(*resourcev1beta1.ResourceClaim)) error {
					return usage.List(ctx, client, path+"resourceclaims", nil, claimFields, each)
				})
			},
			func(ctx context.Context, take func(*resourcev1.DeviceClass)) error {
				return converted(take, unchanged, func(each func(*resourcev1beta1.DeviceClass)) error {
					return usage.List(ctx, client, path+"deviceclasses", fromCache, classFields, each)
				})
			},
		}
	case resourcev1beta2.SchemeGroupVersion:
		return lists{
			func(ctx context.Context, take func(*resourcev1.ResourceSlice)) error {
				return converted(take, unchanged, func(each func(*resourcev1beta2.ResourceSlice)) error {
					return usage.List(ctx, client, path+"resourceslices", nil, sliceFields, each)
				})
			},
			func(ctx context.Context, take func(*resourcev1.ResourceClaim)) error {
				return converted(take, unchanged, func(each func(*resourcev1beta2.ResourceClaim)) error {
					return usage.List(ctx, client, path+"resourceclaims", nil, claimFields, each)
				})
			},
			func(ctx context.Context, take func(*resourcev1.DeviceClass)) error {
				return converted(take, unchanged, func(each func(*resourcev1beta2.DeviceClass)) error {
					return usage.List(ctx, client, path+"deviceclasses", fromCache, classFields, each)
				})
			},
		}
	}
	return lists{
		func(ctx context.Context, take func(*resourcev1.ResourceSlice)) error {
			return usage.List(ctx, client, path+"resourceslices", nil, sliceFields, take)
		},
		func(ctx context.Context, take func(*resourcev1.ResourceClaim)) error {
			return usage.List(ctx, client, path+"resourceclaims", nil, claimFields, take)
		},
		func(ctx context.Context, take func(*resourcev1.DeviceClass)) error {
			return usage.List(ctx, client, path+"deviceclasses", fromCache, classFields, take)
		},
	}
}

// converted hands out objects of an older version as those of v1; the first one that cannot
// be converted ends it.
func converted[Old, New any](take func(*New), change func(map[string]any), list func(func(*Old)) error) error {
	var wrong error
	err := list(func(old *Old) {
		now := new(New)
		if err := convert(old, now, change); err != nil && wrong == nil {
			wrong = err
			return
		}
		take(now)
	})
	if err != nil {
		return err
	}
	return wrong
}

// convert goes by the names of fields, which are the same but for what change moves.
func convert(old, now any, change func(map[string]any)) error {
	text, err := json.Marshal(old)
	if err != nil {
		return err
	}
	var content map[string]any
	if err := json.Unmarshal(text, &content); err != nil {
		return err
	}
	change(content)
	if text, err = json.Marshal(content); err != nil {
		return err
	}
	if err := json.Unmarshal(text, now); err != nil {
		return fmt.Errorf("an object of an older version of resource.k8s.io: %w", err)
	}
	return nil
}

// unchanged: v1 is v1beta2 by another name.
func unchanged(map[string]any) {}

// sliceOfBeta1 takes what a device is out of its field basic.
func sliceOfBeta1(slice map[string]any) {
	for _, device := range each(slice, "spec", "devices") {
		basic, _ := device["basic"].(map[string]any)
		delete(device, "basic")
		for key, value := range basic {
			device[key] = value
		}
	}
}

// claimOfBeta1 puts what a request asks for into the field exactly, unless it has alternatives.
func claimOfBeta1(claim map[string]any) {
	for _, request := range each(claim, "spec", "devices", "requests") {
		if request["firstAvailable"] != nil {
			continue
		}
		exactly := map[string]any{}
		for key, value := range request {
			if key != "name" {
				exactly[key] = value
				delete(request, key)
			}
		}
		request["exactly"] = exactly
	}
}

// each object of a list below a path.
func each(content map[string]any, path ...string) []map[string]any {
	for _, name := range path[:len(path)-1] {
		content, _ = content[name].(map[string]any)
	}
	list, _ := content[path[len(path)-1]].([]any)
	var out []map[string]any
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
