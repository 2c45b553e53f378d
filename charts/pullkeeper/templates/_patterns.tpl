{{- /*
Regular expressions of whole texts, for Helm and for CEL. Written by `make chart-docs` from the controller's own
(tools/admission_policies.py): do not edit.
*/ -}}
{{- define "pullkeeper.classPattern" }}(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?{{ end }}
{{- define "pullkeeper.rolePattern" }}arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12}):role/(?:[!-~]{1,510}/)?[A-Za-z0-9+=,.@_-]{1,64}{{ end }}
{{- define "pullkeeper.hostPattern" }}public\.ecr\.aws|ecr\-public\.aws\.com|[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.(?:(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)|(?:cn)-[a-z]{2,20}-[0-9]{1,2}\.(?:on\.amazonwebservices\.com\.cn|amazonaws\.com\.cn)|(?:eusc-de)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.eu)|(?:us-iso)-[a-z]{2,20}-[0-9]{1,2}\.(?:c2s\.ic\.gov)|(?:us-isob)-[a-z]{2,20}-[0-9]{1,2}\.(?:sc2s\.sgov\.gov)|(?:eu-isoe)-[a-z]{2,20}-[0-9]{1,2}\.(?:cloud\.adc\-e\.uk)|(?:us-isof)-[a-z]{2,20}-[0-9]{1,2}\.(?:csp\.hci\.ic\.gov)|(?:us-gov)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)){{ end }}
{{- define "pullkeeper.pathPattern" }}[a-z0-9]+(?:[._/-][a-z0-9]+)*{{ end }}

{{- /* The AWS partitions: expressions of their regions, and patterns (*) of their registry hosts. */ -}}
{{- define "pullkeeper.partitions" -}}
aws: {region: '(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.amazonaws.com", "*.on.aws", "ecr-public.aws.com", "public.ecr.aws"]}
aws-cn: {region: '(?:cn)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.amazonaws.com.cn", "*.on.amazonwebservices.com.cn"]}
aws-eusc: {region: '(?:eusc-de)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.amazonaws.eu"]}
aws-iso: {region: '(?:us-iso)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.c2s.ic.gov"]}
aws-iso-b: {region: '(?:us-isob)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.sc2s.sgov.gov"]}
aws-iso-e: {region: '(?:eu-isoe)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.cloud.adc-e.uk"]}
aws-iso-f: {region: '(?:us-isof)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.csp.hci.ic.gov"]}
aws-us-gov: {region: '(?:us-gov)-[a-z]{2,20}-[0-9]{1,2}', hosts: ["*.amazonaws.com", "*.on.aws"]}
{{- end }}
