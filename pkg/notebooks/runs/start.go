package runs

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

var (
	jobsResource  = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	filesResource = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	podsResource  = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// RefOf names a run.
func RefOf(namespace, name string) report.Ref {
	return report.Ref{Group: "batch", Kind: "Job", Namespace: namespace, Name: name}
}

// Start makes the Job, and the ConfigMap with its files, which goes with it. A Job whose
// files cannot be delivered is deleted again. With dryRun, the server checks the Job only.
func Start(ctx context.Context, c *cluster.Cluster, o *Objects, dryRun bool) error {
	job := o.Job.DeepCopy()
	ref := RefOf(job.Namespace, job.Name)
	// Suspended, it waits for its files, and they can belong to it from the beginning.
	delivered := o.Files != nil
	if delivered {
		job.Spec.Suspend = ptr.To(true)
	}
	options := metav1.CreateOptions{FieldManager: notebooks.FieldManager}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	jobs := c.Dynamic.Resource(jobsResource).Namespace(job.Namespace)
	u, err := object(job)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	made, err := jobs.Create(ctx, u, options)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if dryRun || !delivered {
		return nil
	}
	if err := deliver(ctx, c, o, made); err != nil {
		if gone := Delete(context.WithoutCancel(ctx), c, job.Namespace, job.Name); gone != nil {
			return fmt.Errorf("%w; and %w", err, gone)
		}
		return fmt.Errorf("%w; the Job was deleted again", err)
	}
	return nil
}

// All are the objects as they are printed, the Job first.
func (o *Objects) All() ([]*unstructured.Unstructured, error) {
	job, err := object(o.Job)
	if err != nil {
		return nil, err
	}
	all := []*unstructured.Unstructured{job}
	if o.Files != nil {
		files, err := object(o.Files)
		if err != nil {
			return nil, err
		}
		all = append(all, files)
	}
	return all, nil
}

func deliver(ctx context.Context, c *cluster.Cluster, o *Objects, job *unstructured.Unstructured) error {
	files := o.Files.DeepCopy()
	files.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.GetName(), UID: job.GetUID()}}
	u, err := object(files)
	if err != nil {
		return err
	}
	if _, err := c.Dynamic.Resource(filesResource).Namespace(files.Namespace).Create(ctx, u, metav1.CreateOptions{FieldManager: notebooks.FieldManager}); err != nil {
		return fmt.Errorf("ConfigMap %s/%s, with the file: %w", files.Namespace, files.Name, err)
	}
	_, err = c.Dynamic.Resource(jobsResource).Namespace(job.GetNamespace()).Patch(ctx, job.GetName(), types.MergePatchType, []byte(`{"spec":{"suspend":false}}`),
		metav1.PatchOptions{FieldManager: notebooks.FieldManager})
	if err != nil {
		return fmt.Errorf("%s: %w", RefOf(job.GetNamespace(), job.GetName()), err)
	}
	return nil
}

func object(typed any) (*unstructured.Unstructured, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, err
	}
	delete(m, "status")
	return &unstructured.Unstructured{Object: m}, nil
}

// Get reads a run; a Job that is none is an error.
func Get(ctx context.Context, c *cluster.Cluster, namespace, name string) (*batchv1.Job, error) {
	ref := RefOf(namespace, name)
	u, err := c.Dynamic.Resource(jobsResource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, missing(namespace, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	job := &batchv1.Job{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, job); err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if _, ours := job.Annotations[recordAnnotation]; !ours {
		return nil, fmt.Errorf("%s is not a run: `kubectl jupyter notebook run list -n %s` lists the runs", ref, namespace)
	}
	return job, nil
}

func missing(namespace, name string) error {
	return fmt.Errorf("%s does not exist: `kubectl jupyter notebook run list -n %s` lists the runs; they are deleted some time after their end", RefOf(namespace, name), namespace)
}

// Delete deletes a run with its pod and its files. What runs is ended.
func Delete(ctx context.Context, c *cluster.Cluster, namespace, name string) error {
	err := c.Dynamic.Resource(jobsResource).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: %w", RefOf(namespace, name), err)
	}
	return nil
}
