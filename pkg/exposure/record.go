package exposure

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// RecordAnnotation on the gateway's Service tells what exposing it has changed, so that
// it can be taken back.
const RecordAnnotation = "kubectl-jupyter/exposure"

// Record is what the annotation holds.
type Record struct {
	// Before is what the Service was like when it was exposed first.
	Before Before `json:"before"`
	// Set is what was asked for since.
	Set Set `json:"set"`
}

// Before is what a Service had where exposing sets something else.
type Before struct {
	Type           corev1.ServiceType    `json:"type,omitempty"`
	LoadBalancerIP string                `json:"loadBalancerIP,omitempty"`
	IPFamilyPolicy corev1.IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`
	Annotations    map[string]string     `json:"annotations,omitempty"`
}

// Set are the fields of the Service that this program owns.
type Set struct {
	Type           corev1.ServiceType    `json:"type,omitempty"`
	LoadBalancerIP string                `json:"loadBalancerIP,omitempty"`
	IPFamilyPolicy corev1.IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`
	Annotations    map[string]string     `json:"annotations,omitempty"`
}

// recordOf reads a Service's record; nil where there is none.
func recordOf(svc *corev1.Service) (*Record, error) {
	text := svc.Annotations[RecordAnnotation]
	if text == "" {
		return nil, nil
	}
	r := &Record{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, fmt.Errorf("%s: annotation %s cannot be read, so its previous settings are unknown: %w; remove the annotation to continue without them", ServiceRef, RecordAnnotation, err)
	}
	return r, nil
}

// beforeOf is what a Service has of the fields that set names.
func beforeOf(svc *corev1.Service, set Set) Before {
	b := Before{Type: svc.Spec.Type, LoadBalancerIP: svc.Spec.LoadBalancerIP}
	if svc.Spec.IPFamilyPolicy != nil {
		b.IPFamilyPolicy = *svc.Spec.IPFamilyPolicy
	}
	for k := range set.Annotations {
		if v, ok := svc.Annotations[k]; ok {
			if b.Annotations == nil {
				b.Annotations = map[string]string{}
			}
			b.Annotations[k] = v
		}
	}
	return b
}

// holds tells whether a Service is as set says.
func (set Set) holds(svc *corev1.Service) bool {
	if svc.Spec.Type != set.Type || set.LoadBalancerIP != "" && svc.Spec.LoadBalancerIP != set.LoadBalancerIP {
		return false
	}
	if set.IPFamilyPolicy != "" && (svc.Spec.IPFamilyPolicy == nil || *svc.Spec.IPFamilyPolicy != set.IPFamilyPolicy) {
		return false
	}
	for k, v := range set.Annotations {
		if svc.Annotations[k] != v {
			return false
		}
	}
	return true
}

// object is what is sent: nothing but the fields that set names, and the record.
func (set Set) object(record *Record) (map[string]any, error) {
	annotations := map[string]any{}
	for k, v := range set.Annotations {
		annotations[k] = v
	}
	if record != nil {
		text, err := json.Marshal(record)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ServiceRef, err)
		}
		annotations[RecordAnnotation] = string(text)
	}
	metadata := map[string]any{"namespace": Namespace, "name": ServiceName}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	spec := map[string]any{}
	if set.Type != "" {
		spec["type"] = string(set.Type)
	}
	if set.LoadBalancerIP != "" {
		spec["loadBalancerIP"] = set.LoadBalancerIP
	}
	if set.IPFamilyPolicy != "" {
		spec["ipFamilyPolicy"] = string(set.IPFamilyPolicy)
	}
	u := map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": metadata}
	if len(spec) > 0 {
		u["spec"] = spec
	}
	return u, nil
}
