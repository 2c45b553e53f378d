// Command kubelet-pull-manager decides with the kubelet's own code for which pods the registry has to be asked again.
//
// Each line of its input is a pod about to start: the image, its reference in the runtime, and the pod's pull Secrets as a
// SecretList. Each line of its output is true if the kubelet asks the registry for that pod, whose credentials it then
// remembers, and false if the image may be used as it is. Its argument is the folder for the kubelet's records.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/images/pullmanager"
)

type pod struct {
	Image    string        `json:"image"`
	ImageRef string        `json:"imageRef"`
	Secrets  v1.SecretList `json:"secrets"`
}

func main() {
	records, err := pullmanager.NewFSPullRecordsAccessor(klog.Background(), os.Args[1])
	check(err)
	// What the kubelet verifies by default: every image but those that it has not pulled itself.
	policy, err := pullmanager.NewImagePullCredentialVerificationPolicy(config.NeverVerifyPreloadedImages, nil)
	check(err)
	// The runtime's images are asked for only after a crash in the middle of a pull.
	manager, err := pullmanager.NewImagePullManager(context.Background(), records, policy, nil, 1)
	check(err)
	input, output := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	present := map[string]string{}
	for {
		var next pod
		err := input.Decode(&next)
		if errors.Is(err, io.EOF) {
			return
		}
		check(err)
		asked, err := start(manager, next, present[next.ImageRef])
		check(err)
		present[next.ImageRef] = next.ImageRef
		check(output.Encode(asked))
	}
}

// start decides for one pod; there is an empty reference where the runtime has no such image yet.
func start(manager *pullmanager.PullManager, next pod, reference string) (bool, error) {
	ctx := context.Background()
	found, err := credentials(next)
	if err != nil {
		return false, err
	}
	lookup := func() ([]config.ImagePullSecret, *config.ImagePullServiceAccount, error) { return found, nil, nil }
	asked, err := manager.MustAttemptImagePull(ctx, next.Image, reference, lookup)
	if err != nil || !asked {
		return false, err
	}
	if err := manager.RecordPullIntent(klog.Background(), next.Image); err != nil {
		return false, err
	}
	// The registry takes the first credentials: the Secrets of this program's callers hold no others.
	manager.RecordImagePulled(ctx, next.Image, next.ImageRef, &config.ImagePullCredentials{KubernetesSecrets: found[:1]})
	return true, nil
}

func credentials(next pod) ([]config.ImagePullSecret, error) {
	keyring, err := secrets.MakeDockerKeyring(next.Secrets.Items, &credentialprovider.BasicDockerKeyring{})
	if err != nil {
		return nil, err
	}
	tracked, _ := keyring.Lookup(next.Image)
	found := []config.ImagePullSecret{}
	for _, each := range tracked {
		from := each.Source.Secret
		found = append(found, config.ImagePullSecret{
			UID: from.UID, Name: from.Name, Namespace: from.Namespace, CredentialHash: each.AuthConfigHash,
		})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no credentials for %s in the pod's Secrets", next.Image)
	}
	return found, nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
