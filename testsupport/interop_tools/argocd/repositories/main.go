// Command repositories tells how Argo CD's own code reads Secrets in its namespace: which repository a URL is, and
// with which credentials.
//
// Standard input is a JSON list of Secrets, the arguments are URLs; the output is a JSON list with what is found for each.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/v3/util/db"
	"github.com/argoproj/argo-cd/v3/util/settings"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

const namespace = "argocd"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var secrets []corev1.Secret
	if err := json.NewDecoder(os.Stdin).Decode(&secrets); err != nil {
		return err
	}
	labels := map[string]string{"app.kubernetes.io/part-of": "argocd"}
	objects := []runtime.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "argocd-cm", Namespace: namespace, Labels: labels}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "argocd-secret", Namespace: namespace, Labels: labels},
			Data:       map[string][]byte{"server.secretkey": []byte("x")},
		},
	}
	for index := range secrets {
		secrets[index].Namespace = namespace
		objects = append(objects, &secrets[index])
	}
	client := fake.NewClientset(objects...)
	repositories := db.NewDB(namespace, settings.NewSettingsManager(ctx, client, namespace), client)
	found := []map[string]any{}
	for _, url := range os.Args[1:] {
		each, err := repositories.GetRepository(ctx, url, "")
		if err != nil {
			return err
		}
		found = append(found, map[string]any{
			"url": each.Repo, "type": each.Type, "name": each.Name, "enableOCI": each.EnableOCI,
			"username": each.Username, "password": each.Password, "inherited": each.InheritedCreds,
		})
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
