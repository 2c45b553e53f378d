// trivy-config prints, as JSON, what Trivy's misconfiguration checks find in a folder of Kubernetes manifests.
//
// It is the engine behind `trivy config` with the checks that it embeds, without the rest of Trivy (image and
// vulnerability scanners), which takes far longer to build.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/aquasecurity/trivy/pkg/iac/rego"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/kubernetes"
)

type finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	Message  string `json:"message"`
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: trivy-config FOLDER")
	}
	scanner := kubernetes.NewScanner(rego.WithEmbeddedPolicies(true), rego.WithEmbeddedLibraries(true))
	results, err := scanner.ScanFS(context.Background(), os.DirFS(os.Args[1]), ".")
	if err != nil {
		log.Fatal(err)
	}
	findings := []finding{}
	for _, result := range results.GetFailed() {
		findings = append(findings, finding{
			ID:       result.Rule().ID,
			Severity: string(result.Severity()),
			File:     result.Range().GetFilename(),
			Message:  result.Description(),
		})
	}
	if len(results) == 0 {
		log.Fatal("no check ran")
	}
	if err := json.NewEncoder(os.Stdout).Encode(findings); err != nil {
		log.Fatal(err)
	}
}
