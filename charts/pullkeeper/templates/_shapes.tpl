{{- /*
How the Secrets of settings.additionalSecrets are laid out, for the fence: @NAME@, @PATH@ and @HOST.@ stand for what an
entry says, with @HOST\.@ for the host in a regular expression. Written by `make chart-docs` from the controller's own
(tools/admission_policies.py): do not edit.
*/ -}}
{{- define "pullkeeper.secretShapes" -}}
argocd-repository: {"type": "Opaque", "labels": {"argocd.argoproj.io/secret-type": "repository"}, "fixed": {"type": "helm", "enableOCI": "true", "name": "@NAME@", "url": "@HOST.@/@PATH@", "username": "AWS"}, "passwordKey": "password"}
argocd-repo-creds: {"type": "Opaque", "labels": {"argocd.argoproj.io/secret-type": "repo-creds"}, "fixed": {"type": "helm", "enableOCI": "true", "url": "@HOST.@/", "username": "AWS"}, "passwordKey": "password"}
argocd-oci-repo-creds: {"type": "Opaque", "labels": {"argocd.argoproj.io/secret-type": "repo-creds"}, "fixed": {"type": "oci", "url": "oci://@HOST.@/", "username": "AWS"}, "passwordKey": "password"}
basic-auth: {"type": "kubernetes.io/basic-auth", "labels": {}, "fixed": {"username": "AWS"}, "passwordKey": "password"}
cdi: {"type": "Opaque", "labels": {}, "fixed": {"accessKeyId": "AWS"}, "passwordKey": "secretKey"}
kargo-image: {"type": "Opaque", "labels": {"kargo.akuity.io/cred-type": "image"}, "fixed": {"repoURL": "^(oci://)?@HOST\\.@/", "repoURLIsRegex": "true", "username": "AWS"}, "passwordKey": "password"}
kargo-helm: {"type": "Opaque", "labels": {"kargo.akuity.io/cred-type": "helm"}, "fixed": {"repoURL": "^(oci://)?@HOST\\.@/", "repoURLIsRegex": "true", "username": "AWS"}, "passwordKey": "password"}
{{- end }}
