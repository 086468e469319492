package status

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/login"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// controllerConfigRef is what tells the notebook controller when to stop notebooks.
var controllerConfigRef = report.Ref{Kind: "ConfigMap", Namespace: components.CullingNamespace, Name: components.CullingConfigMap}

// settings are the ConfigMaps whose content is read: those of the login, and the notebook
// controller's.
func settings() []report.Ref { return append(login.SettingsRefs(), controllerConfigRef) }

// culling is what the notebook controller is told; nil where its settings could not be read.
func (s *Snapshot) culling() *report.Culling {
	u := s.setting(controllerConfigRef)
	if u == nil {
		return nil
	}
	data, _, err := unstructured.NestedStringMap(u.Object, "data")
	if err != nil {
		return nil
	}
	c := components.CullingOf(data)
	return &report.Culling{Enabled: c != components.CullingOff, IdleSeconds: c.Idle().Seconds()}
}
